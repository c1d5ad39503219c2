"""Taking edges, nodes and inputs away; what they contributed on average goes into a bias."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from kanstudio.errors import EditError
from kanstudio.network import checks
from kanstudio.network.forward import BoolArray
from kanstudio.network.measure import Measurement, measure
from kanstudio.network.network import ABSENT, EdgeRef, FloatArray, Layer, Network

NODE_THRESHOLD = 1e-2
EDGE_THRESHOLD = 3e-2


def prune(
    network: Network,
    x: FloatArray,
    node_th: float = NODE_THRESHOLD,
    edge_th: float = EDGE_THRESHOLD,
) -> Network:
    """`prune_node`, then `prune_edge` on what is left, measured afresh on x (n, inputs).

    Nodes that are left without an edge, or with constants alone, go at last.
    """
    return prune_node(prune_edge(prune_node(network, x, node_th), x, edge_th), x, 0.0)


def prune_edge(network: Network, x: FloatArray, threshold: float = EDGE_THRESHOLD) -> Network:
    """Without the edges whose attribution on x (n, inputs) is at most the threshold."""
    limit, found = _threshold(threshold), measure(network, x)
    chosen = [
        layer.active & ~(facts.backward > limit)
        for layer, facts in zip(network.layers, found.layers, strict=True)
    ]
    return _without_edges(network, chosen, found)


def prune_node(
    network: Network,
    x: FloatArray,
    threshold: float = NODE_THRESHOLD,
    active: Sequence[Sequence[int]] | None = None,
) -> Network:
    """Without the hidden nodes whose attribution on x (n, inputs) is at most the threshold.

    Every level keeps the node with the highest attribution, whatever the threshold says.
    active: per hidden level the nodes to keep, in place of the threshold.
    """
    limit, found = _threshold(threshold), measure(network, x)
    keep = [np.ones(len(level), dtype=bool) for level in network.levels]
    hidden = range(1, network.depth)
    if active is not None and len(active) != len(hidden):
        raise EditError(f"there are {len(hidden)} hidden levels, not {len(active)}")
    for level in hidden:
        if active is not None:
            keep[level] = _chosen(active[level - 1], len(network.levels[level]), f"level {level}")
        else:
            scores = found.node_scores[level]
            keep[level] = scores > limit
            keep[level][int(np.argmax(scores))] = True
    return _without_nodes(network, keep, found)


def prune_input(
    network: Network,
    x: FloatArray,
    threshold: float = NODE_THRESHOLD,
    active: Sequence[int] | None = None,
) -> tuple[Network, tuple[int, ...]]:
    """Without the inputs whose attribution on x (n, inputs) is at most the threshold.

    Also gives which columns of x the network still takes, in order. The input with the
    highest attribution stays. active: the inputs to keep, in place of the threshold.
    """
    limit, found = _threshold(threshold), measure(network, x)
    scores = found.node_scores[0]
    if active is None:
        kept = scores > limit
        kept[int(np.argmax(scores))] = True
    else:
        kept = _chosen(active, len(scores), "the inputs")
    keep = [kept, *(np.ones(len(level), dtype=bool) for level in network.levels[1:])]
    return _without_nodes(network, keep, found), tuple(np.flatnonzero(kept).tolist())


def drop_node(network: Network, level: int, index: int, x: FloatArray) -> Network:
    """Without one node of a hidden level, and the edges to and from it."""
    if not 1 <= level < network.depth:
        raise EditError(f"only nodes of hidden levels can go, and level {level} is none")
    nodes = len(network.levels[level])
    if not 0 <= index < nodes:
        raise EditError(f"level {level} has nodes 0 to {nodes - 1}, not {index}")
    if nodes == 1:
        raise EditError(f"level {level} has only this node: a level needs one")
    keep = [np.ones(len(nodes), dtype=bool) for nodes in network.levels]
    keep[level][index] = False
    return _without_nodes(network, keep, measure(network, x))


def remove_edges(network: Network, constants: Mapping[EdgeRef, float]) -> Network:
    """Without these edges; each leaves the constant given for it in its subnode's bias."""
    layers = list(network.layers)
    for index, layer in enumerate(network.layers):
        gone = np.zeros_like(layer.active)
        values = np.zeros(gone.shape)
        for edge, value in constants.items():
            if edge.layer == index:
                gone[edge.subnode, edge.source] = True
                values[edge.subnode, edge.source] = value
        if gone.any():
            layers[index] = _without(layer, gone, values)
    return network.with_layers(tuple(layers))


def edges_of_node(network: Network, level: int, index: int, mode: str = "all") -> list[EdgeRef]:
    """The edges into a node (mode "down"), from it ("up"), or "all"."""
    if mode not in {"all", "up", "down"}:
        raise EditError(f'mode is "all", "up" or "down", not {mode!r}')
    if not (0 <= level <= network.depth and 0 <= index < len(network.levels[level])):
        raise EditError(f"there is no node {index} in level {level}")
    found = []
    if mode != "up" and level > 0:
        arities = [node.arity for node in network.levels[level]]
        first = sum(arities[:index])
        for subnode in range(first, first + arities[index]):
            sources = range(network.layers[level - 1].n_sources)
            found += [EdgeRef(level - 1, source, subnode) for source in sources]
    if mode != "down" and level < network.depth:
        subnodes = range(network.layers[level].n_subnodes)
        found += [EdgeRef(level, index, subnode) for subnode in subnodes]
    return found


def means(network: Network, x: FloatArray | None, edges: Sequence[EdgeRef]) -> dict[EdgeRef, float]:
    """The mean of each edge on samples x (n, inputs); 0 without samples."""
    if x is None:
        return dict.fromkeys(edges, 0.0)
    found = measure(network, x)
    return {e: float(found.layers[e.layer].edge_mean[e.subnode, e.source]) for e in edges}


def _without_edges(network: Network, gone: Sequence[BoolArray], found: Measurement) -> Network:
    layers = (
        _without(layer, rows, facts.edge_mean)
        for layer, rows, facts in zip(network.layers, gone, found.layers, strict=True)
    )
    return network.with_layers(tuple(layers))


def _without(layer: Layer, gone: BoolArray, values: FloatArray) -> Layer:
    """Absent edges in the places gone (J, S), their values (J, S) in the biases."""
    gone = gone & layer.active
    if not gone.any():
        return layer
    rows = tuple(
        tuple(ABSENT if g else name for g, name in zip(where, names, strict=True))
        for where, names in zip(gone.tolist(), layer.functions, strict=True)
    )
    constant = np.where(gone, values, 0.0).sum(axis=1)
    changed = layer.with_arrays(
        spline_mask=np.where(gone, 0.0, layer.spline_mask),
        subnode_bias=layer.subnode_bias + layer.subnode_scale * constant,
    )
    return replace(changed, functions=rows)


def _without_nodes(network: Network, keep: Sequence[BoolArray], found: Measurement) -> Network:
    """Only the nodes keep, per level; the edges from those that go become constants."""
    gone = [
        np.broadcast_to(~rows, layer.active.shape)
        for rows, layer in zip(keep, network.layers, strict=False)
    ]
    network = _without_edges(network, gone, found)
    layers = tuple(
        _part(layer, below, above, np.repeat(above, [node.arity for node in nodes]))
        for layer, (below, above), nodes in zip(
            network.layers, pairwise(keep), network.levels[1:], strict=True
        )
    )
    levels = tuple(
        tuple(node for node, kept in zip(level, rows, strict=True) if kept)
        for level, rows in zip(network.levels, keep, strict=True)
    )
    names = tuple(n for n, kept in zip(network.input_names, keep[0], strict=True) if kept)
    return replace(network, levels=levels, layers=layers, input_names=names)


def _part(layer: Layer, sources: BoolArray, nodes: BoolArray, subnodes: BoolArray) -> Layer:
    """The layer between some of its sources and some of its nodes."""
    changed = {}
    for name, values in layer.arrays():
        if name == "knots":
            changed[name] = values[sources]
        elif values.ndim > 1:
            changed[name] = values[subnodes][:, sources]
        else:
            changed[name] = values[nodes if name in {"node_scale", "node_bias"} else subnodes]
    rows = tuple(
        tuple(name for name, kept in zip(row, sources, strict=True) if kept)
        for row, kept in zip(layer.functions, subnodes, strict=True)
        if kept
    )
    return replace(layer.with_arrays(**changed), functions=rows)


def _threshold(value: object) -> float:
    """A number; NaN would keep or drop everything."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = math.nan
    if math.isnan(number):
        raise EditError(f"a threshold is a number, not {value!r}")
    return number


def _chosen(indices: Sequence[int], count: int, where: str) -> BoolArray:
    kept = np.zeros(count, dtype=bool)
    for given in indices:
        index = checks.integer(given)
        if index is None or not 0 <= index < count:
            raise EditError(f"{where} has nodes 0 to {count - 1}, not {given!r}")
        kept[index] = True
    if not kept.any():
        raise EditError(f"{where} must keep a node")
    return kept
