"""On which level each vertex stands, so that few values have to be carried.

A value that is used above the next level is carried there by a chain of identity nodes,
which all its users share. The sum of the chains' lengths is convex in each level alone:
vertices move, one by one, to where it is least. (This is retiming with shared registers,
Leiserson and Saxe 1991, solved by descent instead of a linear program.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kanstudio.compiler.dag import Dag

_MANY = 24
_SWEEPS = 6


@dataclass(frozen=True, slots=True)
class Schedule:
    """levels[v] of each vertex (0 for inputs), the top level, and the number of carries."""

    levels: tuple[int, ...]
    height: int
    n_carries: int


def schedule(dag: Dag) -> Schedule:
    """Levels with few carries; outputs reach the top, sum nodes before mult nodes."""
    best: Schedule | None = None
    for n_top in _top_counts(dag):
        work = _Levels(dag, n_top)
        for late in (True, False):
            work.start(late)
            work.descend()
            found = Schedule(tuple(work.level), work.height, work.carries())
            if best is None or found.n_carries < best.n_carries:
                best = found
    assert best is not None
    return best


def _top_counts(dag: Dag) -> list[int]:
    """How many of the mult nodes at the end of the outputs may stand on the top level."""
    inner = {source for vertex in dag.vertices for source in vertex.sources}
    count = 0
    for output in reversed(dag.outputs):
        if not _is_mult(dag, output) or output in inner:
            break
        count += 1
    return [count, 0] if count and len(dag.outputs) > 1 else [count]


def _is_mult(dag: Dag, vertex: int) -> bool:
    return len(dag.vertices[vertex - dag.n_inputs].ports) > 1


class _Levels:
    def __init__(self, dag: Dag, n_top: int) -> None:
        self.n_inputs = dag.n_inputs
        n = dag.n_inputs + len(dag.vertices)
        self.sources: list[Sequence[int]] = [()] * dag.n_inputs
        self.sources += [vertex.sources for vertex in dag.vertices]
        self.users: list[list[int]] = [[] for _ in range(n)]
        for vertex in range(dag.n_inputs, n):
            for source in self.sources[vertex]:
                self.users[source].append(vertex)
        self.earliest = [0] * n
        for vertex in range(dag.n_inputs, n):
            below = max((self.earliest[s] for s in self.sources[vertex]), default=0)
            self.earliest[vertex] = below + 1
        self.height = max(self.earliest[output] for output in dag.outputs)
        self._order_outputs(dag, n_top)
        self.level: list[int] = []

    def _order_outputs(self, dag: Dag, n_top: int) -> None:
        """Sum nodes stand before mult nodes at the top, and what carries a value is a sum node.

        So the last outputs, which are mult nodes, stay at the top; others are carried there.
        """
        split = len(dag.outputs) - n_top
        self.pinned = set(dag.outputs[split:])
        early = [output for output in dag.outputs[:split] if _is_mult(dag, output)]
        self.height = max([self.height, *(self.earliest[output] + 1 for output in early)])
        self.latest_output = {output: self.height - (output in early) for output in dag.outputs}

    def start(self, late: bool) -> None:
        if not late:
            self.level = list(self.earliest)
            for output in self.pinned:
                self.level[output] = self.height
            return
        self.level = [0] * len(self.sources)
        for vertex in reversed(range(self.n_inputs, len(self.sources))):
            self.level[vertex] = self._highest(vertex)

    def _highest(self, vertex: int) -> int:
        top = self.latest_output.get(vertex, self.height)
        return min((self.level[user] - 1 for user in self.users[vertex]), default=top)

    def _last(self, vertex: int, without: int) -> int:
        """The highest level at which another user needs the vertex."""
        if vertex in self.latest_output:
            return self.height + 1
        return max((self.level[u] for u in self.users[vertex] if u != without), default=0)

    def descend(self) -> None:
        """Move one vertex after the other while that saves carries."""
        upwards = range(self.n_inputs, len(self.sources))
        for sweep in range(_SWEEPS):
            late = sweep % 2 == 0
            moved = False
            for vertex in reversed(upwards) if late else upwards:
                level = self._best(vertex, late)
                moved |= level != self.level[vertex]
                self.level[vertex] = level
            if not moved:
                break

    def _best(self, vertex: int, late: bool) -> int:
        """One level up saves a carry of the vertex and costs one of each source used last here."""
        if vertex in self.pinned:
            return self.height
        sources = self.sources[vertex]
        low = 1 + max((self.level[s] for s in sources), default=0)
        high = self._highest(vertex)
        if low == high or len(sources) > _MANY or any(len(self.users[s]) > _MANY for s in sources):
            return min(max(self.level[vertex], low), high)
        ends = sorted(max(self._last(s, vertex), self.level[s] + 1) for s in sources)
        turn = 1 if late else 0
        best = ends[turn] if len(ends) > turn else high
        return min(max(best, low), high)

    def carries(self) -> int:
        total = 0
        for vertex, users in enumerate(self.users):
            last = max((self.level[user] for user in users), default=0)
            if vertex in self.latest_output:
                last = self.height + 1
            total += max(0, last - 1 - self.level[vertex])
        return total
