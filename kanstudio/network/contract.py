"""Taking a whole level away where two layers are one: the inverse of adding a layer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kanstudio.errors import EditError
from kanstudio.network import checks
from kanstudio.network.build import empty_layer
from kanstudio.network.network import ABSENT, FloatArray, Layer, Network, Node, frozen

IDENTITY = "x"
_EDGE_ARRAYS = ("coef", "scale_base", "scale_sp", "spline_mask", "symbolic_mask", "affine")


def remove_level(network: Network, level: int, *, seed: int = 0) -> Network:
    """Without a hidden level; the output stays the same but for rounding.

    A node of the level goes exactly where it only hands a value on (its one edge, or the
    edge from it, is the function x), or where nothing reads it. What the levels above and
    below compute together must fit on single edges; else this raises EditError, which
    names the node in the way.
    """
    at = checks.integer(level)
    if at is None or not 1 <= at < network.depth:
        raise EditError(f"cannot remove level {level}: only hidden levels can go")
    join = _Join(network, at)
    nodes, rows = [], []
    for index in range(len(network.levels[at + 1])):
        node, new = join.target(index)
        nodes.append(node)
        rows.append(new)
    if sorted(nodes, key=lambda node: node.is_mult) != nodes:
        raise EditError(f"without layer {at} the nodes above it would change their order")
    layer = _assembled(network, at, tuple(nodes), rows, seed)
    return replace(
        network,
        levels=(*network.levels[:at], tuple(nodes), *network.levels[at + 2 :]),
        layers=(*network.layers[: at - 1], layer, *network.layers[at + 1 :]),
    )


@dataclass(frozen=True)
class _Edge:
    """An edge with all its numbers; knots (K,): of the source that its spline reads."""

    function: str
    values: dict[str, Any]
    knots: FloatArray

    @classmethod
    def of(cls, layer: Layer, subnode: int, source: int) -> _Edge:
        at = subnode, source
        values = {name: getattr(layer, name)[at] for name in _EDGE_ARRAYS}
        function = layer.functions[subnode][source] if layer.symbolic_active[at] else ABSENT
        return cls(function, values, layer.knots[source])

    @property
    def symbolic(self) -> bool:
        return self.function != ABSENT

    @property
    def spline(self) -> bool:
        return bool(self.values["spline_mask"] != 0)

    @property
    def line(self) -> tuple[float, float] | None:
        """(slope, offset) of an edge that is a straight line and nothing else."""
        if self.function != IDENTITY or self.spline:
            return None
        a, b, c, d = self.values["affine"]
        mask = self.values["symbolic_mask"]
        return float(mask * c * a), float(mask * (c * b + d))

    def changed(self, **values: Any) -> _Edge:
        return replace(self, values={**self.values, **values})

    def times(self, factor: float) -> _Edge:
        a, b, c, d = self.values["affine"]
        return self.changed(
            affine=np.array([a, b, factor * c, factor * d]),
            scale_base=factor * self.values["scale_base"],
            scale_sp=factor * self.values["scale_sp"],
        )

    def after(self, slope: float, offset: float) -> _Edge | None:
        """The edge as it reads x where it read slope * x + offset; None for a spline."""
        if (slope, offset) == (1.0, 0.0):
            return self
        if self.spline:
            return None
        a, b, c, d = self.values["affine"]
        return self.changed(affine=np.array([a * slope, a * offset + b, c, d]))

    def plus(self, other: _Edge) -> _Edge | None:
        """Both on one edge; None if that is more than an edge can hold."""
        if self.line is not None and other.line is not None:
            slope, offset = np.add(self.line, other.line)
            return self.changed(affine=np.array([slope, 0.0, 1.0, offset]), symbolic_mask=1.0)
        if self.symbolic and not self.spline and not other.symbolic:
            return replace(other, function=self.function).changed(
                affine=self.values["affine"], symbolic_mask=self.values["symbolic_mask"]
            )
        return other.plus(self) if other.symbolic and not self.symbolic else None


@dataclass(frozen=True)
class _Row:
    """A subnode of the joined layer: its edges by source, its scale and bias."""

    edges: dict[int, _Edge]
    scale: float
    bias: float


@dataclass(frozen=True)
class _Target:
    """A node of the joined layer."""

    rows: tuple[_Row, ...]
    scale: float
    bias: float


class _Join:
    """Two layers as one: what each node above reads, in terms of the nodes below."""

    def __init__(self, network: Network, level: int) -> None:
        self._level = level
        self._middle = network.levels[level]
        self._targets = network.levels[level + 1]
        self._below, self._above = network.layers[level - 1], network.layers[level]

    def target(self, index: int) -> tuple[Node, _Target]:
        """A node above, as it is without the level."""
        node, above = self._targets[index], self._above
        first = sum(other.arity for other in self._targets[:index])
        rows = range(first, first + node.arity)
        scale, bias = float(above.node_scale[index]), float(above.node_bias[index])
        sources = np.flatnonzero(above.active[first])
        line = _Edge.of(above, first, int(sources[0])).line if len(sources) == 1 else None
        if node.is_mult or line is None:
            return node, _Target(tuple(self._row(row) for row in rows), scale, bias)
        # It hands one node on: it becomes that node, factors and all.
        middle = int(sources[0])
        inner = scale * float(above.subnode_scale[first])
        rest = scale * (above.subnode_scale[first] * line[1] + above.subnode_bias[first]) + bias
        factor = inner * line[0]
        taken = _Target(
            tuple(self._old_row(row) for row in self._rows_of(middle)),
            factor * float(self._below.node_scale[middle]),
            factor * float(self._below.node_bias[middle]) + float(rest),
        )
        return replace(node, arity=self._middle[middle].arity), taken

    def _rows_of(self, middle: int) -> range:
        first = sum(node.arity for node in self._middle[:middle])
        return range(first, first + self._middle[middle].arity)

    def _old_row(self, row: int) -> _Row:
        below = self._below
        edges = {
            int(source): _Edge.of(below, row, int(source))
            for source in np.flatnonzero(below.active[row])
        }
        return _Row(edges, float(below.subnode_scale[row]), float(below.subnode_bias[row]))

    def _row(self, row: int) -> _Row:
        edges: dict[int, _Edge] = {}
        constant = 0.0
        for middle in np.flatnonzero(self._above.active[row]).tolist():
            parts, rest = self._through(middle, _Edge.of(self._above, row, middle))
            constant += rest
            for source, part in parts.items():
                both = edges[source].plus(part) if source in edges else part
                if both is None:
                    raise self._refusal(middle, "carries a second path between two nodes")
                edges[source] = both
        scale = float(self._above.subnode_scale[row])
        return _Row(edges, scale, float(self._above.subnode_bias[row]) + scale * constant)

    def _through(self, middle: int, out: _Edge) -> tuple[dict[int, _Edge], float]:
        """What an edge from a node of the level gets from below, and a constant."""
        if self._middle[middle].is_mult:
            raise self._refusal(middle, "multiplies")
        (index,) = self._rows_of(middle)
        row, below = self._old_row(index), self._below
        factor = float(below.node_scale[middle]) * row.scale
        rest = float(below.node_scale[middle]) * row.bias + float(below.node_bias[middle])
        if len(row.edges) == 1:
            ((source, edge),) = row.edges.items()
            if edge.line is not None:
                slope, offset = edge.line
                through = out.after(factor * slope, factor * offset + rest)
                if through is None:
                    raise self._refusal(middle, "is read by a spline, scaled or shifted")
                return {source: through}, 0.0
        if out.line is None:
            raise self._refusal(middle, "computes what a function reads")
        slope, offset = out.line
        parts = {source: edge.times(slope * factor) for source, edge in row.edges.items()}
        return parts, slope * rest + offset

    def _refusal(self, middle: int, why: str) -> EditError:
        """Nodes are named as the Studio names them: 1.2 is the second of layer 1."""
        return EditError(f"layer {self._level} is needed: {self._level}.{middle + 1} {why}")


def _assembled(
    network: Network, level: int, nodes: tuple[Node, ...], targets: list[_Target], seed: int
) -> Layer:
    """The joined layer; where there is no edge, a fresh one is absent."""
    below = network.layers[level - 1]
    fresh = empty_layer(
        below.n_sources, nodes, grid=network.grid, degree=network.degree, seed=seed + level
    )
    rows = [row for target in targets for row in target.rows]
    arrays = {name: getattr(fresh, name).copy() for name in _EDGE_ARRAYS}
    names = [list(row) for row in fresh.functions]
    knots = below.knots.copy()
    read: dict[int, FloatArray] = {}
    for subnode, row in enumerate(rows):
        for source, edge in row.edges.items():
            names[subnode][source] = edge.function
            for name, array in arrays.items():
                array[subnode, source] = edge.values[name]
            if edge.spline:
                knots[source] = read.setdefault(source, edge.knots)
                if not np.array_equal(knots[source], edge.knots):
                    raise EditError(
                        f"without layer {level} splines on different grids would share one"
                    )
    return replace(
        fresh,
        knots=frozen(knots),
        functions=tuple(map(tuple, names)),
        subnode_scale=frozen([row.scale for row in rows]),
        subnode_bias=frozen([row.bias for row in rows]),
        node_scale=frozen([target.scale for target in targets]),
        node_bias=frozen([target.bias for target in targets]),
        **{name: frozen(array) for name, array in arrays.items()},
    )
