"""The smallest layouts that are found: everything once, carried only as far as needed."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from kanstudio.compiler.compact import compacted
from kanstudio.compiler.cost import cost_of_graph
from kanstudio.compiler.interned import Interner
from kanstudio.compiler.levels import LevelGraph, beside
from kanstudio.compiler.normal import Affine
from kanstudio.compiler.order import untangled
from kanstudio.compiler.placed import placed
from kanstudio.compiler.search import Task, related, smaller
from kanstudio.compiler.tree import tree
from kanstudio.errors import CompileError


def trees(roots: Sequence[Affine], n_inputs: int) -> LevelGraph:
    """One tree per output, side by side."""
    return beside([tree(root, n_inputs) for root in roots])


def shared(roots: Sequence[Affine], task: Task) -> LevelGraph:
    """All outputs in one graph, common subexpressions once; no larger than the trees."""
    return untangled(_best(_candidates(roots, task)))


def compact(roots: Sequence[Affine], task: Task) -> LevelGraph:
    """As `shared`, with functions of one value on one edge wherever that makes it smaller."""
    graphs = _candidates(roots, task)
    graphs += _searched(compacted(related(Interner().roots(roots))), task)
    return untangled(_best(graphs))


def _candidates(roots: Sequence[Affine], task: Task) -> list[LevelGraph]:
    graphs = _searched(Interner().roots(roots), task)
    # Trees of what is used several times may be too large: they are no candidates then.
    with suppress(CompileError):
        graphs.append(trees(roots, task.n_inputs))
    return graphs


def _searched(roots: Sequence[Affine], task: Task) -> list[LevelGraph]:
    """The layout of the expressions as they are, and the smallest that passes the check."""
    as_written, *found = smaller(roots, task)
    graphs = [placed(as_written.dag, as_written.schedule)]
    for plan in reversed(found):
        rewritten = task.check(placed(plan.dag, plan.schedule))
        if rewritten is not None:
            return [*graphs, rewritten]
    return graphs


def _best(graphs: Sequence[LevelGraph]) -> LevelGraph:
    """The one with the fewest edges, then nodes, then levels."""

    def order(graph: LevelGraph) -> tuple[int, int, int]:
        cost = cost_of_graph(graph)
        return cost.edges, cost.nodes, cost.depth

    return min(graphs, key=order)
