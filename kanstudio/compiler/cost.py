"""What a network costs: what strategies are compared by, and what people see of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from kanstudio.compiler.levels import LevelGraph
from kanstudio.network.network import Network

_PER_EDGE = 4  # a, b, c, d of the symbolic front


@dataclass(frozen=True, slots=True)
class Cost:
    """The size of a network.

    nodes: nodes above the inputs. edges: active edges, the identities that carry values
    included. depth: layers. parameters: numbers that training can change in the active
    fronts (four for a symbolic front; coefficients and two scales for a spline). checked: how
    the form that a compiler's search found was compared with what was typed; "" for a formula
    that is laid out as it was typed, and for any other network.
    """

    nodes: int
    edges: int
    depth: int
    parameters: int
    checked: str = field(default="", compare=False)


def cost_of(network: Network) -> Cost:
    """The cost of any network, trained or edited ones too."""
    parameters = 0
    for layer in network.layers:
        splines = int(layer.spline_active.sum()) * (layer.coef.shape[2] + 2)
        parameters += _PER_EDGE * int(layer.symbolic_active.sum()) + splines
    nodes = sum(len(level) for level in network.levels[1:])
    return Cost(nodes, network.n_edge, network.depth, parameters)


def cost_of_graph(graph: LevelGraph) -> Cost:
    """The cost of the network that a graph becomes."""
    nodes = sum(len(level) for level in graph.levels)
    edges = sum(
        len(subnode.connections)
        for level in graph.levels
        for node in level
        for subnode in node.subnodes
    )
    return Cost(nodes, edges, graph.height, _PER_EDGE * edges, graph.checked)
