"""Edits of one edge: other numbers in its function, and its removal."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

from kanstudio.editor.commands import edited
from kanstudio.editor.document import Document
from kanstudio.errors import EditError
from kanstudio.network.network import EdgeRef, Layer, Network

AFFINE = "abcd"


@dataclass(frozen=True)
class SetAffine:
    """Give an edge's symbolic front c*f(a*x + b) + d another number.

    edge: `Network.edge_id`. letter: a, b, c or d. name: the edge as people call it.
    """

    edge: str
    letter: str
    value: float
    name: str = ""

    @property
    def label(self) -> str:
        return f"set {self.letter} = {self.value:.4g} on {self.name or self.edge}"

    def applied_to(self, document: Document) -> Document:
        at = found(document.network, self.edge)
        if self.letter not in AFFINE or not math.isfinite(self.value):
            raise EditError(f"a, b, c and d are finite numbers, not {self.letter} = {self.value}")
        if not document.network.layers[at.layer].symbolic_active[at.subnode, at.source]:
            raise EditError("this edge has no symbolic function: its numbers do not count")
        return edited(document, partial(with_affine, edge=at, letter=self.letter, value=self.value))


@dataclass(frozen=True)
class RemoveEdge:
    """Switch off both fronts of an edge: from then on it is 0.

    edge: `Network.edge_id`. name: the edge as people call it.
    """

    edge: str
    name: str = ""

    @property
    def label(self) -> str:
        return f"remove {self.name or self.edge}"

    def applied_to(self, document: Document) -> Document:
        at = found(document.network, self.edge)
        if not document.network.layers[at.layer].active[at.subnode, at.source]:
            raise EditError("this edge is off already")
        return edited(document, partial(without_edge, edge=at))


def found(network: Network, edge_id: str) -> EdgeRef:
    """Where the edge of this id is. Raises EditError if there is none."""
    edge = network.find_edge(edge_id)
    if edge is None:
        raise EditError(f"there is no edge {edge_id}")
    return edge


def with_affine(network: Network, edge: EdgeRef, letter: str, value: float) -> Network:
    """The network with another a, b, c or d on one edge."""
    affine = network.layers[edge.layer].affine.copy()
    affine[edge.subnode, edge.source, AFFINE.index(letter)] = value
    return _with_layer(network, edge, network.layers[edge.layer].with_arrays(affine=affine))


def without_edge(network: Network, edge: EdgeRef) -> Network:
    """The network with both fronts of one edge off."""
    layer = network.layers[edge.layer]
    masks = {}
    for name in ("symbolic_mask", "spline_mask"):
        masks[name] = getattr(layer, name).copy()
        masks[name][edge.subnode, edge.source] = 0.0
    return _with_layer(network, edge, layer.with_arrays(**masks))


def _with_layer(network: Network, edge: EdgeRef, layer: Layer) -> Network:
    layers = list(network.layers)
    layers[edge.layer] = layer
    return network.with_layers(tuple(layers))
