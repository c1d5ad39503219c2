// The lowest canvas: bands, links, wires of matrix blocks, nodes and labels.

function roundRect(ctx, x, y, w, h, r) {
  ctx.beginPath();
  ctx.roundRect(x, y, w, h, Math.max(0, Math.min(r, w / 2, h / 2)));
}

function paintBands(ctx, s) {
  const { view, world, palette, selection, hover } = s;
  for (const band of world.bands) {
    const x = view.x(band.x), y = view.y(band.y), w = band.w * view.k, h = band.h * view.k;
    if (y > view.h || y + h < 0) continue;
    const chosen = selection.type === "level" && selection.id === band.level;
    const under = hover && hover.type === "level" && hover.id === band.level;
    ctx.globalAlpha = fading(world, "bands", band.level);
    roundRect(ctx, x + 0.5, y + 0.5, w - 1, h - 1, Math.min(14, 18 * view.k));
    ctx.fillStyle = chosen ? palette.accentSoft : palette.band;
    ctx.fill();
    ctx.lineWidth = chosen ? 2 : 1;
    ctx.strokeStyle = chosen ? palette.accent : under ? palette.accentLine : palette.bandLine;
    ctx.stroke();
  }
  ctx.globalAlpha = 1;
}

// One link in world coordinates; the look says the kind without colour too.
function strokeLink(ctx, path, style, k, ground, more = 0) {
  const px = 1 / k, wide = Math.min(1, Math.max(0.55, k));
  ctx.globalAlpha = style.link;
  ctx.strokeStyle = style.colour;
  ctx.setLineDash(style.kind === SPLINE && k > 0.25 ? [5.5 * wide * px, 3.5 * wide * px] : []);
  const double = style.kind === BOTH && k > 0.35;
  ctx.lineWidth = ((double ? 3.6 : 1.6) * wide + more) * px;
  ctx.stroke(path);
  if (double) {
    ctx.globalAlpha = 1;
    ctx.lineWidth = (1.3 * wide + more / 3) * px;
    ctx.strokeStyle = ground;
    ctx.stroke(path);
  }
}

function paintLinks(ctx, s) {
  const { view, world, palette, frame } = s;
  view.enter(ctx);
  ctx.lineCap = "butt";
  const order = world.edges.map((_, i) => i).filter((i) => world.edges[i].link.length);
  // The strongest links lie on top.
  if (frame) order.sort((a, b) => frame.alpha[a] - frame.alpha[b]);
  for (const i of order) {
    const edge = world.edges[i], p = edge.link;
    const left = Math.min(p[0], p[6], p[14]), right = Math.max(p[0], p[6], p[14]);
    if (!view.sees(left, p[15], right, p[1])) continue;
    const style = edgeStyle(palette, frame, i);
    style.link *= fading(world, "edges", edge.id);
    strokeLink(ctx, world.path(i), style, view.k, palette.band);
  }
  ctx.setLineDash([]);
  view.leave(ctx);
}

function paintWires(ctx, s) {
  const { view, world, palette } = s;
  if (!world.wires.length) return;
  view.enter(ctx);
  ctx.strokeStyle = palette.wire;
  ctx.lineWidth = Math.max(0.4, Math.min(1.1, 1.2 * view.k)) / view.k;
  world.wirePaths.forEach((path) => ctx.stroke(path));
  view.leave(ctx);
  if (view.k < 0.22) return;
  ctx.font = `italic ${Math.min(Math.max(16 * view.k, 9), 18)}px ${MATH}`;
  ctx.textAlign = "right";
  ctx.textBaseline = "middle";
  ctx.fillStyle = palette.muted;
  for (const wire of world.wires) {
    if (!wire.label || !view.sees(wire.x - 60, wire.y - 9, wire.x, wire.y + 9)) continue;
    ctx.fillText(wire.label, view.x(wire.x), view.y(wire.y), 50 * view.k);
  }
}

function paintStems(ctx, s) {
  const { view, world, palette } = s;
  ctx.strokeStyle = palette.stem;
  ctx.lineWidth = Math.max(0.7, 1.5 * Math.min(1, view.k));
  for (const sub of world.subnodes) {
    ctx.globalAlpha = fading(world, "subnodes", sub.id);
    ctx.beginPath();
    ctx.moveTo(view.x(sub.node_x), view.y(sub.node_y));
    ctx.lineTo(view.x(sub.x), view.y(sub.y));
    ctx.stroke();
  }
  ctx.globalAlpha = 1;
}

// A ring with a sign inside: + for a sum, x for a product.
function paintRing(ctx, x, y, r, turn, palette) {
  ctx.beginPath();
  ctx.arc(x, y, r, 0, 2 * Math.PI);
  ctx.fillStyle = palette.nodeFill;
  ctx.fill();
  ctx.strokeStyle = palette.node;
  ctx.lineWidth = Math.min(3, Math.max(0.8, r * 0.15));
  ctx.stroke();
  if (r < 3) return;
  const arm = r * 0.5;
  ctx.lineWidth = Math.min(3.6, Math.max(0.9, r * 0.18));
  ctx.beginPath();
  for (const angle of [turn, turn + Math.PI / 2]) {
    const dx = arm * Math.cos(angle), dy = arm * Math.sin(angle);
    ctx.moveTo(x - dx, y - dy);
    ctx.lineTo(x + dx, y + dy);
  }
  ctx.stroke();
}

function paintNodes(ctx, s) {
  const { view, world, palette } = s;
  for (const sub of world.subnodes) {
    if (!view.sees(sub.x - 12, sub.y - 12, sub.x + 12, sub.y + 12)) continue;
    ctx.globalAlpha = fading(world, "subnodes", sub.id);
    paintRing(ctx, view.x(sub.x), view.y(sub.y), sub.r * view.k, 0, palette);
  }
  for (const node of world.nodes) {
    if (!view.sees(node.x - 16, node.y - 16, node.x + 16, node.y + 16)) continue;
    ctx.globalAlpha = fading(world, "nodes", node.id);
    const x = view.x(node.x), y = view.y(node.y), r = node.r * view.k;
    if (node.kind === "mult") {
      paintRing(ctx, x, y, r, Math.PI / 4, palette);
      continue;
    }
    ctx.beginPath();
    ctx.arc(x, y, Math.max(2, r), 0, 2 * Math.PI);
    ctx.fillStyle = palette.node;
    ctx.fill();
  }
  ctx.globalAlpha = 1;
}

// Text no wider than room: smaller first, then cut.
function fitText(ctx, text, size, least, room, style) {
  for (let px = size; px >= least; px -= 1) {
    ctx.font = style(px);
    if (ctx.measureText(text).width <= room) return text;
  }
  ctx.font = style(least);
  let cut = text;
  while (cut.length > 1 && ctx.measureText(`${cut}…`).width > room) cut = cut.slice(0, -1);
  return ctx.measureText(`${cut}…`).width <= room ? `${cut}…` : "";
}

function paintLabels(ctx, s) {
  const { view, world, palette } = s;
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  ctx.fillStyle = palette.text;
  const size = Math.min(Math.max(20 * view.k * world.text_scale, 11), 30);
  for (const node of world.nodes) {
    // Labels without room are left out, all of a level alike.
    if (!node.label || node.room * view.k < 18 || !view.sees(node.x - 80, node.y - 40, node.x + 80, node.y + 40)) continue;
    const room = Math.max(node.room * view.k, 10);
    const text = fitText(ctx, node.label, size, 8, room, (px) => `italic ${px}px ${MATH}`);
    const away = node.r * view.k + 0.72 * size + 2;
    ctx.fillText(text, view.x(node.x), view.y(node.y) + (node.place === "input" ? away : -away));
  }
}

// Titles stay at the left edge of the window while their band is in sight.
function paintTitles(ctx, s) {
  const { view, world, palette, selection } = s;
  ctx.textAlign = "left";
  ctx.textBaseline = "alphabetic";
  ctx.lineJoin = "round";
  for (const band of world.bands) {
    const y = view.y(band.y), h = band.h * view.k;
    if (h < 16 || y + h < 0 || y > view.h) continue;
    const chosen = selection.type === "level" && selection.id === band.level;
    const x = Math.max(view.x(band.x), 0) + 14;
    let top = Math.min(Math.max(y, STRIP) + 22, y + h - 6);
    const write = (text, font, colour) => {
      ctx.font = font;
      ctx.lineWidth = 4;
      ctx.strokeStyle = chosen ? palette.accentSoft : palette.band;
      ctx.strokeText(text, x, top);
      ctx.fillStyle = colour;
      ctx.fillText(text, x, top);
    };
    write(band.title, `600 13px ${s.sans}`, chosen ? palette.accent : palette.text);
    for (const detail of band.details) {
      top += 16;
      if (top > y + h - 5) break;
      write(detail, `11.5px ${s.sans}`, palette.muted);
    }
  }
}

function paintLower(ctx, s) {
  paintBands(ctx, s);
  paintLinks(ctx, s);
  paintWires(ctx, s);
  paintStems(ctx, s);
  paintNodes(ctx, s);
  paintLabels(ctx, s);
  paintTitles(ctx, s);
}
