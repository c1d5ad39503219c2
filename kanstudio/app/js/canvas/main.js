// The component: keeps the state, answers gestures, paints at most once per display frame.

const EMPTY = { bounds: [0, 0, 400, 240], text_scale: 1, key: 0, bands: [], nodes: [], subnodes: [],
  edges: [], matrices: [], wires: [] };
const MORPH_MS = 220, MAX_MORPH = 700;

const ease = (t) => 1 - (1 - t) ** 3;
const calm = () => window.matchMedia("(prefers-reduced-motion: reduce)").matches;

export function render({ model, el }) {
  const root = element("div", { class: "kan-canvas", role: "group", "aria-label": "Drawing", "data-testid": "kan-canvas" });
  const canvases = ["lower", "cards", "upper"].map((name) => element("canvas", { class: name, "aria-hidden": "true" }));
  const [lower, cards, upper] = canvases.map((canvas) => canvas.getContext("2d"));
  const layer = element("div", { class: "hits" });
  const live = element("div", { class: "live", "aria-live": "polite" });
  const legend = makeLegend();
  const tools = element("div", { class: "tools", role: "group", "aria-label": "Zoom" });
  root.append(...canvases, layer, element("div", { class: "strip" }, legend.box, tools), live);
  const tip = makeTooltip(root);

  const s = {
    view: new View(), world: makeWorld(model.structure?.bounds ? model.structure : EMPTY),
    palette: PALETTES.light, sans: "sans-serif", frame: null, selection: {}, hover: null,
  };
  let waiting = null, unacknowledged = null, scheduled = 0, fitted = true, morph = null, glide = null;
  const dirty = { lower: true, cards: true, upper: true, place: true };

  const send = (message) => model.send_msg(message);

  function repaint(...parts) {
    for (const part of parts.length ? parts : Object.keys(dirty)) dirty[part] = true;
    if (!scheduled) scheduled = requestAnimationFrame(paint);
  }

  function paint(now) {
    scheduled = 0;
    if (!s.view.w || !s.view.h) return;
    const started = performance.now();
    stepMotion(now);
    const clear = (ctx) => {
      ctx.setTransform(s.view.dpr, 0, 0, s.view.dpr, 0, 0);
      ctx.globalAlpha = 1;
      ctx.clearRect(0, 0, s.view.w, s.view.h);
    };
    if (dirty.lower) { clear(lower); paintLower(lower, s); }
    if (dirty.cards) { clear(cards); paintCards(cards, s); }
    if (dirty.upper) { clear(upper); paintUpper(upper, s); }
    if (dirty.place) buttons.place();
    dirty.lower = dirty.cards = dirty.upper = dirty.place = false;
    if (morph || glide) repaint();
    if (unacknowledged !== null && s.frame) {
      root.dataset.sequence = unacknowledged;
      send({ type: "ack", sequence: unacknowledged, ms: performance.now() - started, painted: true });
      unacknowledged = null;
    }
  }

  // Motion: from one structure to the next, and of the view.

  function stepMotion(now) {
    if (morph) {
      morph.start ??= now;
      const t = Math.min(1, (now - morph.start) / MORPH_MS);
      s.world = t < 1 ? mixWorld(morph.from, morph.to, ease(t)) : makeWorld(morph.to);
      if (t === 1) morph = null;
      repaint();
    }
    if (glide) {
      glide.start ??= now;
      const t = Math.min(1, (now - glide.start) / MORPH_MS), e = ease(t);
      for (const name of ["k", "tx", "ty"]) s.view[name] = mix(glide.from[name], glide.to[name], e);
      if (t === 1) glide = null;
      repaint();
    }
  }

  function moveTo(target, animated) {
    const { k, tx, ty } = s.view;
    if (animated && !calm()) glide = { from: { k, tx, ty }, to: target, start: null };
    else Object.assign(s.view, target), (glide = null);
    repaint();
  }

  function fit(animated = true) {
    fitted = true;
    moveTo(s.view.fitted((morph ? morph.to : s.world).bounds), animated);
  }

  // What Python sends.

  function takeStructure() {
    const next = model.structure?.bounds ? model.structure : EMPTY;
    const moving = s.world.edges.length && next.edges.length <= MAX_MORPH && !calm();
    const from = { ...s.world };
    s.world = makeWorld(next);
    if (s.frame && s.frame.key !== next.key) s.frame = null;
    morph = moving ? { from, to: next, start: null } : null;
    if (morph) s.world = mixWorld(from, next, 0);
    s.hover = null;
    tip.hide();
    takeFrame(waiting);
    buttons.rebuild();
    if (fitted && s.view.w) moveTo(s.view.fitted(next.bounds), Boolean(moving));
    repaint();
  }

  function takeFrame(frame) {
    if (!frame) return;
    if (frame.key !== s.world.key || frame.n !== s.world.edges.length) {
      waiting = frame;
      return;
    }
    waiting = null;
    const same = sameLinks(s.frame, frame);
    s.frame = frame;
    unacknowledged = frame.sequence;
    legend.update(frame, s.palette);
    if (same) repaint("cards", "upper");
    else repaint("cards", "upper", "lower");
    if (s.hover && s.hover.type === "edge") showTip();
  }

  function receiveFrame() {
    const frame = readFrame(model.frame);
    if (!frame) return;
    takeFrame(frame);
    // A frame of another structure is never painted; say so, that the sender goes on.
    if (waiting === frame) send({ type: "ack", sequence: frame.sequence, ms: 0, painted: false });
  }

  function takeTheme() {
    const name = model.theme === "dark" ? "dark" : "light";
    root.dataset.theme = name;
    s.palette = PALETTES[name];
    // A canvas knows no custom properties, so it asks for the font that they end in.
    if (root.isConnected) s.sans = getComputedStyle(root).fontFamily;
    legend.update(s.frame, s.palette);
    repaint();
  }

  function takeSelection() {
    s.selection = model.selection?.type ? { ...model.selection } : {};
    if (s.selection.type === "edge") buttons.setEdge(s.selection.id);
    repaint("lower", "upper", "place");
  }

  // What people do.

  const titleBox = (band) => {
    const y = s.view.y(band.y), h = band.h * s.view.k, top = Math.min(Math.max(y, STRIP), y + h - 24);
    return { x: Math.max(s.view.x(band.x), 0) + 6, y: top + 4, w: 86, h: Math.max(14, Math.min(44, h - 8)) };
  };

  function screenOf(thing) {
    const { view, world } = s;
    if (thing.type === "edge") {
      const edge = world.edges[world.edgeIndex.get(thing.id)];
      return edge && { x: view.x(edge.x + edge.w / 2), y: view.y(edge.y + edge.h / 2) };
    }
    if (thing.type === "node") {
      const node = world.nodeById.get(Number(thing.id));
      return node && { x: view.x(node.x), y: view.y(node.y) };
    }
    const band = world.bandByLevel.get(Number(thing.id));
    if (!band) return undefined;
    const box = titleBox(band);
    return { x: box.x + box.w / 2, y: box.y + box.h / 2 };
  }

  function choose(thing, at) {
    const chosen = thing || { type: "none", id: null };
    s.selection = thing ? { ...thing } : {};
    if (thing && thing.type === "edge") buttons.setEdge(thing.id);
    repaint("lower", "upper", "place");
    send({ type: "click", kind: chosen.type, id: chosen.id, x: Math.round(at?.x ?? 0), y: Math.round(at?.y ?? 0) });
  }

  function reveal(thing) {
    const at = screenOf(thing);
    if (!at) return;
    const margin = 40, { view } = s;
    const dx = Math.max(margin - at.x, 0) + Math.min(view.w - margin - at.x, 0);
    const dy = Math.max(margin - at.y, 0) + Math.min(view.h - margin - at.y, 0);
    s.hover = thing;
    if (dx || dy) {
      fitted = false;
      moveTo({ k: view.k, tx: view.tx + dx, ty: view.ty + dy }, true);
    }
    repaint("upper");
  }

  function setHover(thing, at) {
    const before = s.hover;
    s.hover = thing;
    s.pointer = at;
    root.style.cursor = thing && thing.type !== "level" ? "pointer" : "";
    if (before?.type !== thing?.type || before?.id !== thing?.id) {
      if (thing?.type === "edge") buttons.setEdge(thing.id);
      if (before?.type === "level" || thing?.type === "level") repaint("lower", "upper");
      else repaint("upper");
    }
    showTip();
  }

  function showTip() {
    const { hover, world, pointer } = s;
    if (!hover || !pointer || hover.type === "level") return tip.hide();
    const i = world.edgeIndex.get(hover.id), node = world.nodeById.get(hover.id);
    if (hover.type === "edge" && i !== undefined) tip.show(edgeFacts(s, i), pointer.x, pointer.y);
    else if (hover.type === "node" && node) tip.show(nodeFacts(s, node), pointer.x, pointer.y);
    else tip.hide();
  }

  const find = (at) => {
    const hit = hitTest(s, at.x, at.y);
    return hit && hit.type !== "level" ? hit : linkAt(s, lower, at.x, at.y) || hit;
  };

  const buttons = makeButtons(layer, live, {
    titleBox, reveal, choose: (thing) => choose(thing, screenOf(thing)),
  }, s);
  const gestures = listenGestures(root, s.view, {
    find, setHover, choose, fit,
    moved() { fitted = false; glide = null; tip.hide(); repaint(); },
  });
  const tool = (name, sign, action) => {
    const button = element("button", { type: "button", "aria-label": name, title: name }, sign);
    button.addEventListener("click", action);
    tools.append(button);
  };
  const zoom = (factor) => {
    const view = Object.assign(new View(), s.view);
    view.zoomAt(view.w / 2, view.h / 2, factor);
    fitted = false;
    moveTo({ k: view.k, tx: view.tx, ty: view.ty }, true);
  };
  tool("Zoom out", "−", () => zoom(1 / 1.35));
  tool("Zoom in", "+", () => zoom(1.35));
  tool("Fit", "Fit", () => fit());

  const resize = new ResizeObserver(() => {
    const w = root.clientWidth, h = root.clientHeight, dpr = Math.min(window.devicePixelRatio || 1, 3);
    if (!w || !h) return;
    const first = !s.view.w;
    if (first) takeTheme();
    Object.assign(s.view, { w, h, dpr });
    for (const canvas of canvases) {
      canvas.width = Math.round(w * dpr);
      canvas.height = Math.round(h * dpr);
    }
    if (fitted || first) fit(false);
    // A resized canvas is empty: painting now, not in the next frame, avoids a flicker.
    Object.assign(dirty, { lower: true, cards: true, upper: true, place: true });
    paint(performance.now());
  });

  const changed = [["structure", takeStructure], ["frame", receiveFrame], ["theme", takeTheme],
    ["selection", takeSelection]];
  for (const [name, action] of changed) model.on(name, action);
  model.on("msg:custom", (message) => { if (message?.type === "fit") fit(); });
  model.on("remove", () => {
    resize.disconnect();
    gestures.stop();
    cancelAnimationFrame(scheduled);
  });

  const kan = {
    // The middle of an edge, node or level in pixels of the page, to click on.
    locate(type, id) {
      const at = screenOf({ type, id }), box = root.getBoundingClientRect();
      return at ? { x: box.left + at.x, y: box.top + at.y } : null;
    },
    get sequence() { return s.frame ? s.frame.sequence : null; },
    get still() { return !morph && !glide && !scheduled; },
    fit,
  };
  root.kan = el.kan = kan;

  takeTheme();
  buttons.rebuild();
  receiveFrame();
  takeSelection();
  resize.observe(root);
  return root;
}
