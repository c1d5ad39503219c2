// The middle canvas: a card with its curve for every edge.

// Detail by the card's size on the screen, in pixels.
const FULL = 26, HALF = 16, QUARTER = 9, NAMED = 70;

function traceCurve(ctx, frame, index, x, y, w, h, step) {
  const first = index * frame.points, last = frame.points - 1, dx = w / last;
  let down = false;
  for (let i = 0; ; i += step) {
    if (i > last) {
      if (i - step >= last) break;
      i = last;
    }
    const value = frame.curves[first + i];
    if (value !== value) down = false;
    else {
      const px = x + i * dx, py = y + (1 - value) * h;
      if (down) ctx.lineTo(px, py);
      else ctx.moveTo(px, py);
      down = true;
    }
  }
}

function paintCard(ctx, s, i, emphasised = false) {
  const { view, world, palette, frame } = s;
  const edge = world.edges[i], k = view.k;
  const x = view.x(edge.x), y = view.y(edge.y), w = edge.w * k, h = edge.h * k;
  const style = edgeStyle(palette, frame, i), least = Math.min(w, h);
  const shown = fading(world, "edges", edge.id);
  const strength = emphasised ? 1 : style.card;
  if (least < QUARTER) {
    ctx.globalAlpha = shown;
    ctx.fillStyle = palette.card;
    ctx.fillRect(x, y, w, h);
    ctx.globalAlpha = shown * (emphasised ? 1 : 0.12 + 0.88 * style.link);
    ctx.fillStyle = style.colour;
    ctx.fillRect(x, y, w, h);
    return;
  }
  const radius = Math.min(8, 0.16 * least), line = Math.min(1.5, Math.max(0.8, least / 26));
  ctx.globalAlpha = shown;
  roundRect(ctx, x, y, w, h, radius);
  ctx.fillStyle = palette.card;
  ctx.fill();
  if (strength < 1) {
    ctx.strokeStyle = palette.cardLine;
    ctx.lineWidth = line;
    ctx.stroke();
  }
  ctx.globalAlpha = shown * strength;
  ctx.strokeStyle = style.colour;
  ctx.lineWidth = line;
  ctx.setLineDash(style.kind === SPLINE && least >= HALF ? [3.5 * line, 2.2 * line] : []);
  ctx.stroke();
  ctx.setLineDash([]);
  if (style.kind === BOTH && least >= HALF) {
    const inset = 2 + line;
    roundRect(ctx, x + inset, y + inset, w - 2 * inset, h - 2 * inset, radius - inset);
    ctx.lineWidth = 0.7 * line;
    ctx.stroke();
  }
  if (frame) paintCurve(ctx, s, i, { x, y, w, h, least, style, shown, strength });
}

function paintCurve(ctx, s, i, box) {
  const { palette, frame, world } = s, { least, style } = box;
  const named = least >= NAMED && world.edges[i].function;
  const pad = 0.17 * least, foot = named ? 15 : 0;
  const x = box.x + 0.8 * pad, y = box.y + pad, w = box.w - 1.6 * pad, h = box.h - 2 * pad - foot;
  const low = frame.ranges[4 * i + 2], high = frame.ranges[4 * i + 3];
  if (least >= 34 && low < 0 && high > 0) {
    const zero = Math.round(y + h * (high / (high - low))) + 0.5;
    ctx.globalAlpha = box.shown;
    ctx.strokeStyle = palette.axis;
    ctx.lineWidth = 1;
    ctx.beginPath();
    ctx.moveTo(x, zero);
    ctx.lineTo(x + w, zero);
    ctx.stroke();
  }
  ctx.globalAlpha = box.shown * box.strength;
  ctx.strokeStyle = style.colour;
  ctx.lineWidth = Math.min(2.4, Math.max(0.9, least / 22));
  ctx.lineJoin = "round";
  ctx.lineCap = "round";
  ctx.beginPath();
  traceCurve(ctx, frame, i, x, y, w, h, least >= FULL ? 1 : least >= HALF ? 2 : 4);
  ctx.stroke();
  ctx.lineCap = "butt";
  if (!named) return;
  ctx.globalAlpha = box.shown;
  ctx.fillStyle = palette.muted;
  ctx.textAlign = "center";
  ctx.textBaseline = "alphabetic";
  ctx.font = `11px ${s.sans}`;
  ctx.fillText(world.edges[i].function, box.x + box.w / 2, box.y + box.h - 9, box.w - 12);
}

function paintCards(ctx, s) {
  const { view, world } = s;
  for (let i = 0; i < world.edges.length; i++) {
    const edge = world.edges[i];
    if (view.sees(edge.x, edge.y, edge.x + edge.w, edge.y + edge.h)) paintCard(ctx, s, i);
  }
  ctx.globalAlpha = 1;
}

// The upper canvas: what is selected or under the pointer, drawn once more and stronger.
function paintUpper(ctx, s) {
  const { selection, hover } = s;
  if (hover && !(hover.type === selection.type && hover.id === selection.id)) {
    paintEmphasis(ctx, s, hover, false);
  }
  paintEmphasis(ctx, s, selection, true);
}

function paintEmphasis(ctx, s, thing, chosen) {
  const { view, world, palette, frame } = s;
  if (thing.type === "edge") {
    const i = world.edgeIndex.get(thing.id);
    if (i !== undefined) paintStrongEdge(ctx, s, i, true, chosen);
  } else if (thing.type === "node") {
    const node = world.nodeById.get(thing.id);
    if (!node) return;
    world.edges.forEach((edge, i) => {
      if (edge.source === node.id || edge.target === node.id) paintStrongEdge(ctx, s, i, false, chosen);
    });
    ring(ctx, view.x(node.x), view.y(node.y), node.r * view.k + 4, palette, chosen);
  }
}

function ring(ctx, x, y, r, palette, chosen) {
  ctx.globalAlpha = 1;
  ctx.beginPath();
  ctx.arc(x, y, Math.max(r, 5), 0, 2 * Math.PI);
  ctx.lineWidth = chosen ? 2.5 : 1.5;
  ctx.strokeStyle = palette.accent;
  ctx.stroke();
}

function paintStrongEdge(ctx, s, i, ringed, chosen) {
  const { view, world, palette, frame } = s, edge = world.edges[i];
  const style = edgeStyle(palette, frame, i);
  // A node lights up all of its edges, and still tells the strong from the weak.
  style.link = ringed ? 1 : Math.max(0.5, style.link);
  if (edge.link.length) {
    view.enter(ctx);
    strokeLink(ctx, world.path(i), style, view.k, palette.band, 0.8);
    ctx.setLineDash([]);
    view.leave(ctx);
  } else if (ringed) paintStrongWires(ctx, s, edge);
  if (!view.sees(edge.x, edge.y, edge.x + edge.w, edge.y + edge.h)) return;
  paintCard(ctx, s, i, true);
  if (!ringed) return;
  const gap = 3, k = view.k;
  ctx.globalAlpha = 1;
  roundRect(ctx, view.x(edge.x) - gap, view.y(edge.y) - gap, edge.w * k + 2 * gap, edge.h * k + 2 * gap,
    Math.min(8, 0.16 * edge.h * k) + gap);
  ctx.lineWidth = chosen ? 2.5 : 1.5;
  ctx.strokeStyle = chosen ? palette.accent : palette.accentLine;
  ctx.stroke();
}

function paintStrongWires(ctx, s, edge) {
  const { view, world, palette } = s, middle = edge.x + edge.w / 2;
  view.enter(ctx);
  ctx.strokeStyle = palette.accent;
  ctx.lineWidth = 1.8 / view.k;
  world.wires.forEach((wire, i) => {
    const row = wire.kind === "row" && wire.node === edge.source;
    const column = wire.kind === "column" && Math.abs(wire.x - middle) < 1;
    if (wire.layer === edge.layer && (row || column)) ctx.stroke(world.wirePaths[i]);
  });
  view.leave(ctx);
}
