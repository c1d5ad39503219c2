"""A network as arrays of numbers that compiled code can read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kanstudio.network.network import FloatArray, Layer, Network, Node
from kanstudio.training.kernel.univariate import UNIVARIATE, encode
from kanstudio.training.packing import AFFINE_FIELDS, LayerPacking, Packing

DENSE_KNOTS = 28
"""Up to so many knots all B-splines are computed, beyond only those that are not 0."""

LAYER = np.dtype(
    [(name, np.int64) for name in (
        "n_sources", "n_subnodes", "n_nodes", "n_knots", "degree", "dense",
        "first_spline", "last_spline", "first_symbolic", "last_symbolic",
        "first_active", "last_active", "first_node",
        "knots", "widths", "affine", "affine_params",
        "width", "slope_width", "features", "slopes",
        "feature_row", "slope_row", "index_row",
        "x_row", "sum_row", "node_row", "symbolic_row", "dx_row", "dsum_row",
    )],
    align=True,
)  # fmt: skip
"""One layer. first_*/last_*: ranges in the other tables. knots, widths: offsets in flat
arrays. affine: offset of subnode_scale, subnode_bias, node_scale, node_bias;
affine_params: the same in the parameters, or -1. width: weights per spline edge;
slope_width: of its derivative. features, slopes: rows per active source. *_row: where the
layer's rows begin in the workspace."""

SPLINE = np.dtype(
    [
        ("slot", np.int64),
        ("source", np.int64),
        ("subnode", np.int64),
        ("params", np.int64),
        ("weights", np.int64),
        ("slope_weights", np.int64),
        ("mask", np.float64),
    ],
    align=True,
)
"""An active spline; slot counts the layer's sources that have one."""

SYMBOLIC = np.dtype(
    [
        ("source", np.int64),
        ("subnode", np.int64),
        ("params", np.int64),
        ("mask", np.float64),
        ("function", UNIVARIATE),
    ],
    align=True,
)
"""An active symbolic front."""

NODE = np.dtype([("first", np.int64), ("arity", np.int64)], align=True)


class Plan(NamedTuple):
    """Everything but parameters and samples; knots and widths (1 / knot distance) are flat."""

    layers: NDArray[Any]
    splines: NDArray[Any]
    symbolic: NDArray[Any]
    nodes: NDArray[Any]
    active: NDArray[np.int64]
    knots: FloatArray
    widths: FloatArray
    affine: FloatArray


@dataclass(frozen=True)
class Sizes:
    """Sizes of the workspace: rows of samples, rows of indices, weights."""

    rows: int
    index_rows: int
    weights: int
    slope_weights: int


def make_plan(network: Network, packing: Packing) -> tuple[Plan, Sizes]:
    """The plan of a network whose functions all have a code."""
    builder = _Builder()
    for layer, part, targets in zip(
        network.layers, packing.layers, network.levels[1:], strict=True
    ):
        builder.add(layer, part, targets, network.degree)
    return builder.result(len(network.levels[-1]))


class _Builder:
    """Collects the tables layer by layer."""

    def __init__(self) -> None:
        self.layers: list[dict[str, int]] = []
        self.splines: list[tuple[Any, ...]] = []
        self.symbolic: list[tuple[Any, ...]] = []
        self.nodes: list[tuple[int, int]] = []
        self.active: list[int] = []
        self.knots: list[FloatArray] = [np.zeros(0)]
        self.widths: list[FloatArray] = [np.zeros(0)]
        self.affine: list[FloatArray] = [np.zeros(0)]
        self.rows = 0
        self.index_rows = 0
        self.weights = 0
        self.slope_weights = 0

    def _take(self, count: int) -> int:
        self.rows += count
        return self.rows - count

    def add(self, layer: Layer, part: LayerPacking, targets: tuple[Node, ...], degree: int) -> None:
        sources = np.unique(part.spline_edges[:, 1])
        n_knots = layer.knots.shape[1]
        dense = n_knots <= DENSE_KNOTS
        # Local weights are padded by `degree` zeros at both ends: a sample near the end of
        # the knots touches B-splines that do not exist.
        pad = 0 if dense else 2 * degree
        features = n_knots - degree if dense else degree + 2
        row = {
            "n_sources": layer.n_sources,
            "n_subnodes": layer.n_subnodes,
            "n_nodes": layer.n_nodes,
            "n_knots": n_knots,
            "degree": degree,
            "dense": int(dense),
            "first_spline": len(self.splines),
            "first_symbolic": len(self.symbolic),
            "first_active": len(self.active),
            "first_node": len(self.nodes),
            "knots": sum(map(len, self.knots)),
            "widths": sum(map(len, self.widths)),
            "affine": sum(map(len, self.affine)),
            "affine_params": part.affine_start if part.affine_maps else -1,
            "width": part.n_basis + 1 + pad,
            "slope_width": part.n_basis + 2 + pad,
            "features": features,
            "slopes": n_knots if dense else degree + 1,
            "feature_row": self._take(len(sources) * features),
            "slope_row": self._take(len(sources) * (n_knots if dense else degree + 1)),
            "index_row": self.index_rows,
            "x_row": self._take(layer.n_sources),
            "sum_row": self._take(2 * layer.n_subnodes),
            "node_row": self._take(layer.n_nodes),
            "symbolic_row": self._take(2 * len(part.symbolic_edges)),
            "dx_row": self._take(layer.n_sources),
            "dsum_row": self._take(layer.n_subnodes),
        }
        self.index_rows += len(sources)
        self._add_edges(layer, part, sources, row)
        self.active += [int(source) for source in sources]
        for node in targets:
            first = sum(n.arity for n in targets[: len(self.nodes) - row["first_node"]])
            self.nodes.append((first, node.arity))
        self.knots.append(layer.knots[sources].ravel())
        self.widths.append(_widths(layer.knots[sources], degree).ravel())
        self.affine += [getattr(layer, name) for name in AFFINE_FIELDS]
        row["last_spline"], row["last_symbolic"] = len(self.splines), len(self.symbolic)
        row["last_active"] = len(self.active)
        self.layers.append(row)

    def _add_edges(
        self, layer: Layer, part: LayerPacking, sources: NDArray[np.int64], row: dict[str, int]
    ) -> None:
        for index, (subnode, source) in enumerate(part.spline_edges):
            self.splines.append((
                np.searchsorted(sources, source), source, subnode,
                part.start + index * (part.n_basis + 2),
                self.weights, self.slope_weights, layer.spline_mask[subnode, source],
            ))  # fmt: skip
            self.weights += row["width"]
            self.slope_weights += row["slope_width"]
        for index, (subnode, source) in enumerate(part.symbolic_edges):
            self.symbolic.append((
                source, subnode, part.symbolic_start + 4 * index,
                layer.symbolic_mask[subnode, source], encode(layer.functions[subnode][source]),
            ))  # fmt: skip

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
        plan = Plan(
            layers=table,
            splines=np.array(self.splines, dtype=SPLINE),
            symbolic=np.array(self.symbolic, dtype=SYMBOLIC),
            nodes=np.array(self.nodes, dtype=NODE),
            active=np.array(self.active, dtype=np.int64),
            knots=np.concatenate(self.knots),
            widths=np.concatenate(self.widths),
            affine=np.concatenate(self.affine),
        )
        # Room for the B-splines on the way up, and for the arguments of functions.
        scratch = max(row["n_knots"] for row in self.layers) + 2
        return plan, Sizes(
            self._take(scratch) + scratch, self.index_rows + 1, self.weights, self.slope_weights
        )


def _widths(knots: FloatArray, degree: int) -> FloatArray:
    """(S, degree, K): 1 / (t[b + order] - t[b]) for order 1 to degree; 0 where knots coincide."""
    n_sources, n_knots = knots.shape
    widths = np.zeros((n_sources, degree, n_knots))
    for order in range(1, degree + 1):
        distance = knots[:, order:] - knots[:, :-order]
        np.divide(1.0, distance, out=widths[:, order - 1, : n_knots - order], where=distance > 0)
    return widths
