"""From the level graph to the network: dense arrays, absent edges included."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from kanstudio.compiler.levels import MAX_EDGE_SLOTS, Level, LevelGraph
from kanstudio.errors import CompileError
from kanstudio.network.build import empty_network
from kanstudio.network.network import Layer, Network


def lower(
    graph: LevelGraph,
    input_names: Sequence[str],
    output_names: Sequence[str] | None,
    *,
    grid: int,
    degree: int,
    seed: int,
) -> Network:
    """The network of a graph whose levels have their sum nodes first."""
    arities = [[len(node.subnodes) for node in level] for level in graph.levels]
    sizes = [graph.n_inputs] + [len(level) for level in graph.levels]
    slots = sum(below * sum(row) for below, row in zip(sizes, arities, strict=False))
    if slots > MAX_EDGE_SLOTS:
        raise CompileError(
            f"the layers of this network have room for {slots:,} edges, and at most "
            f"{MAX_EDGE_SLOTS:,} are allowed: write the formula shorter"
        )
    mults = [[arity for arity in row if arity > 1] for row in arities]
    network = empty_network(
        [[graph.n_inputs, 0]] + [[row.count(1), len(row) - row.count(1)] for row in arities],
        [[], *mults],
        input_names=input_names,
        output_names=output_names,
        grid=grid,
        degree=degree,
        seed=seed,
    )
    layers = zip(network.layers, graph.levels, strict=True)
    return network.with_layers(tuple(_filled(layer, level) for layer, level in layers))


def _filled(layer: Layer, level: Level) -> Layer:
    subnodes = [subnode for node in level for subnode in node.subnodes]
    names = [list(row) for row in layer.functions]
    affine = np.array(layer.affine)
    for index, subnode in enumerate(subnodes):
        sources = [connection.source for connection in subnode.connections]
        assert len(set(sources)) == len(sources), "one edge between two nodes"
        for connection in subnode.connections:
            names[index][connection.source] = connection.function
            affine[index, connection.source] = connection.affine
    filled = layer.with_arrays(
        affine=affine,
        subnode_scale=[subnode.scale for subnode in subnodes],
        subnode_bias=[subnode.bias for subnode in subnodes],
        node_scale=[node.scale for node in level],
        node_bias=[node.bias for node in level],
    )
    return replace(filled, functions=tuple(tuple(row) for row in names))
