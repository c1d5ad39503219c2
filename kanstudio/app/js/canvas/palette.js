// Colours, line styles and sizes of the drawing. Kinds are told apart by colour and by
// line: symbolic is solid, spline is dashed, both is a double line.

const ABSENT = 0, SYMBOLIC = 1, SPLINE = 2, BOTH = 3;
const KIND_NAMES = ["absent", "symbolic", "spline", "both"];
const COLOUR_BY = ["front", "forward", "attribution"];

const PALETTES = {
  light: {
    ground: "#ffffff", band: "#f6f8fb", bandLine: "#e7ebf1", card: "#ffffff", cardLine: "#dbe0e8",
    text: "#1a1f2b", muted: "#5c6577", node: "#1d2230", nodeFill: "#ffffff", stem: "#6d7688",
    wire: "#b4bdcb", axis: "#e3e8f0", accent: "#3a5bdc", accentSoft: "#eef2fe", accentLine: "#9db0f2",
    kinds: ["#9aa3b2", "#d7263d", "#23272f", "#8143c6"],
    ramp: [[186, 196, 212], [98, 160, 205], [33, 105, 178], [50, 22, 120]],
  },
  dark: {
    ground: "#12151b", band: "#181d25", bandLine: "#262d39", card: "#10131a", cardLine: "#343c4a",
    text: "#e6e9f0", muted: "#9aa5b8", node: "#e6e9f0", nodeFill: "#181d25", stem: "#8a95a8",
    wire: "#4a5568", axis: "#262d39", accent: "#7d97ff", accentSoft: "#1d2540", accentLine: "#4b62b8",
    kinds: ["#667085", "#ff6b7a", "#d6dbe6", "#b98cf5"],
    ramp: [[70, 80, 100], [52, 126, 170], [74, 196, 176], [236, 240, 122]],
  },
};

const MATH = '"STIX Two Text", "Cambria", "Latin Modern Math", "Georgia", "Times New Roman", "Liberation Serif", "DejaVu Serif", serif';

// Below a little opacity an edge would be lost for the eye, and with it the structure.
const LEAST_LINK = 0.09, LEAST_CARD = 0.3;

function rampColour(palette, share) {
  const stops = palette.ramp, at = Math.min(Math.max(share, 0), 1) * (stops.length - 1);
  const i = Math.min(Math.floor(at), stops.length - 2), t = at - i;
  const mixed = stops[i].map((low, c) => Math.round(low + (stops[i + 1][c] - low) * t));
  return `rgb(${mixed.join(",")})`;
}

// How one edge looks now: { colour, link, card, kind }, with opacities of link and card.
function edgeStyle(palette, frame, index) {
  if (!frame) return { colour: palette.kinds[0], link: 0.5, card: 0.6, kind: SYMBOLIC };
  const kind = frame.kind[index], share = frame.alpha[index] / 255;
  // About to go: a trace of it shows where it was.
  if (kind === ABSENT) return { colour: palette.kinds[0], link: 0, card: 0.16, kind };
  if (frame.colourBy !== "front") {
    return { colour: rampColour(palette, share), link: 0.35 + 0.65 * share, card: 1, kind };
  }
  return {
    colour: palette.kinds[kind],
    link: Math.max(LEAST_LINK, share),
    card: LEAST_CARD + (1 - LEAST_CARD) * share,
    kind,
  };
}
