"""What the data do to a network: ranges, deviations, scores and curves of its edges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from kanstudio.errors import DataError
from kanstudio.network.forward import (
    LayerValues,
    check_inputs,
    edge_values,
    nodes_from_sums,
    program,
    tensors,
)  # fmt: skip
from kanstudio.network.network import FloatArray, Network

MAX_VALUES = 20_000_000
"""Bound on samples * edges of a layer held at once; more samples than that are thinned."""

INPUT_OFFSET = 0.1
"""Added to std(in) in forward_n, so that a nearly constant input gives no huge score."""


@dataclass(frozen=True)
class LayerMeasure:
    """One layer on the data, with S sources and J subnodes.

    source_low, source_high, source_std (S,); symbolic_std, spline_std, edge_std (J, S),
    edge_mean (J, S);
    subnode_std (J,): of the sum before the affine map. Scores (J, S), all at least 0:
    forward_u = edge_std; forward_n = edge_std / (source_std + 0.1); backward: the
    attribution of the edge.
    """

    source_low: FloatArray
    source_high: FloatArray
    source_std: FloatArray
    edge_mean: FloatArray
    edge_std: FloatArray
    symbolic_std: FloatArray
    spline_std: FloatArray
    subnode_std: FloatArray
    forward_n: FloatArray
    forward_u: FloatArray
    backward: FloatArray

    @property
    def spline_share(self) -> FloatArray:
        """(J, S) in [0, 1]: var(spline) / (var(spline) + var(symbolic)); 0 for 0 / 0."""
        spline, symbolic = self.spline_std**2, self.symbolic_std**2
        total = spline + symbolic
        return np.divide(spline, total, out=np.zeros_like(total), where=total > 0)

    def score(self, metric: str) -> FloatArray:
        """The scores (J, S) by name: forward_n, forward_u or backward."""
        if metric not in METRICS:
            raise DataError(f"metric {metric!r} is not one of {', '.join(METRICS)}")
        values: FloatArray = getattr(self, metric)
        return values


METRICS = ("forward_n", "forward_u", "backward")


@dataclass(frozen=True)
class Measurement:
    """A network on data: one measure per layer, and the attribution of each node.

    outputs (n, outputs) are the values on the samples used.
    """

    layers: tuple[LayerMeasure, ...]
    node_scores: tuple[FloatArray, ...]
    outputs: FloatArray


@dataclass(frozen=True)
class EdgeCurves:
    """The edges of a layer over their sources' ranges.

    x (S, P); total, symbolic and spline (J, S, P), total being the sum of the fronts.
    """

    x: FloatArray
    total: FloatArray
    symbolic: FloatArray
    spline: FloatArray


def measure(network: Network, x: FloatArray) -> Measurement:
    """Scores of all edges on samples x (n, inputs), n >= 1; see LayerMeasure.

    backward: with A the attribution of a subnode (of its node), an edge gets
    A * std(edge) / std(subnode), a node the sum of its outgoing edges; each of the
    outputs starts with 1 / outputs. The ratio has no offset: an output in small units
    makes no edge look unimportant.
    """
    check_inputs(len(network.levels[0]), np.shape(x))
    if len(x) == 0:
        raise DataError("there are no samples to measure the network on")
    most = max(layer.n_sources * layer.n_subnodes for layer in network.layers)
    step = -(-len(x) * most // MAX_VALUES)
    values = torch.tensor(np.asarray(x)[::step], dtype=torch.float64)
    facts = []
    with torch.no_grad():
        for plan, layer in zip(program(network), network.layers, strict=True):
            p = tensors(layer, torch.float64)
            edges = edge_values(plan, p, values)
            values = nodes_from_sums(plan, p, edges.subnodes)
            facts.append(_deviations(edges))
    return _with_scores(network, facts, values.numpy())


def _std(values: torch.Tensor) -> FloatArray:
    if len(values) < 2:
        return np.zeros(values.shape[1:])
    result: FloatArray = values.std(dim=0).numpy()
    return result


def _deviations(edges: LayerValues) -> dict[str, FloatArray]:
    total = edges.symbolic + edges.spline
    edge_std = _std(total)
    source_std = _std(edges.inputs)
    return {
        "source_low": edges.inputs.amin(dim=0).numpy(),
        "source_high": edges.inputs.amax(dim=0).numpy(),
        "source_std": source_std,
        "edge_mean": total.mean(dim=0).numpy(),
        "edge_std": edge_std,
        "symbolic_std": _std(edges.symbolic),
        "spline_std": _std(edges.spline),
        "subnode_std": _std(edges.subnodes),
        "forward_u": edge_std,
        "forward_n": edge_std / (source_std + INPUT_OFFSET),
    }


def attribution(
    network: Network,
    measurement: Measurement,
    level: int | None = None,
    out_score: FloatArray | None = None,
) -> FloatArray:
    """(nodes of the level, inputs): how much each input matters for each node of a level.

    level: 1 to depth; None is the outputs'. out_score (nodes of the level,): the weight of
    each node; None is 1. The mean over the outputs is ``measurement.node_scores[0]``.
    """
    top = network.depth if level is None else level
    if not 1 <= top <= network.depth:
        raise DataError(f"there are levels 1 to {network.depth} above the inputs, not {level}")
    nodes = len(network.levels[top])
    weights = np.ones(nodes) if out_score is None else np.asarray(out_score, dtype=np.float64)
    if weights.shape != (nodes,):
        raise DataError(f"level {top} has {nodes} nodes: out_score is that many numbers")
    score = np.diag(weights)
    for layer in range(top - 1, -1, -1):
        facts = measurement.layers[layer]
        arities = [node.arity for node in network.levels[layer + 1]]
        score = _shares(np.repeat(score, arities, axis=1), facts.subnode_std) @ facts.edge_std
    return score


def _shares(subnode_score: FloatArray, deviation: FloatArray) -> FloatArray:
    """score / std(subnode), 0 for a constant one."""
    return np.divide(
        subnode_score, deviation, out=np.zeros_like(subnode_score), where=deviation > 0
    )


def _with_scores(
    network: Network, facts: list[dict[str, FloatArray]], outputs: FloatArray
) -> Measurement:
    n_outputs = len(network.levels[-1])
    score = np.full(n_outputs, 1 / n_outputs)
    node_scores, layers = [score], []
    for fact, targets in zip(reversed(facts), reversed(network.levels[1:]), strict=True):
        subnode_score = np.repeat(score, [node.arity for node in targets])
        weight = _shares(subnode_score, fact["subnode_std"])
        backward = weight[:, None] * fact["edge_std"]
        score = backward.sum(axis=0)
        layers.append(LayerMeasure(**fact, backward=backward))
        node_scores.append(score)
    return Measurement(tuple(reversed(layers)), tuple(reversed(node_scores)), outputs)


def curves(
    network: Network, measurement: Measurement, n_points: int = 64
) -> tuple[EdgeCurves, ...]:
    """All edges sampled at n_points equidistant points of their sources' ranges."""
    result = []
    with torch.no_grad():
        for plan, layer, facts in zip(
            program(network), network.layers, measurement.layers, strict=True
        ):
            x = _sample_points(facts, n_points)
            values = edge_values(plan, tensors(layer, torch.float64), torch.tensor(x.T.copy()))
            symbolic, spline = values.symbolic.numpy(), values.spline.numpy()
            result.append(
                EdgeCurves(
                    x=x,
                    total=(symbolic + spline).transpose(1, 2, 0),
                    symbolic=symbolic.transpose(1, 2, 0),
                    spline=spline.transpose(1, 2, 0),
                )
            )
    return tuple(result)


def _sample_points(facts: LayerMeasure, n_points: int) -> FloatArray:
    low, high = facts.source_low, facts.source_high
    # A constant source still shows its curve, around the value it has.
    flat = ~(high > low)
    low, high = np.where(flat, low - 0.5, low), np.where(flat, high + 0.5, high)
    share: NDArray[np.float64] = np.linspace(0, 1, n_points)
    return low[:, None] + (high - low)[:, None] * share
