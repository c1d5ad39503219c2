"""Partial sums and products: several values that wait for a late one are joined at once.

``a + b + f(g(h(x)))`` would carry a and b up three levels each; their sum is carried once.
The same holds for the factors of a product, and for values that several users join in the
same way. Every step is kept only if it makes the whole network smaller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from kanstudio.compiler.dag import Dag, Member, Port, Vertex
from kanstudio.compiler.schedule import Schedule, schedule

WORK = 60_000
"""Vertices that may be scheduled again, over all trials, before the search ends."""


@dataclass(frozen=True, slots=True)
class Group:
    """Parts of vertex ``of`` that get a vertex of their own: members of a port, or ports."""

    of: int
    port: int | None
    parts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """Vertices and their levels; fewer edges are better, then fewer nodes, then levels."""

    dag: Dag
    schedule: Schedule

    @property
    def cost(self) -> tuple[int, int, int]:
        carries = self.schedule.n_carries
        return (
            self.dag.n_connections + carries,
            len(self.dag.vertices) + carries,
            self.schedule.height,
        )


def planned(dag: Dag) -> Plan:
    """The vertices on their levels, as they are."""
    return Plan(dag, schedule(dag))


def grouped(dag: Dag) -> Plan:
    """The best plan that joining parts early leads to."""
    best = planned(dag)
    work = WORK
    improved = True
    while improved and work > 0:
        improved = False
        for group in _candidates(best):
            work -= len(best.schedule.levels)
            trial = planned(_split(best.dag, group))
            if trial.cost < best.cost:
                best, improved = trial, True
                break
            if work <= 0:
                break
    return best


def _candidates(plan: Plan) -> Iterator[Group]:
    """Parts of one vertex that are there before the others."""
    dag, levels = plan.dag, plan.schedule.levels
    for index, vertex in enumerate(dag.vertices):
        of = dag.n_inputs + index
        whole = len(vertex.ports) == 1
        for number, port in enumerate(vertex.ports):
            ready = [levels[member.source] for member in port.members]
            for parts in _early(ready, levels[of] - 1, proper=whole):
                yield Group(of, number, parts)
        if not whole:
            ready = [max((levels[m.source] for m in p.members), default=0) for p in vertex.ports]
            for parts in _early(ready, levels[of] - 1, proper=True):
                yield Group(of, None, parts)


def _early(ready: list[int], needed: int, *, proper: bool) -> Iterator[tuple[int, ...]]:
    """Sets of at least two parts that are ready by some level below the one needed."""
    for limit in sorted({level for level in ready if level < needed}, reverse=True):
        parts = tuple(index for index, level in enumerate(ready) if level <= limit)
        if len(parts) >= 2 and not (proper and len(parts) == len(ready)):
            yield parts


def _split(dag: Dag, group: Group) -> Dag:
    """The same outputs with a vertex of their own for the parts of a group."""
    at = group.of - dag.n_inputs
    vertex = dag.vertices[at]
    made, rest = _parted(vertex, group)
    known = next((i for i, other in enumerate(dag.vertices[:at]) if other == made), None)
    # Two functions of one source in a port would be one edge: then made is made again.
    if known is not None and dag.n_inputs + known not in _sources(rest, group):
        joined = _with_source(rest, group, dag.n_inputs + known)
        return replace(dag, vertices=(*dag.vertices[:at], joined, *dag.vertices[at + 1 :]))

    # The new vertex takes the number of the one that it is a part of.
    def move(source: int) -> int:
        return source + (source >= group.of)

    joined = _with_source(rest, group, group.of)
    after = tuple(_moved(other, move) for other in dag.vertices[at + 1 :])
    outputs = tuple(move(output) for output in dag.outputs)
    return Dag(dag.n_inputs, (*dag.vertices[:at], made, joined, *after), outputs)


def _parted(vertex: Vertex, group: Group) -> tuple[Vertex, Vertex]:
    """The vertex of the parts, and what is left of the vertex that had them."""
    chosen = frozenset(group.parts)
    if group.port is None:
        made = Vertex(tuple(port for i, port in enumerate(vertex.ports) if i in chosen))
        left = tuple(port for i, port in enumerate(vertex.ports) if i not in chosen)
        return made, replace(vertex, ports=left)
    port = vertex.ports[group.port]
    made = Vertex((Port(tuple(m for i, m in enumerate(port.members) if i in chosen)),))
    rest = tuple(m for i, m in enumerate(port.members) if i not in chosen)
    ports = list(vertex.ports)
    ports[group.port] = replace(port, members=rest)
    return made, replace(vertex, ports=tuple(ports))


def _sources(vertex: Vertex, group: Group) -> set[int]:
    """The sources of the port that the parts were taken from."""
    return set() if group.port is None else {m.source for m in vertex.ports[group.port].members}


def _with_source(vertex: Vertex, group: Group, source: int) -> Vertex:
    if group.port is None:
        return replace(vertex, ports=(Port((Member(source),)), *vertex.ports))
    ports = list(vertex.ports)
    port = ports[group.port]
    ports[group.port] = replace(port, members=(Member(source), *port.members))
    return replace(vertex, ports=tuple(ports))


def _moved(vertex: Vertex, move: Callable[[int], int]) -> Vertex:
    return replace(
        vertex,
        ports=tuple(
            replace(port, members=tuple(replace(m, source=move(m.source)) for m in port.members))
            for port in vertex.ports
        ),
    )
