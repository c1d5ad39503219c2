"""What goes into edges and what comes out, on samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from kanstudio.errors import DataError, EditError
from kanstudio.network import checks
from kanstudio.network.forward import (
    check_inputs,
    edge_values,
    nodes_from_sums,
    program,
    tensors,
)
from kanstudio.network.measure import MAX_VALUES
from kanstudio.network.network import EdgeRef, FloatArray, Network

LEAST_SAMPLES = 4


class Activations(NamedTuple):
    """x, y (edges, n): the argument of each edge and the sum of its fronts."""

    x: Tensor
    y: Tensor


def check_edge(network: Network, edge: EdgeRef) -> None:
    """EditError if the network has no such edge."""
    for index in (edge.layer, edge.source, edge.subnode):
        checks.whole("an index of an edge", index, 0)
    if not 0 <= edge.layer < network.depth:
        raise EditError(
            f"there is no layer {edge.layer}: there are layers 0 to {network.depth - 1}"
        )
    layer = network.layers[edge.layer]
    if not (0 <= edge.source < layer.n_sources and 0 <= edge.subnode < layer.n_subnodes):
        raise EditError(
            f"there is no edge ({edge.layer}, {edge.source}, {edge.subnode}): layer {edge.layer} "
            f"has edges from nodes 0 to {layer.n_sources - 1} "
            f"to subnodes 0 to {layer.n_subnodes - 1}"
        )


def activations(network: Network, x: FloatArray, edges: Sequence[EdgeRef]) -> Activations:
    """The edges on samples x (n, inputs), thinned if they are many.

    Raises EditError for an edge that there is not, and DataError for fewer than four
    finite samples, which leave a, b, c and d undetermined.
    """
    check_inputs(len(network.levels[0]), np.shape(x))
    for edge in edges:
        check_edge(network, edge)
    x = np.asarray(x, dtype=np.float64)
    x = x[np.isfinite(x).all(axis=1)]
    if len(x) < LEAST_SAMPLES:
        raise DataError(
            f"finding a, b, c and d takes at least {LEAST_SAMPLES} finite samples, not {len(x)}"
        )
    most = max(layer.n_sources * layer.n_subnodes for layer in network.layers)
    values = torch.tensor(x[:: -(-len(x) * most // MAX_VALUES)])
    found: dict[EdgeRef, tuple[Tensor, Tensor]] = {}
    with torch.no_grad():
        for index, (plan, layer) in enumerate(zip(program(network), network.layers, strict=True)):
            p = tensors(layer, torch.float64)
            parts = edge_values(plan, p, values)
            for edge in edges:
                if edge.layer == index:
                    at = (slice(None), edge.subnode, edge.source)
                    found[edge] = values[:, edge.source], parts.symbolic[at] + parts.spline[at]
            values = nodes_from_sums(plan, p, parts.subnodes)
    return Activations(
        torch.stack([found[edge][0] for edge in edges]),
        torch.stack([found[edge][1] for edge in edges]),
    )
