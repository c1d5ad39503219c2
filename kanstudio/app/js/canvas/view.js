// From world to screen: zoom k, translation (tx, ty), size of the window in CSS pixels.

const MIN_ZOOM = 0.02, MAX_ZOOM = 8, MARGIN = 14, HEADROOM = 44;
// Height of the strip with the legend: titles stay below it.
const STRIP = 38;

class View {
  constructor() {
    this.k = 1; this.tx = 0; this.ty = 0; this.w = 0; this.h = 0; this.dpr = 1;
  }
  x(x) { return x * this.k + this.tx; }
  y(y) { return y * this.k + this.ty; }
  worldX(px) { return (px - this.tx) / this.k; }
  worldY(py) { return (py - this.ty) / this.k; }
  sees(left, top, right, bottom) {
    return this.x(right) >= 0 && this.x(left) <= this.w && this.y(bottom) >= 0 && this.y(top) <= this.h;
  }
  enter(ctx) {
    const d = this.dpr;
    ctx.save();
    ctx.setTransform(d * this.k, 0, 0, d * this.k, d * this.tx, d * this.ty);
  }
  leave(ctx) { ctx.restore(); }
  zoomAt(px, py, factor) {
    const k = Math.min(MAX_ZOOM, Math.max(MIN_ZOOM, this.k * factor)), f = k / this.k;
    this.tx = px - (px - this.tx) * f;
    this.ty = py - (py - this.ty) * f;
    this.k = k;
  }
  // The place where all of the bounds are seen, under the strip with the legend.
  fitted(bounds) {
    const [x, y, w, h] = bounds;
    const roomW = Math.max(this.w - 2 * MARGIN, 10), roomH = Math.max(this.h - HEADROOM - MARGIN, 10);
    const k = Math.min(roomW / w, roomH / h, 1.6);
    return { k, tx: MARGIN + (roomW - w * k) / 2 - x * k, ty: HEADROOM + (roomH - h * k) / 2 - y * k };
  }
}

// What is under a point of the screen: node, then edge, then level, or nothing.
function hitTest(s, px, py) {
  const { view, world } = s, x = view.worldX(px), y = view.worldY(py);
  for (const node of world.nodes) {
    const reach = Math.max(node.r, Math.min(11 / view.k, 16));
    if (Math.hypot(node.x - x, node.y - y) <= reach) return { type: "node", id: node.id };
  }
  for (const sub of world.subnodes) {
    if (Math.hypot(sub.x - x, sub.y - y) <= sub.r + 2) return { type: "node", id: sub.node };
  }
  const slack = Math.min(3, 2 / view.k);
  for (let i = world.edges.length - 1; i >= 0; i--) {
    const e = world.edges[i];
    if (x >= e.x - slack && x <= e.x + e.w + slack && y >= e.y - slack && y <= e.y + e.h + slack) {
      return { type: "edge", id: e.id };
    }
  }
  for (const band of world.bands) {
    if (x >= band.x && x <= band.x + band.w && y >= band.y && y <= band.y + band.h) {
      return { type: "level", id: band.level };
    }
  }
  return null;
}

// An edge whose link passes close to a point; only asked where no card is.
function linkAt(s, ctx, px, py) {
  const { view, world } = s;
  if (world.edges.length > 400) return null;
  ctx.save();
  ctx.setTransform(1, 0, 0, 1, 0, 0);
  ctx.lineWidth = 9 / view.k;
  const x = view.worldX(px), y = view.worldY(py);
  let best = null, strength = -1;
  for (let i = 0; i < world.edges.length; i++) {
    const edge = world.edges[i], alpha = s.frame ? s.frame.alpha[i] : 255;
    if (edge.link.length && alpha > strength && ctx.isPointInStroke(world.path(i), x, y)) {
      best = { type: "edge", id: edge.id };
      strength = alpha;
    }
  }
  ctx.restore();
  return best;
}
