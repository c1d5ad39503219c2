"""Growing smaller: edges become functions, and what hardly matters goes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from kanstudio.editor.commands import edited
from kanstudio.editor.document import Document
from kanstudio.editor.edges import found
from kanstudio.errors import EditError
from kanstudio.network.network import ABSENT, FloatArray, Network
from kanstudio.network.prune import EDGE_THRESHOLD, NODE_THRESHOLD, prune, remove_edges
from kanstudio.snapping.snap import fix_edge, unfix_edge

MEASURED_SAMPLES = 1_000
"""So many training samples say what matters."""


@dataclass(frozen=True)
class Fix:
    """An edge (`Network.edge_id`) as ``c * f(a * x + b) + d``; f "0" is the constant d."""

    edge: str
    function: str
    affine: tuple[float, float, float, float]


@dataclass(frozen=True)
class FixEdges:
    """Make edges what they look like; what: the edges and functions in words."""

    fixes: tuple[Fix, ...]
    what: str = ""

    @property
    def label(self) -> str:
        return f"fix {self.what or f'{len(self.fixes)} edges'}"

    def applied_to(self, document: Document) -> Document:
        if not self.fixes:
            raise EditError("there is no edge to fix")
        network, constants = document.network, {}
        for fix in self.fixes:
            at = found(network, fix.edge)
            if fix.function == ABSENT:
                constants[at] = fix.affine[3]
            else:
                network = fix_edge(network, at, fix.function, fix.affine)
        return settled(document, remove_edges(network, constants))


@dataclass(frozen=True)
class UnfixEdge:
    """Give an edge (`Network.edge_id`) its spline back, in place of its function.

    name: the edge as people call it.
    """

    edge: str
    name: str = ""

    @property
    def label(self) -> str:
        return f"spline on {self.name or self.edge}"

    def applied_to(self, document: Document) -> Document:
        at = found(document.network, self.edge)
        if not document.network.layers[at.layer].symbolic_active[at.subnode, at.source]:
            raise EditError("this edge has no function: it is a spline or off")
        return edited(document, lambda network: unfix_edge(network, at))


@dataclass(frozen=True)
class Prune:
    """Take away the hidden nodes, then the edges, whose attribution is at most a threshold.

    What they contribute on average goes into biases. what: what goes, in words.
    """

    node_threshold: float = NODE_THRESHOLD
    edge_threshold: float = EDGE_THRESHOLD
    what: str = ""

    @property
    def label(self) -> str:
        return f"prune · {self.what}" if self.what else "prune"

    def applied_to(self, document: Document) -> Document:
        network = pruned(document, document.network, self.node_threshold, self.edge_threshold)
        if n_edges(network) == n_edges(document.network):
            raise EditError("nothing to prune: everything matters more than these thresholds")
        return settled(document, network)


def pruned(document: Document, network: Network, node: float, edge: float) -> Network:
    """The network without what matters at most so much on the document's samples."""
    return prune(network, samples(document), node, edge)


def samples(document: Document) -> FloatArray:
    """The samples (n, inputs) that say what matters and what edges look like."""
    x: FloatArray = document.dataset.train_x[:MEASURED_SAMPLES]
    return x


def n_edges(network: Network) -> int:
    return sum(int(layer.active.sum()) for layer in network.layers)


def edge_ids(network: Network) -> Iterable[str]:
    """The ids of all active edges."""
    for index, layer in enumerate(network.layers):
        below = [node.node_id for node in network.levels[index]]
        above = [f"{node.node_id}.{port}" for node, port in network.subnode_owner(index + 1)]
        for subnode, source in np.argwhere(layer.active).tolist():
            yield f"{below[source]}-{above[subnode]}"


def settled(document: Document, network: Network) -> Document:
    """The document with a simpler network.

    After a training with the same nodes, the perturbation can still be switched off. Else
    there is no way back but Undo: another perturbation would start from the network before,
    and lose what was done here, or that network has other nodes.
    """
    if document.trained and network.levels == document.network.levels:
        return replace(document, network=network)
    now = replace(document.perturbation, mode="off")
    return replace(document, network=network, unperturbed=None, perturbation=now, trained=0)
