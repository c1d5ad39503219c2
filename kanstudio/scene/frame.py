"""One moment of a network, in bytes: every edge's curve, score, colour and opacity.

Little-endian: the header, then float32 ranges (edges x 4), score, share, curves
(edges x points), then uint8 kind and alpha. See Frame for the meaning.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kanstudio.errors import DataError
from kanstudio.network.measure import EdgeCurves, Measurement, curves, measure
from kanstudio.network.network import FloatArray, Network
from kanstudio.scene.scene import Scene

MAGIC = b"KANF"
VERSION = 1
_HEADER = struct.Struct("<4sHBxIIIIf4x")
ABSENT, SYMBOLIC, SPLINE, BOTH = range(4)
_LARGEST = float(np.finfo(np.float32).max)
COLOUR_BY = ("front", "forward", "attribution")
_METRIC = {"front": "backward", "forward": "forward_n", "attribution": "backward"}


@dataclass(frozen=True)
class Frame:
    """What a scene's E edges look like now, in the order of ``scene.edges``.

    - curves (E, P) float32: in [0, 1] over the edge's own finite range, NaN where the
      function is not finite, 1/2 where it is constant.
    - ranges (E, 4) float32: least and greatest x, least and greatest y.
    - score (E,) float32 at least 0; share (E,) float32 in [0, 1]: the splines' part of
      the edge's variance.
    - kind (E,) uint8: 0 absent, 1 symbolic, 2 spline, 3 both.
    - alpha (E,) uint8: opacity, or the place on the colour ramp, 0 to 255.
    - colour_by: front, forward or attribution; beta: contrast; key: of the scene.
    """

    sequence: int
    key: int
    colour_by: str
    beta: float
    curves: NDArray[np.float32]
    ranges: NDArray[np.float32]
    score: NDArray[np.float32]
    share: NDArray[np.float32]
    kind: NDArray[np.uint8]
    alpha: NDArray[np.uint8]


def encode_frame(frame: Frame) -> bytes:
    """The bytes that the browser paints; 32 + edges * (4 * points + 26) of them."""
    n_edges, n_points = frame.curves.shape
    header = _HEADER.pack(
        MAGIC,
        VERSION,
        COLOUR_BY.index(frame.colour_by),
        frame.sequence & 0xFFFFFFFF,
        frame.key,
        n_edges,
        n_points,
        frame.beta,
    )
    floats = (frame.ranges, frame.score, frame.share, frame.curves)
    parts = [np.ascontiguousarray(values, dtype="<f4").tobytes() for values in floats]
    return b"".join([header, *parts, frame.kind.tobytes(), frame.alpha.tobytes()])


def decode_frame(data: bytes) -> Frame:
    """The frame in bytes from encode_frame; DataError if they are not exactly that."""
    if len(data) < _HEADER.size:
        raise DataError("these bytes are shorter than a frame's header")
    magic, version, colour, sequence, key, n_edges, n_points, beta = _HEADER.unpack_from(data)
    size = _HEADER.size + n_edges * (4 * n_points + 26)
    if magic != MAGIC or version != VERSION or len(data) != size or colour >= len(COLOUR_BY):
        raise DataError(f"these {len(data)} bytes are not a frame of version {VERSION}")
    ends = np.cumsum([4 * n_edges, n_edges, n_edges, n_edges * n_points])
    n_floats = int(ends[-1])
    floats = np.frombuffer(data, "<f4", n_floats, _HEADER.size).astype(np.float32)
    ranges, score, share, values = np.split(floats, ends[:-1])
    small = np.frombuffer(data, np.uint8, 2 * n_edges, _HEADER.size + 4 * n_floats)
    return Frame(
        sequence=sequence,
        key=key,
        colour_by=COLOUR_BY[colour],
        beta=beta,
        curves=values.reshape(n_edges, n_points),
        ranges=ranges.reshape(n_edges, 4),
        score=score,
        share=share,
        kind=small[:n_edges],
        alpha=small[n_edges:],
    )


def frame_of(
    network: Network,
    scene: Scene,
    data: FloatArray | Measurement | None = None,
    *,
    colour_by: str = "front",
    metric: str | None = None,
    beta: float = 3.0,
    sequence: int = 0,
    n_points: int = 64,
    lines: Sequence[EdgeCurves] | None = None,
) -> Frame:
    """The frame of a network in its scene.

    data: samples (n, inputs), or what ``measure`` made of them; None takes points spread
    over the domain of the first layer's grids. colour_by: front, forward or attribution.
    metric (forward_n, forward_u, backward) defaults to what colour_by asks for. Opacity
    is tanh(beta * score). lines: the curves, if they are known already. Raises DataError
    for an unknown name or a network that the scene does not show.
    """
    if colour_by not in COLOUR_BY:
        raise DataError(f"colour_by {colour_by!r} is not one of {', '.join(COLOUR_BY)}")
    _check(network, scene)
    facts = data if isinstance(data, Measurement) else _measure(network, data)
    metric = metric or _METRIC[colour_by]
    lines = lines or curves(network, facts, n_points)
    parts = []
    for layer, fact, line, at in zip(
        network.layers, facts.layers, lines, scene.positions, strict=True
    ):
        edge = at[:, 0], at[:, 1]
        kind = layer.symbolic_active[edge] * SYMBOLIC + layer.spline_active[edge] * SPLINE
        x_ends = line.x[at[:, 1]][:, [0, -1]]
        score = fact.score(metric)[edge]
        parts.append((line.total[edge], x_ends, score, fact.spline_share[edge], kind))
    values, x_ends, score, share, kind = (np.concatenate(p) for p in zip(*parts, strict=True))
    score = np.nan_to_num(np.maximum(score, 0), nan=0.0, posinf=_LARGEST)
    shapes, y_ends = normalised(values)
    return Frame(
        sequence=sequence,
        key=scene.key,
        colour_by=colour_by,
        beta=beta,
        curves=shapes,
        ranges=_float32(np.concatenate([x_ends, y_ends], axis=1)),
        score=_float32(score),
        share=_float32(share),
        kind=kind.astype(np.uint8),
        alpha=np.rint(255 * np.tanh(beta * score)).astype(np.uint8),
    )


def make_frame(
    network: Network,
    scene: Scene,
    data: FloatArray | Measurement | None = None,
    *,
    colour_by: str = "front",
    metric: str | None = None,
    beta: float = 3.0,
    sequence: int = 0,
    n_points: int | None = None,
    lines: Sequence[EdgeCurves] | None = None,
) -> bytes:
    """frame_of as bytes; n_points defaults to 64, and to fewer for very large networks."""
    count = n_points or points_of(len(scene.edges))
    return encode_frame(
        frame_of(
            network,
            scene,
            data,
            colour_by=colour_by,
            metric=metric,
            beta=beta,
            sequence=sequence,
            n_points=count,
            lines=lines,
        )
    )


def points_of(n_edges: int) -> int:
    """Points of each curve in the picture of so many edges."""
    return 64 if n_edges <= 600 else 32


def normalised(values: FloatArray) -> tuple[NDArray[np.float32], FloatArray]:
    """Curves (E, P) in [0, 1] over each one's finite range, and the ranges (E, 2).

    What is not finite becomes NaN. A range of rounding errors only counts as constant.
    """
    finite = np.isfinite(values)
    low = np.where(finite, values, np.inf).min(axis=1, initial=np.inf)
    high = np.where(finite, values, -np.inf).max(axis=1, initial=-np.inf)
    empty = ~finite.any(axis=1)
    low[empty] = high[empty] = 0.0
    # Halves, because high - low of two huge numbers is infinite.
    width = high / 2 - low / 2
    flat = width <= 1e-12 * np.maximum(np.abs(low), np.abs(high))
    safe = np.where(flat, 1.0, width)[:, None]
    start = np.where(flat, 0.0, low / 2)[:, None]
    shapes = (np.where(finite, values, 0.0) / 2 - start) / safe
    shapes = np.where(flat[:, None], 0.5, np.clip(shapes, 0, 1))
    ends = np.stack([low, high], axis=1)
    return np.where(finite, shapes, np.nan).astype(np.float32), ends


def _float32(values: FloatArray) -> NDArray[np.float32]:
    return np.clip(values, -_LARGEST, _LARGEST).astype(np.float32)


def _check(network: Network, scene: Scene) -> None:
    shown = [len(at) for at in scene.positions]
    if shown != [int(layer.active.sum()) for layer in network.layers]:
        raise DataError(
            f"the scene shows {shown} edges per layer, the network has others: build a new scene"
        )


def _measure(network: Network, samples: FloatArray | None) -> Measurement:
    if samples is None:
        knots = network.layers[0].knots
        degree = network.degree
        low, high = knots[:, degree], knots[:, -degree - 1]
        spread = np.random.default_rng(0).random((256, len(low)))
        samples = low + (high - low) * spread
    return measure(network, samples)
