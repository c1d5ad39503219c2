"""The values that nodes hold, before it is decided on which levels they stand.

A vertex is an input or a node. Sources are vertices, not positions. What a function of one
value needs is an edge; only sums, products, functions of functions, and two functions of
one value that meet in one sum need a vertex.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from kanstudio.compiler.interned import operands, postorder
from kanstudio.compiler.normal import IDENTITY, Affine, Apply, Core, Product, Sum, Variable


@dataclass(frozen=True, slots=True)
class Member:
    """``c * function(a * source + b)``; source is a vertex."""

    source: int
    function: str = IDENTITY
    a: float = 1.0
    b: float = 0.0
    c: float = 1.0


@dataclass(frozen=True, slots=True)
class Port:
    """The sum of the members, plus bias."""

    members: tuple[Member, ...]
    bias: float = 0.0


@dataclass(frozen=True, slots=True)
class Vertex:
    """``scale * (product of the ports) + bias``."""

    ports: tuple[Port, ...]
    scale: float = 1.0
    bias: float = 0.0

    @property
    def sources(self) -> list[int]:
        """The vertices that this one stands on, each once."""
        return list(dict.fromkeys(m.source for port in self.ports for m in port.members))


@dataclass(frozen=True, slots=True)
class Dag:
    """Vertex i for i < n_inputs is an input; vertices[i - n_inputs] are the nodes.

    Sources have smaller numbers. outputs: each a vertex of its own, on which others may stand.
    """

    n_inputs: int
    vertices: tuple[Vertex, ...]
    outputs: tuple[int, ...]

    @property
    def n_connections(self) -> int:
        return sum(len(port.members) for vertex in self.vertices for port in vertex.ports)


def build(roots: Sequence[Affine], n_inputs: int) -> Dag:
    """The vertices of interned expressions."""
    return _Builder(roots, n_inputs).dag()


class _Builder:
    def __init__(self, roots: Sequence[Affine], n_inputs: int) -> None:
        self.roots = roots
        self.n_inputs = n_inputs
        self.vertices: list[Vertex] = []
        self.vertex_of: dict[int, int] = {}
        self.function_of: dict[Member, int] = {}
        self.cores = list(postorder(roots))
        self.needed = self._needed()

    def _needed(self) -> set[int]:
        """Ids of the cores that are vertices: all others are edges or parts of a port."""
        n_ports: dict[int, int] = {}
        needed: set[int] = set()
        for core in self.cores:
            inner = operands(core)
            if isinstance(core, Product):
                for below in inner:
                    if isinstance(below, Sum):
                        n_ports[id(below)] = n_ports.get(id(below), 0) + 1
                    elif not isinstance(below, Apply):
                        needed.add(id(below))
            elif isinstance(core, Apply):
                needed.update(map(id, inner))
            else:
                needed.update(id(below) for below in inner if not isinstance(below, Apply))
        # A sum that is a factor of several products: once, unless it is short.
        by_id = {id(core): core for core in self.cores}
        for key, count in n_ports.items():
            core = by_id[key]
            assert isinstance(core, Sum)
            if len(core.terms) + count < count * len(core.terms):
                needed.add(key)
        return needed

    def dag(self) -> Dag:
        inner = set(self.needed)
        for core in self.cores:
            if isinstance(core, Variable):
                self.vertex_of[id(core)] = core.index
            elif id(core) in inner:
                self.vertex_of[id(core)] = self._place(self._vertex(core))
        outputs = tuple(self._place(self._output(root)) for root in self.roots)
        return Dag(self.n_inputs, tuple(self.vertices), outputs)

    def _place(self, vertex: Vertex) -> int:
        self.vertices.append(vertex)
        return self.n_inputs + len(self.vertices) - 1

    def _output(self, root: Affine) -> Vertex:
        core = root.core
        if core is None:
            return Vertex((Port(()),), bias=root.bias)
        if id(core) in self.vertex_of:
            return Vertex((self._port([Member(self.vertex_of[id(core)])]),), root.scale, root.bias)
        return replace(self._vertex(core), scale=root.scale, bias=root.bias)

    def _vertex(self, core: Core) -> Vertex:
        if isinstance(core, Product):
            return Vertex(tuple(self._factor(factor) for factor in core.factors))
        return Vertex((self._port(self._members(core, 1.0)),))

    def _factor(self, factor: Affine) -> Port:
        assert factor.core is not None
        return self._port(self._members(factor.core, factor.scale), factor.bias)

    def _members(self, core: Core, scale: float) -> list[Member]:
        """The edges that carry ``scale * core`` into a subnode."""
        if id(core) in self.vertex_of and not isinstance(core, Apply):
            return [Member(self.vertex_of[id(core)], c=scale)]
        if isinstance(core, Sum):
            return [m for weight, term in core.terms for m in self._members(term, scale * weight)]
        assert isinstance(core, Apply), "products and variables are vertices"
        inner = core.argument
        return [
            Member(self.vertex_of[id(inner.core)], core.function, inner.scale, inner.bias, scale)
        ]

    def _port(self, members: list[Member], bias: float = 0.0) -> Port:
        """One edge per source: other functions of the same source get vertices."""
        by_source: dict[int, list[Member]] = {}
        for member in members:
            by_source.setdefault(member.source, []).append(member)
        kept: list[Member] = []
        for group in by_source.values():
            # Whichever stays is as good as any other, but an identity needs no vertex.
            group.sort(key=lambda member: member.function != IDENTITY)
            kept.append(group[0])
            kept.extend(Member(self._of(member), c=member.c) for member in group[1:])
        return Port(tuple(kept), bias)

    def _of(self, member: Member) -> int:
        """The vertex with the value of ``function(a * source + b)``."""
        bare = replace(member, c=1.0)
        if bare not in self.function_of:
            self.function_of[bare] = self._place(Vertex((Port((bare,)),)))
        return self.function_of[bare]
