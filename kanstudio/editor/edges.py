"""Edits of one edge or node: other numbers in a function, and removal."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

from kanstudio.editor.commands import edited
from kanstudio.editor.document import Document
from kanstudio.errors import EditError
from kanstudio.network.network import EdgeRef, Layer, Network
from kanstudio.network.prune import drop_node, means, remove_edges

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
    """Take an edge away; what it contributes on average goes into a bias.

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
        x = document.dataset.train_x
        return edited(document, lambda network: remove_edges(network, means(network, x, [at])))


@dataclass(frozen=True)
class RemoveNode:
    """Take a node of a hidden level away; what it contributes on average goes into biases.

    node: its id. name: the node as people call it.
    """

    node: int
    name: str = ""

    @property
    def label(self) -> str:
        return f"remove node {self.name or self.node}"

    def applied_to(self, document: Document) -> Document:
        x = document.dataset.train_x

        def without(network: Network) -> Network:
            at = network.find_node(self.node)
            if at is None:
                raise EditError(f"there is no node {self.node}")
            return drop_node(network, *at, x)

        return edited(document, without)


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


def _with_layer(network: Network, edge: EdgeRef, layer: Layer) -> Network:
    layers = list(network.layers)
    layers[edge.layer] = layer
    return network.with_layers(tuple(layers))
