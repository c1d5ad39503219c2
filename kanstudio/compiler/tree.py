"""The layout that pykan's compiler has: one tree per output, nothing shared but inputs.

The root stands on top. A node's children stand one level below, however shallow they
are, and inputs climb to where they are used by identities of their own.
"""

from __future__ import annotations

from kanstudio.compiler.levels import (
    Connection,
    Level,
    LevelGraph,
    LevelNode,
    Subnode,
    check_size,
)
from kanstudio.compiler.normal import Affine, Core, Product, Variable, edge, port_terms


def tree(root: Affine, n_inputs: int) -> LevelGraph:
    """The tree of one output."""
    if root.core is None:
        return LevelGraph(n_inputs, ((LevelNode((Subnode(()),), bias=root.bias),),))
    height = max(root.core.height, 1)
    graph = LevelGraph(n_inputs, _grow(root, height))
    if _has_conflict(graph):
        # Two functions of one input in one sum need two paths: each gets its own node
        # once a level lies between, and then no sum stands directly on the inputs.
        graph = LevelGraph(n_inputs, _grow(root, height + 1))
    return graph


def _grow(root: Affine, height: int) -> tuple[Level, ...]:
    """The levels of a tree of the given height, from the top down."""
    levels: list[Level] = []
    level, n_nodes = [root], 0
    for below in reversed(range(height)):
        children: list[Affine] = []
        nodes: list[LevelNode] = []
        for value in level:
            nodes.append(_node(value, children, on_inputs=below == 0))
            check_size(n_nodes + len(nodes) + len(children) * (below > 0))
        n_nodes += len(nodes)
        levels.append(tuple(nodes))
        level = children
    return tuple(reversed(levels))


def _node(value: Affine, children: list[Affine], *, on_inputs: bool) -> LevelNode:
    """The node of a value; what it stands on is added to the children."""

    def subnode(core: Core, scale: float = 1.0, bias: float = 0.0) -> Subnode:
        connections = []
        for coefficient, term in port_terms(core):
            link = edge(term)
            source = len(children)
            if on_inputs:
                assert isinstance(link.child.core, Variable), "only inputs stand below level 1"
                source = link.child.core.index
            else:
                children.append(link.child)
            affine = (link.a, link.b, coefficient, 0.0)
            connections.append(Connection(source, link.function, affine))
        return Subnode(tuple(connections), scale, bias)

    core = value.core
    assert core is not None, "constants are folded into what contains them"
    if isinstance(core, Product):
        subnodes = tuple(
            subnode(factor.core, factor.scale, factor.bias)
            for factor in core.factors
            if factor.core is not None
        )
    else:
        subnodes = (subnode(core),)
    return LevelNode(subnodes, value.scale, value.bias)


def _has_conflict(graph: LevelGraph) -> bool:
    """Would two connections between the same two nodes be one edge?"""
    for node in graph.levels[0]:
        for subnode in node.subnodes:
            sources = [connection.source for connection in subnode.connections]
            if len(set(sources)) < len(sources):
                return True
    return False
