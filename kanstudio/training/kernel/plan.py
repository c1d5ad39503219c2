"""A network as arrays of numbers that compiled code can read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kanstudio.network.network import FloatArray, Layer, Network, Node
from kanstudio.training.kernel.knots import (
    cubic_factors,
    inverse_widths,
    rounded,
    spline_pieces,
    starts,
)
from kanstudio.training.kernel.univariate import encode, univariate
from kanstudio.training.packing import AFFINE_FIELDS, IntArray, LayerPacking, Packing

DENSE_KNOTS = 28
"""Up to so many knots all B-splines are computed, beyond only those that are not 0."""

WHOLE = 0.4
"""From this share of active splines on, a layer is one product of matrices."""

MANY_ROWS, STREAMED = 1024, 8
"""Beyond so many rows of B-splines the first layer is taken by so many sources at a time."""

CUBIC, ANY, LOCAL = 0, 1, 2
"""How B-splines are computed: cubic on distinct knots, dense of any kind, local."""

LAYER = np.dtype(
    [(name, np.int64) for name in (
        "n_sources", "n_subnodes", "n_nodes", "n_knots", "degree", "kind",
        "first_spline", "last_spline", "first_symbolic", "last_symbolic",
        "first_active", "last_active", "first_node", "first_block", "last_block",
        "first_edge", "last_edge", "source_moments", "subnode_moments", "scores",
        "knots", "factors", "starts", "pieces", "affine", "affine_params",
        "width", "features", "size", "streamed", "feature_row", "slope_row", "index_row",
        "x_row", "sum_row", "node_row", "symbolic_row", "dx_row", "dsum_row",
    )],
    align=True,
)  # fmt: skip
"""One layer. first_*/last_*: ranges in the other tables. knots, factors, starts, pieces:
offsets in flat arrays. affine: offset of subnode_scale, subnode_bias, node_scale,
node_bias; affine_params: the same in the parameters, or -1. width: weights per spline
edge. features: rows per active source. size: numbers per sample of local B-splines.
streamed: so many sources at a time, see sweep.stream; 0 for all.
*_moments: where those of its sources and subnodes begin; those of edges stand at the number
of the edge. scores: where its matrix (subnode, source) begins. *_row: where the layer's rows
begin in the workspace."""


def _splines(dtype: Any) -> np.dtype[Any]:
    """An active spline; slot counts the layer's sources that have one."""
    names = ("slot", "source", "subnode", "params", "weights")
    return np.dtype([*((name, np.int64) for name in names), ("mask", dtype)], align=True)


BLOCK = np.dtype(
    [(name, np.int64) for name in (
        "slot", "n_slots", "n_rows", "subnode", "n_fours", "n_subnodes", "weights"
    )],
    align=True,
)  # fmt: skip
"""A matrix of weights, n_rows numbers for each of n_subnodes neighbouring subnodes: all
features of n_slots sources. The first 4 * n_fours subnodes are taken by four."""


def _symbolic(dtype: Any) -> np.dtype[Any]:
    """An active symbolic front."""
    whole = [(name, np.int64) for name in ("source", "subnode", "params")]
    return np.dtype([*whole, ("mask", dtype), ("function", univariate(dtype))], align=True)


EDGE = np.dtype([(name, np.int64) for name in ("spline", "symbolic", "source", "subnode")])
"""An edge with an active front: the numbers of its fronts, -1 for one that is not active."""

NODE = np.dtype([("first", np.int64), ("arity", np.int64)], align=True)


class Plan(NamedTuple):
    """Everything but parameters and samples; the last arrays are those of knots.py, flat.

    What is not whole has the dtype of the arithmetic.
    """

    layers: NDArray[Any]
    splines: NDArray[Any]
    blocks: NDArray[Any]
    symbolic: NDArray[Any]
    edges: NDArray[Any]
    nodes: NDArray[Any]
    active: IntArray
    knots: NDArray[Any]
    factors: NDArray[Any]
    starts: IntArray
    pieces: NDArray[Any]
    affine: NDArray[Any]


@dataclass(frozen=True)
class Sizes:
    """Sizes of the workspace: rows of samples, rows of indices, weights, moments, scores."""

    rows: int
    index_rows: int
    weights: int
    moments: int
    scores: int


def make_plan(
    network: Network, packing: Packing, *, dtype: Any = np.float64, streams: bool = True
) -> tuple[Plan, Sizes]:
    """The plan of a network whose functions all have a code.

    dtype: of the arithmetic. streams: False where single edges of the first layer are asked
    for, as by a regulariser.
    """
    builder = _Builder(dtype, streams)
    for layer, part, targets in zip(
        network.layers, packing.layers, network.levels[1:], strict=True
    ):
        builder.add(layer, part, targets, network.degree)
    return builder.result(len(network.levels[-1]))


def _kind(knots: FloatArray, degree: int, dtype: Any) -> int:
    n_knots = knots.shape[1]
    if n_knots > DENSE_KNOTS:
        return LOCAL
    cubic = degree == 3 and n_knots >= 8 and bool((np.diff(knots, axis=1) > 0).all())
    # Between knots that nearly coincide float32 has no room for a square.
    return (
        CUBIC
        if cubic and np.abs(cubic_factors(knots)).max(initial=0) < np.finfo(dtype).max
        else ANY
    )


class _Flat:
    """Arrays one after the other."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype
        self.parts: list[NDArray[Any]] = [np.zeros(0, dtype=dtype)]
        self.size = 0

    def add(self, values: NDArray[Any]) -> int:
        """Where the values begin."""
        self.parts.append(values.ravel())
        self.size += values.size
        return self.size - values.size

    def array(self) -> NDArray[Any]:
        return np.concatenate(self.parts).astype(self.dtype, copy=False)


class _Builder:
    """Collects the tables layer by layer."""

    def __init__(self, dtype: Any, streams: bool) -> None:
        self._dtype, self._streams = dtype, streams
        self.layers: list[dict[str, int]] = []
        self.splines: list[tuple[Any, ...]] = []
        self.blocks: list[tuple[int, ...]] = []
        self.symbolic: list[tuple[Any, ...]] = []
        self.edges: list[tuple[int, ...]] = []
        self.nodes: list[tuple[int, int]] = []
        self.active: list[int] = []
        self.knots, self.factors, self.pieces, self.affine = (_Flat(dtype) for _ in range(4))
        self.starts = _Flat(np.int64)
        self.rows = 0
        self.index_rows = 0
        self.weights = 0
        self.moments = 0
        self.scores = 0

    def _take(self, count: int) -> int:
        self.rows += count
        return self.rows - count

    def add(self, layer: Layer, part: LayerPacking, targets: tuple[Node, ...], degree: int) -> None:
        sources = np.unique(part.spline_edges[:, 1])
        row = {
            "n_sources": layer.n_sources,
            "n_subnodes": layer.n_subnodes,
            "n_nodes": layer.n_nodes,
            "degree": degree,
            "first_spline": len(self.splines),
            "first_symbolic": len(self.symbolic),
            "first_active": len(self.active),
            "first_node": len(self.nodes),
            "first_block": len(self.blocks),
            "affine": self.affine.add(
                np.concatenate([getattr(layer, name) for name in AFFINE_FIELDS])
            ),
            "affine_params": part.affine_start if part.affine_maps else -1,
        }
        row |= self._edges(layer, part)
        row |= self._knots(rounded(layer.knots[sources], self._dtype), degree)
        row |= self._rows(layer, part, len(sources), row)
        self._add_splines(layer, part, sources, row)
        for index, (subnode, source) in enumerate(part.symbolic_edges):
            self.symbolic.append((
                source, subnode, part.symbolic_start + 4 * index,
                layer.symbolic_mask[subnode, source],
                encode(layer.functions[subnode][source], self._dtype),
            ))  # fmt: skip
        self.active += [int(source) for source in sources]
        first = 0
        for node in targets:
            self.nodes.append((first, node.arity))
            first += node.arity
        row["last_spline"], row["last_symbolic"] = len(self.splines), len(self.symbolic)
        row["last_active"], row["last_block"] = len(self.active), len(self.blocks)
        self.layers.append(row)

    def _edges(self, layer: Layer, part: LayerPacking) -> dict[str, int]:
        """The union of both fronts; their numbers begin where the tables end so far."""
        splines, symbolic = (
            {(int(j), int(i)): first + n for n, (j, i) in enumerate(edges)}
            for edges, first in (
                (part.spline_edges, len(self.splines)),
                (part.symbolic_edges, len(self.symbolic)),
            )
        )
        row = {
            "first_edge": len(self.edges),
            "source_moments": self.moments,
            "subnode_moments": self.moments + layer.n_sources,
            "scores": self.scores,
        }
        for subnode, source in sorted(splines.keys() | symbolic.keys()):
            place = subnode, source
            self.edges.append((splines.get(place, -1), symbolic.get(place, -1), source, subnode))
        self.moments += layer.n_sources + layer.n_subnodes
        self.scores += layer.n_sources * layer.n_subnodes
        return row | {"last_edge": len(self.edges)}

    def _knots(self, knots: FloatArray, degree: int) -> dict[str, int]:
        """What depends on the knots (S, K) of the active sources."""
        n_sources, n_knots = knots.shape
        n_basis = n_knots - degree - 1
        kind = _kind(knots, degree, self._dtype)
        row = {"kind": kind, "n_knots": n_knots, "knots": self.knots.add(knots), "size": 0}
        if kind != ANY:
            factors = cubic_factors(knots) if kind == CUBIC else inverse_widths(knots)
            row["factors"] = self.factors.add(factors)
        if kind != LOCAL:
            return row | {
                "width": n_basis + 1, "features": n_basis + 1, "starts": 0, "pieces": 0,
                "index_row": 0,
            }  # fmt: skip
        pieces = spline_pieces(knots, degree)
        size = pieces.shape[3]
        self.index_rows += n_sources
        # Weights have ``degree`` zeros in front and some behind: a sample near the end of
        # the knots touches B-splines that do not exist.
        return row | {
            "width": n_knots - 1 + size,
            "size": size,
            "features": size + 1,
            "starts": self.starts.add(starts(knots)),
            "pieces": self.pieces.add(pieces),
            "index_row": self.index_rows - n_sources,
        }

    def _rows(
        self, layer: Layer, part: LayerPacking, n_active: int, row: dict[str, int]
    ) -> dict[str, int]:
        features, whole = row["features"], len(part.spline_edges) == n_active * layer.n_subnodes
        many = self._streams and not self.layers and whole and row["kind"] != LOCAL
        streamed = STREAMED if many and n_active * features > MANY_ROWS else 0
        # Rows that are taken by four: the last ones stay 0 or are of no account.
        n_subnodes = layer.n_subnodes + 3
        return {
            "streamed": streamed,
            "feature_row": self._take((streamed or n_active) * features + 3),
            "slope_row": self._take(n_active * features if self.layers else 0),
            "x_row": self._take(layer.n_sources),
            "sum_row": self._take(n_subnodes + layer.n_subnodes),
            "node_row": self._take(layer.n_nodes),
            "symbolic_row": self._take(2 * len(part.symbolic_edges)),
            "dx_row": self._take(layer.n_sources),
            "dsum_row": self._take(n_subnodes),
        }

    def _add_splines(
        self, layer: Layer, part: LayerPacking, sources: IntArray, row: dict[str, int]
    ) -> None:
        edges = part.spline_edges
        slots = np.searchsorted(sources, edges[:, 1])
        places = self._places(edges, slots, row)
        for index, (subnode, source) in enumerate(edges):
            self.splines.append((
                slots[index], source, subnode, part.start + index * (part.n_basis + 2),
                places[index], layer.spline_mask[subnode, source],
            ))  # fmt: skip

    def _places(self, edges: IntArray, slots: IntArray, row: dict[str, int]) -> list[int]:
        """Where the weights of each edge begin; adds the blocks that hold them."""
        features, first = row["features"], self.weights
        if row["kind"] == LOCAL or not len(edges):
            self.weights += len(edges) * row["width"]
            return [first + index * row["width"] for index in range(len(edges))]
        n_slots = int(slots.max()) + 1
        low, high = int(edges[:, 0].min()), int(edges[:, 0].max()) + 1
        if len(edges) < WHOLE * (high - low) * n_slots:
            for index, (subnode, _) in enumerate(edges):
                self._add_block(int(slots[index]), 1, int(subnode), 1, features)
            return [first + index * features for index in range(len(edges))]
        stride = -(-n_slots * features // 4) * 4
        self._add_block(0, n_slots, low, high - low, stride)
        return [
            first + int(subnode - low) * stride + int(slot) * features
            for (subnode, _), slot in zip(edges, slots, strict=True)
        ]

    def _add_block(self, slot: int, n_slots: int, subnode: int, count: int, n_rows: int) -> None:
        # A rest of three subnodes is quicker as four.
        n_fours = (count + 1) // 4
        self.blocks.append((slot, n_slots, n_rows, subnode, n_fours, count, self.weights))
        self.weights += max(4 * n_fours, count) * n_rows

    def result(self, n_outputs: int) -> tuple[Plan, Sizes]:
        # The outputs and their gradient stand where a further layer would have its inputs.
        end = dict.fromkeys(LAYER.names or (), 0)
        end |= {
            "n_sources": n_outputs,
            "x_row": self._take(n_outputs),
            "dx_row": self._take(n_outputs),
        }
        table = np.zeros(len(self.layers) + 1, dtype=LAYER)
        for index, row in enumerate([*self.layers, end]):
            for name, value in row.items():
                table[index][name] = value
        for name in ("source_moments", "subnode_moments"):
            table[name] += len(self.edges)
        plan = Plan(
            layers=table,
            splines=np.array(self.splines, dtype=_splines(self._dtype)),
            blocks=np.array(self.blocks, dtype=BLOCK),
            symbolic=np.array(self.symbolic, dtype=_symbolic(self._dtype)),
            edges=np.array(self.edges, dtype=EDGE),
            nodes=np.array(self.nodes, dtype=NODE),
            active=np.array(self.active, dtype=np.int64),
            knots=self.knots.array(),
            factors=self.factors.array(),
            starts=self.starts.array(),
            pieces=self.pieces.array(),
            affine=self.affine.array(),
        )
        # Room for the B-splines of lower degrees, and for the arguments of functions.
        scratch = max(2 * max(row["n_knots"] for row in self.layers), 4)
        return plan, Sizes(
            self._take(scratch) + scratch, self.index_rows + 1, self.weights,
            self.moments + len(self.edges), self.scores,
        )  # fmt: skip
