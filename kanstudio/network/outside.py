"""Where the functions on edges are asked for values that they do not have."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from kanstudio.errors import DataError
from kanstudio.network.forward import check_inputs, layer_forward, program, tensors
from kanstudio.network.measure import MAX_VALUES
from kanstudio.network.network import EdgeRef, FloatArray, Network


@dataclass(frozen=True, slots=True)
class Outside:
    """An edge's function, and the share, in (0, 1], of the samples outside its domain."""

    function: str
    share: float


def outside(
    network: Network, x: FloatArray, dtype: torch.dtype = torch.float64
) -> dict[str, Outside]:
    """The edges whose functions meet samples x (n, inputs), n >= 1, outside their domains.

    By the edge's id (`Network.edge_id`), from the inputs up; edges that meet none are left
    out. Outside its domain a function has the value of the nearest point inside: finite,
    but not what the formula says. An edge counts even where the output does not depend on
    it, as in a branch that a condition leaves out. dtype: what is computed in; in float32
    1/x^2 has no value near 1e-23.
    """
    check_inputs(len(network.levels[0]), np.shape(x))
    if len(x) == 0:
        raise DataError("there are no samples to look for values outside a domain")
    most = max(layer.n_sources * layer.n_subnodes for layer in network.layers)
    step = -(-len(x) * most // MAX_VALUES)
    values = torch.tensor(np.asarray(x)[::step], dtype=dtype)
    found: dict[str, Outside] = {}
    with torch.no_grad():
        plans = zip(program(network), network.layers, strict=True)
        for index, (plan, layer) in enumerate(plans):
            p = tensors(layer, dtype)
            for group in plan.groups:
                a, b, _, _ = p.affine[group.subnodes, group.sources].unbind(-1)
                beyond = ~group.function.inside(a * values[:, group.sources] + b)
                shares = beyond.double().mean(dim=0)
                for edge in torch.nonzero(shares).flatten().tolist():
                    at = EdgeRef(index, int(group.sources[edge]), int(group.subnodes[edge]))
                    outside = Outside(group.function.name, float(shares[edge]))
                    found[network.edge_id(at)] = outside
            values = layer_forward(plan, p, values)
    return found
