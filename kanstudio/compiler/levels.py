"""The level graph: a network without numbers for what is absent.

An immutable value between the normal form and the network. Each function here takes
graphs and gives a graph; lowering turns the last one into arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from kanstudio.compiler.normal import IDENTITY
from kanstudio.errors import CompileError

MAX_NODES = 20_000
MAX_EDGE_SLOTS = 250_000


@dataclass(frozen=True, slots=True)
class Connection:
    """``c * function(a * x + b) + d`` of a node of the level below."""

    source: int
    function: str = IDENTITY
    affine: tuple[float, float, float, float] = (1.0, 0.0, 1.0, 0.0)


@dataclass(frozen=True, slots=True)
class Subnode:
    """``scale * (sum of the connections) + bias``."""

    connections: tuple[Connection, ...]
    scale: float = 1.0
    bias: float = 0.0


@dataclass(frozen=True, slots=True)
class LevelNode:
    """``scale * (product of the subnodes) + bias``; a sum node has one subnode."""

    subnodes: tuple[Subnode, ...]
    scale: float = 1.0
    bias: float = 0.0


Level = tuple[LevelNode, ...]


@dataclass(frozen=True, slots=True)
class LevelGraph:
    """levels[0] stands on the inputs; sources are positions in the level below.

    checked: how a form that a search has found was compared with what was typed; "" if it
    is laid out as it was typed.
    """

    n_inputs: int
    levels: tuple[Level, ...]
    checked: str = ""

    @property
    def height(self) -> int:
        return len(self.levels)


def identity(source: int) -> LevelNode:
    """A node that carries a value one level up, bit for bit."""
    return LevelNode((Subnode((Connection(source),)),))


def raised(graph: LevelGraph, height: int) -> LevelGraph:
    """The same outputs at a higher level, carried there by identities."""
    carry = tuple(identity(source) for source in range(len(graph.levels[-1])))
    return replace(graph, levels=graph.levels + (carry,) * (height - graph.height))


def beside(graphs: Sequence[LevelGraph]) -> LevelGraph:
    """Graphs side by side on the same inputs; outputs in the order of the graphs.

    Sum nodes come before mult nodes in each level. Where that would change the order of
    the outputs, one more level of identities makes all of them sum nodes.
    """
    height = max(graph.height for graph in graphs)
    tops = [len(graph.levels[-1][0].subnodes) > 1 and graph.height == height for graph in graphs]
    if tops != sorted(tops):
        height += 1
    lifted = [raised(graph, height) for graph in graphs]
    check_size(sum(len(level) for graph in lifted for level in graph.levels))
    levels: list[Level] = []
    offsets = [0] * len(lifted)
    for parts in zip(*(graph.levels for graph in lifted), strict=True):
        levels.append(
            tuple(
                moved(node, offset.__add__)
                for part, offset in zip(parts, offsets, strict=True)
                for node in part
            )
        )
        offsets = list(accumulate((len(part) for part in parts[:-1]), initial=0))
    return sums_first(replace(lifted[0], levels=tuple(levels)))


def moved(node: LevelNode, position: Callable[[int], int]) -> LevelNode:
    """The node after each source i of the level below went to position(i)."""
    subnodes = tuple(
        replace(
            subnode,
            connections=tuple(
                replace(connection, source=position(connection.source))
                for connection in subnode.connections
            ),
        )
        for subnode in node.subnodes
    )
    return replace(node, subnodes=subnodes)


def sums_first(graph: LevelGraph) -> LevelGraph:
    """Sum nodes before mult nodes in each level, otherwise in the same order."""
    levels: list[Level] = []
    position = list(range(graph.n_inputs))
    for level in graph.levels:
        placed = [moved(node, position.__getitem__) for node in level]
        order = sorted(range(len(level)), key=lambda index: len(level[index].subnodes) > 1)
        levels.append(tuple(placed[index] for index in order))
        position = sorted(range(len(order)), key=order.__getitem__)
    return replace(graph, levels=tuple(levels))


def check_size(n_nodes: int) -> None:
    """Raise CompileError if a network would have too many nodes."""
    if n_nodes > MAX_NODES:
        raise CompileError(
            f"the network of this formula has more than {MAX_NODES:,} nodes: "
            "write it shorter, or in several outputs"
        )
