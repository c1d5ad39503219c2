// Real elements over the canvases: what a keyboard, a screen reader or a test reaches.
// Text becomes text nodes and attributes only.

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

const short = (value) => {
  if (!Number.isFinite(value)) return "–";
  const text = Math.abs(value) >= 1e4 || (value && Math.abs(value) < 1e-3)
    ? value.toExponential(1) : String(Number(value.toPrecision(3)));
  return text.replace("-", "−");
};

function edgeFacts(s, i) {
  const edge = s.world.edges[i], frame = s.frame;
  const rows = [];
  const kind = frame ? KIND_NAMES[frame.kind[i]] : "";
  const parts = { symbolic: edge.function, spline: "spline", both: `${edge.function} + spline`, absent: "absent" };
  rows.push(["function", parts[kind] || edge.function || "spline"]);
  if (frame) {
    const [x0, x1, y0, y1] = frame.ranges.subarray(4 * i, 4 * i + 4);
    rows.push(["score", short(frame.score[i])]);
    rows.push(["in", `${short(x0)} … ${short(x1)}`], ["out", `${short(y0)} … ${short(y1)}`]);
    if (kind === "both") rows.push(["spline share", `${Math.round(100 * frame.share[i])} %`]);
  }
  return { title: edge.name, kind, rows };
}

function nodeFacts(s, node) {
  const ports = s.world.subnodes.filter((sub) => sub.node === node.id).length;
  const what = { input: "input", sum: "sum", mult: `product of ${ports}` }[node.kind];
  const title = node.place === "hidden" ? `Node ${node.name}` : node.name;
  return { title, kind: "", rows: [[node.place === "output" ? "output" : "node", what]] };
}

function makeTooltip(root) {
  const box = element("div", { class: "tip", "aria-hidden": "true" });
  box.hidden = true;
  root.append(box);
  return {
    hide() { box.hidden = true; },
    show(facts, px, py) {
      const list = element("dl", {}, ...facts.rows.flatMap(([name, value]) =>
        [element("dt", {}, name), element("dd", {}, value)]));
      const title = element("p", { class: "tip-title" }, facts.title);
      if (facts.kind) title.append(element("span", { class: `tip-kind ${facts.kind}` }, facts.kind));
      box.replaceChildren(title, list);
      box.hidden = false;
      const w = box.offsetWidth, h = box.offsetHeight;
      const x = px + 16 + w > root.clientWidth ? px - w - 12 : px + 16;
      const y = py + 18 + h > root.clientHeight ? py - h - 12 : py + 18;
      box.style.transform = `translate(${Math.max(4, x)}px, ${Math.max(4, y)}px)`;
    },
  };
}

function makeLegend() {
  const box = element("div", { class: "legend", "aria-label": "Legend", role: "group" });
  let shown = "";
  return {
    box,
    update(frame, palette) {
      const mode = frame ? frame.colourBy : "front", key = mode + palette.ground;
      if (key === shown) return;
      shown = key;
      if (mode === "front") {
        box.replaceChildren(...["symbolic", "spline", "both"].map((kind) =>
          element("span", {}, element("i", { class: kind }), kind)));
        return;
      }
      const bar = element("i", { class: "ramp" });
      const stops = [0, 1, 2, 3, 4, 5, 6].map((step) => rampColour(palette, step / 6));
      bar.style.background = `linear-gradient(90deg, ${stops.join(",")})`;
      const name = mode === "forward" ? "forward activity" : "attribution";
      box.replaceChildren(element("span", {}, "low", bar, "high"), element("span", {}, name));
    },
  };
}

// Buttons for levels and nodes, and one that walks over the edges with the arrow keys.
function makeButtons(layer, live, act, s) {
  let levels = [], nodes = [];
  const edgeButton = element("button", { type: "button", class: "hit", "aria-label": "Edge" });
  let current = null;

  function listen(button, thing) {
    button.addEventListener("click", (event) => {
      // Clicks of a pointer are found by their place; these come from keys and tools.
      if (event.detail === 0) act.choose(thing(), button);
    });
    button.addEventListener("focus", () => {
      if (button.matches(":focus-visible")) act.reveal(thing());
    });
  }
  listen(edgeButton, () => ({ type: "edge", id: current }));

  function place(button, x, y, w, h) {
    button.style.transform = `translate(${Math.round(x)}px, ${Math.round(y)}px)`;
    button.style.width = `${Math.round(w)}px`;
    button.style.height = `${Math.round(h)}px`;
  }

  function describe(id) {
    const i = s.world.edgeIndex.get(id);
    if (i === undefined) return "Edge";
    const facts = edgeFacts(s, i);
    const score = s.frame ? `, score ${short(s.frame.score[i])}` : "";
    return `Edge ${facts.title}: ${facts.rows[0][1]}${score}`;
  }

  const arrows = {
    ArrowLeft: (dx, dy) => (dx < -1 ? -dx + 3 * Math.abs(dy) : Infinity),
    ArrowRight: (dx, dy) => (dx > 1 ? dx + 3 * Math.abs(dy) : Infinity),
    ArrowUp: (dx, dy) => (dy < -1 ? -dy + 0.5 * Math.abs(dx) : Infinity),
    ArrowDown: (dx, dy) => (dy > 1 ? dy + 0.5 * Math.abs(dx) : Infinity),
  };
  edgeButton.addEventListener("keydown", (event) => {
    const cost = arrows[event.key], from = s.world.edges[s.world.edgeIndex.get(current)];
    if (!cost || !from) return;
    event.preventDefault();
    event.stopPropagation();
    let best = null, least = Infinity;
    for (const edge of s.world.edges) {
      const c = cost(edge.x + edge.w / 2 - from.x - from.w / 2, edge.y + edge.h / 2 - from.y - from.h / 2);
      if (c < least) [best, least] = [edge, c];
    }
    if (!best) return;
    api.setEdge(best.id);
    act.reveal({ type: "edge", id: best.id });
    live.textContent = describe(best.id);
  });

  const api = {
    rebuild() {
      const make = (name, thing) => {
        const button = element("button", { type: "button", class: "hit", "aria-label": name });
        listen(button, () => thing);
        return button;
      };
      levels = s.world.bands.map((band) => make(band.name, { type: "level", id: band.level }));
      const few = s.world.nodes.length <= 600 ? s.world.nodes : [];
      nodes = few.map((node) => make(
        `${{ input: "Input", hidden: "Node", output: "Output" }[node.place]} ${node.name}`,
        { type: "node", id: node.id }));
      if (!s.world.edgeIndex.has(current)) current = s.world.edges.length ? s.world.edges[0].id : null;
      edgeButton.hidden = current === null;
      edgeButton.setAttribute("aria-label", describe(current));
      const held = layer.getRootNode().activeElement === edgeButton;
      layer.replaceChildren(...levels, ...nodes, edgeButton);
      if (held) edgeButton.focus();
      api.place();
    },
    setEdge(id) {
      if (!s.world.edgeIndex.has(id)) return;
      current = id;
      edgeButton.setAttribute("aria-label", describe(id));
      api.place();
    },
    place() {
      const { view, world } = s;
      levels.forEach((button, i) => {
        const at = act.titleBox(world.bands[i]);
        place(button, at.x, at.y, at.w, at.h);
        button.setAttribute("aria-pressed", s.selection.type === "level" && s.selection.id === world.bands[i].level);
      });
      nodes.forEach((button, i) => {
        const node = world.nodes[i], r = Math.max(12, node.r * view.k + 3);
        place(button, view.x(node.x) - r, view.y(node.y) - r, 2 * r, 2 * r);
        button.setAttribute("aria-pressed", s.selection.type === "node" && s.selection.id === node.id);
      });
      const edge = world.edges[world.edgeIndex.get(current)];
      if (!edge) return;
      const w = Math.max(8, edge.w * view.k), h = Math.max(8, edge.h * view.k);
      place(edgeButton, view.x(edge.x), view.y(edge.y), w, h);
      edgeButton.setAttribute("aria-pressed", s.selection.type === "edge" && s.selection.id === current);
    },
  };
  return api;
}
