// Reads a frame: kanstudio/scene/frame.py describes the bytes.

const HEADER = 32;

function toBuffer(value) {
  if (value instanceof ArrayBuffer) return value;
  if (ArrayBuffer.isView(value)) {
    return value.buffer.slice(value.byteOffset, value.byteOffset + value.byteLength);
  }
  return value && value.buffer instanceof ArrayBuffer ? value.buffer : null;
}

// The frame as an object of typed arrays, or null for anything that is not one.
function readFrame(value) {
  const buffer = toBuffer(value);
  if (!buffer || buffer.byteLength < HEADER) return null;
  const header = new DataView(buffer);
  if (header.getUint32(0, true) !== 0x464e414b || header.getUint16(4, true) !== 1) return null;
  const n = header.getUint32(16, true), points = header.getUint32(20, true);
  if (buffer.byteLength !== HEADER + n * (4 * points + 26)) return null;
  let at = HEADER;
  const floats = (count) => {
    const values = new Float32Array(buffer, at, count);
    at += 4 * count;
    return values;
  };
  const frame = {
    colourBy: COLOUR_BY[header.getUint8(6)] || "front",
    sequence: header.getUint32(8, true), key: header.getUint32(12, true), n, points,
    beta: header.getFloat32(24, true),
    ranges: floats(4 * n), score: floats(n), share: floats(n), curves: floats(n * points),
  };
  frame.kind = new Uint8Array(buffer, at, n);
  frame.alpha = new Uint8Array(buffer, at + n, n);
  return frame;
}

// True if two frames give every link the same look, so that links need no new paint.
function sameLinks(a, b) {
  if (!a || !b || a.n !== b.n || a.colourBy !== b.colourBy) return false;
  for (let i = 0; i < a.n; i++) {
    if (a.kind[i] !== b.kind[i] || a.alpha[i] >> 2 !== b.alpha[i] >> 2) return false;
  }
  return true;
}
