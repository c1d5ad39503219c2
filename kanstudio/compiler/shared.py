"""The smallest layout that is found: everything once, carried only as far as needed."""

from __future__ import annotations

from collections.abc import Sequence

from kanstudio.compiler.cost import Cost, cost_of_graph
from kanstudio.compiler.dag import build
from kanstudio.compiler.grouping import Plan, grouped
from kanstudio.compiler.interned import Interner
from kanstudio.compiler.levels import LevelGraph, beside
from kanstudio.compiler.normal import Affine
from kanstudio.compiler.placed import placed
from kanstudio.compiler.tree import tree
from kanstudio.errors import CompileError


def plan_of(roots: Sequence[Affine], n_inputs: int) -> Plan:
    """Vertices and levels of interned expressions."""
    return grouped(build(roots, n_inputs))


def shared(roots: Sequence[Affine], n_inputs: int) -> LevelGraph:
    """All outputs in one graph, common subexpressions once; no larger than the trees."""
    plan = plan_of(Interner().roots(roots), n_inputs)
    graph = placed(plan.dag, plan.schedule)
    try:
        trees = beside([tree(root, n_inputs) for root in roots])
    except CompileError:
        return graph  # Trees of what is used several times may be too large.
    return min(graph, trees, key=lambda found: _order(cost_of_graph(found)))


def _order(cost: Cost) -> tuple[int, int, int]:
    return cost.edges, cost.nodes, cost.depth
