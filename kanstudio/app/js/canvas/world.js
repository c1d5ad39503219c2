// The scene in the browser: indexed, with its links as paths, and on the way from one
// scene to the next.

function linkPath(edge) {
  const path = new Path2D(), p = edge.link;
  if (!p.length) return path;
  path.moveTo(p[0], p[1]);
  path.bezierCurveTo(p[2], p[3], p[4], p[5], p[6], p[7]);
  path.lineTo(p[6], edge.y + edge.h);
  path.moveTo(p[8], edge.y);
  path.lineTo(p[8], p[9]);
  path.bezierCurveTo(p[10], p[11], p[12], p[13], p[14], p[15]);
  return path;
}

function wirePath(wire) {
  const path = new Path2D(), p = wire.points;
  if (!p.length) return path;
  path.moveTo(p[0], p[1]);
  for (let i = 2; i < p.length; i += 2) {
    if (i + 3 < p.length) path.arcTo(p[i], p[i + 1], p[i + 2], p[i + 3], 5);
    else path.lineTo(p[i], p[i + 1]);
  }
  return path;
}

// A structure with its indices. fade holds ids that are just appearing.
function makeWorld(structure, fade = null, t = 1) {
  const world = {
    ...structure, fade, t,
    edgeIndex: new Map(structure.edges.map((edge, i) => [edge.id, i])),
    nodeById: new Map(structure.nodes.map((node) => [node.id, node])),
    bandByLevel: new Map(structure.bands.map((band) => [band.level, band])),
  };
  // Paths of a large network are made when they are first drawn.
  const paths = new Array(structure.edges.length);
  world.path = (i) => (paths[i] ||= linkPath(structure.edges[i]));
  world.wirePaths = structure.wires.map(wirePath);
  return world;
}

const mix = (a, b, t) => a + (b - a) * t;

function between(a, b, t, names) {
  const mixed = { ...b };
  for (const name of names) mixed[name] = mix(a[name], b[name], t);
  if (b.link && a.link) {
    mixed.link = a.link.length === b.link.length ? b.link.map((v, i) => mix(a.link[i], v, t)) : b.link;
  }
  return mixed;
}

// The world at time t in [0, 1] between two structures; things are matched by their ids.
function mixWorld(from, to, t) {
  const fade = new Set();
  const blend = (name, key, fields) => {
    const before = new Map(from[name].map((item) => [item[key], item]));
    return to[name].map((item) => {
      const old = before.get(item[key]);
      if (!old) fade.add(`${name}:${item[key]}`);
      return old ? between(old, item, t, fields) : item;
    });
  };
  return makeWorld({
    ...to,
    bands: blend("bands", "level", ["x", "y", "w", "h"]),
    nodes: blend("nodes", "id", ["x", "y", "r"]),
    subnodes: blend("subnodes", "id", ["x", "y", "node_x", "node_y"]),
    edges: blend("edges", "id", ["x", "y", "w", "h"]),
  }, fade, t);
}

const fading = (world, name, id) => (world.fade && world.fade.has(`${name}:${id}`) ? world.t : 1);
