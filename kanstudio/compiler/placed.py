"""From scheduled vertices to the level graph: carries become identity nodes."""

from __future__ import annotations

from kanstudio.compiler.dag import Dag, Member, Vertex
from kanstudio.compiler.levels import (
    Connection,
    LevelGraph,
    LevelNode,
    Subnode,
    check_size,
    identity,
    sums_first,
)
from kanstudio.compiler.schedule import Schedule


def placed(dag: Dag, plan: Schedule) -> LevelGraph:
    """The level graph of the vertices on their levels; outputs keep their order."""
    check_size(len(dag.vertices) + plan.n_carries)
    above = _last_uses(dag, plan)
    made_at: list[list[int]] = [[] for _ in range(plan.height + 1)]
    for vertex in range(dag.n_inputs, len(plan.levels)):
        made_at[plan.levels[vertex]].append(vertex)
    present = {vertex: vertex for vertex in range(dag.n_inputs)}  # vertex to position
    levels: list[tuple[LevelNode, ...]] = []
    for level in range(1, plan.height + 1):
        carried = [v for v in present if above[v] > level]
        top = level == plan.height
        order = list(dag.outputs) if top else carried + made_at[level]
        nodes = [
            identity(present[v]) if v in present else _node(dag.vertices[v - dag.n_inputs], present)
            for v in order
        ]
        levels.append(tuple(nodes))
        present = {vertex: position for position, vertex in enumerate(order)}
    return sums_first(LevelGraph(dag.n_inputs, tuple(levels)))


def _last_uses(dag: Dag, plan: Schedule) -> list[int]:
    last = [0] * len(plan.levels)
    for index, vertex in enumerate(dag.vertices, dag.n_inputs):
        for source in vertex.sources:
            last[source] = max(last[source], plan.levels[index])
    for output in dag.outputs:
        last[output] = plan.height + 1
    return last


def _node(vertex: Vertex, present: dict[int, int]) -> LevelNode:
    def connection(member: Member) -> Connection:
        affine = (member.a, member.b, member.c, 0.0)
        return Connection(present[member.source], member.function, affine)

    subnodes = tuple(
        Subnode(tuple(map(connection, port.members)), bias=port.bias) for port in vertex.ports
    )
    return LevelNode(subnodes, vertex.scale, vertex.bias)
