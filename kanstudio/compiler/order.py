"""The order of the nodes in each level, such that few edges cross.

Barycentre sweeps (Sugiyama, Tagawa and Toda 1981): up and down, each node goes to the mean
place of its neighbours; the order with the fewest crossings stays. Inputs and outputs keep
their places, and sum nodes stay before mult nodes.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Sequence
from dataclasses import replace

from kanstudio.compiler.levels import LevelGraph, LevelNode, moved

_SWEEPS = 4
_MOST_EDGES = 20_000
"""Counting the crossings of larger layers would take longer than all else."""

Order = list[int]


def untangled(graph: LevelGraph) -> LevelGraph:
    """The same network with its nodes in an order that crosses few edges."""
    sources = [[_sources(node) for node in level] for level in graph.levels]
    if graph.height < 2 or sum(len(s) for level in sources for s in level) > _MOST_EDGES:
        return graph
    orders: list[Order] = [list(range(len(level))) for level in graph.levels]
    best, fewest = orders, crossings(graph, orders)
    for sweep in range(_SWEEPS):
        if fewest == 0:
            break
        orders = _upwards(graph, orders) if sweep % 2 == 0 else _downwards(graph, orders)
        number = crossings(graph, orders)
        if number < fewest:
            best, fewest = orders, number
    return _arranged(graph, best)


def crossings(graph: LevelGraph, orders: Sequence[Order] | None = None) -> int:
    """Pairs of edges between the same two levels that cross, subnodes side by side."""
    total = 0
    place = list(range(graph.n_inputs))
    for index, level in enumerate(graph.levels):
        order = range(len(level)) if orders is None else orders[index]
        seen: list[int] = []
        for node in order:
            for subnode in level[node].subnodes:
                ends = sorted(place[connection.source] for connection in subnode.connections)
                total += sum(len(seen) - bisect_right(seen, end) for end in ends)
                for end in ends:
                    insort(seen, end)
        place = _places(order)
    return total


def _sources(node: LevelNode) -> list[int]:
    return [c.source for subnode in node.subnodes for c in subnode.connections]


def _places(order: Sequence[int]) -> list[int]:
    places = [0] * len(order)
    for place, node in enumerate(order):
        places[node] = place
    return places


def _upwards(graph: LevelGraph, orders: Sequence[Order]) -> list[Order]:
    """Each level below the outputs in the order of what its nodes stand on."""
    result: list[Order] = []
    place = list(range(graph.n_inputs))
    for index, level in enumerate(graph.levels):
        keys = [[place[source] for source in _sources(node)] for node in level]
        last = index == graph.height - 1
        result.append(list(orders[index]) if last else _sorted(level, orders[index], keys))
        place = _places(result[-1])
    return result


def _downwards(graph: LevelGraph, orders: Sequence[Order]) -> list[Order]:
    """Each level below the outputs in the order of where its values are used."""
    result = [list(order) for order in orders]
    for index in reversed(range(graph.height - 1)):
        keys: list[list[int]] = [[] for _ in graph.levels[index]]
        subnode_place = 0
        for node in result[index + 1]:
            for subnode in graph.levels[index + 1][node].subnodes:
                for connection in subnode.connections:
                    keys[connection.source].append(subnode_place)
                subnode_place += 1
        result[index] = _sorted(graph.levels[index], result[index], keys)
    return result


def _sorted(level: Sequence[LevelNode], order: Order, keys: Sequence[Sequence[int]]) -> Order:
    def key(node: int) -> tuple[bool, float]:
        middle = sum(keys[node]) / len(keys[node]) if keys[node] else 0.0
        return len(level[node].subnodes) > 1, middle

    return sorted(order, key=key)


def _arranged(graph: LevelGraph, orders: Sequence[Order]) -> LevelGraph:
    levels = []
    place = list(range(graph.n_inputs))
    for level, order in zip(graph.levels, orders, strict=True):
        levels.append(tuple(moved(level[node], place.__getitem__) for node in order))
        place = _places(order)
    return replace(graph, levels=tuple(levels))
