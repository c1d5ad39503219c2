"""Setting the function of edges to what they look like, and back to splines."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from kanstudio.errors import EditError
from kanstudio.network.edits import set_function
from kanstudio.network.network import ABSENT, EdgeRef, FloatArray, Layer, Network
from kanstudio.network.prune import remove_edges
from kanstudio.snapping.activations import check_edge
from kanstudio.snapping.suggest import (
    Affine,
    Library,
    Range,
    Suggestion,
    Taste,
    library,
    suggestions,
)

UNIT: Affine = (1.0, 0.0, 1.0, 0.0)


@dataclass(frozen=True)
class Snapped:
    """What `auto_symbolic` made of an edge; not fixed where the best r2 was too low.

    best: None where no function has a value at every sample.
    """

    edge: EdgeRef
    best: Suggestion | None
    fixed: bool

    def __str__(self) -> str:
        at = f"({self.edge.layer},{self.edge.source},{self.edge.subnode})"
        if self.best is None:
            return f"{at}: no function has a value at every sample"
        said = f"{self.best.name}, r2={self.best.r2:.6g}, c={self.best.complexity}"
        return f"{at}: fixed with {said}" if self.fixed else f"{at}: left as it is; best {said}"


def best_fit(
    network: Network,
    x: FloatArray,
    edge: EdgeRef,
    name: str,
    *,
    a_range: Range | None = None,
    b_range: Range | None = None,
) -> Suggestion:
    """The best a, b, c, d of one function for one edge on samples x (n, inputs).

    Raises EditError if the function has no value at some sample whatever a and b are.
    """
    (function,) = library([name]) or (None,)
    if function is None:
        raise EditError("the function 0 has no a, b, c and d: remove the edge")
    (found,) = suggestions(network, x, [edge], [name], a_range=a_range, b_range=b_range)
    if not found:
        raise EditError(
            f"{function.name} does not fit edge ({edge.layer}, {edge.source}, {edge.subnode}): "
            f"no a and b were found for which it has a value at every sample"
        )
    # Of a constant edge every function is the best with c = 0.
    return replace(found[0], name=function.name)


def fix_edge(network: Network, edge: EdgeRef, name: str, affine: Sequence[float] = UNIT) -> Network:
    """The edge as ``c * f(a * x + b) + d`` alone; its spline is kept for `unfix_edge`."""
    check_edge(network, edge)
    if len(affine) != 4 or not all(math.isfinite(number) for number in affine):
        raise EditError(f"a, b, c and d are four finite numbers, not {tuple(affine)!r}")
    network = set_function(network, edge, name, affine)
    layer, at = network.layers[edge.layer], (edge.subnode, edge.source)
    mask = float(layer.spline_mask[at])
    changes = {"spline_mask": 0.0, "symbolic_mask": 1.0}
    if mask != 0:
        # The mask goes into the factors, or the way back would not know it.
        changes["scale_base"] = mask * float(layer.scale_base[at])
        changes["scale_sp"] = mask * float(layer.scale_sp[at])
    return _with_layer(network, edge.layer, _with_values(layer, at, changes))


def unfix_edge(network: Network, edge: EdgeRef) -> Network:
    """The edge as the spline that it has, without a function."""
    check_edge(network, edge)
    network = set_function(network, edge, ABSENT)
    layer, at = network.layers[edge.layer], (edge.subnode, edge.source)
    if layer.spline_mask[at] != 0:
        return network
    return _with_layer(network, edge.layer, _with_values(layer, at, {"spline_mask": 1.0}))


def auto_symbolic(
    network: Network,
    x: FloatArray,
    lib: Library = None,
    *,
    a_range: Range | None = None,
    b_range: Range | None = None,
    taste: Taste | None = None,
    r2_threshold: float = 0.0,
) -> tuple[Network, tuple[Snapped, ...]]:
    """Every edge with a spline as the function that it looks like best, all at once.

    An edge that is constant on the samples x (n, inputs) is removed, its value becomes part
    of a bias. Edges whose best r2 is below r2_threshold stay splines. Errors as in
    `suggestions`.
    """
    edges = [
        EdgeRef(index, int(source), int(subnode))
        for index, layer in enumerate(network.layers)
        for subnode, source in np.argwhere(layer.spline_active)
    ]
    found = suggestions(network, x, edges, lib, a_range=a_range, b_range=b_range, taste=taste)
    constants: dict[EdgeRef, float] = {}
    report = []
    for edge, rows in zip(edges, found, strict=True):
        best = rows[0] if rows else None
        fixed = best is not None and best.r2 >= r2_threshold
        report.append(Snapped(edge, best, fixed))
        if best is None or not fixed:
            continue
        if best.name == ABSENT:
            constants[edge] = best.affine[3]
        else:
            network = fix_edge(network, edge, best.name, best.affine)
    return remove_edges(network, constants), tuple(report)


def _with_values(layer: Layer, at: tuple[int, int], changes: dict[str, float]) -> Layer:
    arrays = dict(layer.arrays())
    changed = {}
    for name, value in changes.items():
        changed[name] = arrays[name].copy()
        changed[name][at] = value
    return layer.with_arrays(**changed)


def _with_layer(network: Network, index: int, layer: Layer) -> Network:
    layers = (*network.layers[:index], layer, *network.layers[index + 1 :])
    return network.with_layers(layers)
