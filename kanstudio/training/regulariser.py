"""The regulariser of pykan's fit, in torch.

For every layer a matrix v (subnode, source) of scores, all at least 0, gives

    lamb_l1 * sum(v) + lamb_entropy * (entropy of the rows + entropy of the columns)

and the coefficients of the active splines give lamb_coef * |coef| and
lamb_coefdiff * |difference of neighbours|, each averaged over the layer's subnodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from kanstudio.network.forward import LayerValues
from kanstudio.network.measure import INPUT_OFFSET
from kanstudio.training.settings import RegMetric, TrainingSettings

# Added to a probability before its logarithm (pykan).
LOG_OFFSET = 1e-4


class Weights(NamedTuple):
    """What the parts of the regulariser count: numbers, or tensors with one per network."""

    l1: float | Tensor
    entropy: float | Tensor
    coef: float | Tensor
    coefdiff: float | Tensor

    @classmethod
    def of(cls, settings: TrainingSettings) -> Weights:
        """Those of one run."""
        return cls(
            settings.lamb_l1, settings.lamb_entropy, settings.lamb_coef, settings.lamb_coefdiff
        )

    @classmethod
    def of_each(
        cls, settings: Sequence[TrainingSettings], dtype: torch.dtype, device: torch.device
    ) -> Weights:
        """Those of many runs: tensors (R,)."""
        columns = zip(*map(cls.of, settings), strict=True)
        return cls(*(torch.tensor(column, dtype=dtype, device=device) for column in columns))


class NodesAbove(NamedTuple):
    """The nodes above a layer: how many, and the index of each subnode's node (J,)."""

    owners: Tensor
    n_nodes: int


def regulariser(
    metric: RegMetric,
    weights: Weights,
    layers: Sequence[LayerValues],
    coefs: Sequence[Tensor],
    nodes_above: Sequence[NodesAbove],
) -> Tensor:
    """The regulariser of each network, without the factor lamb; a scalar for one network.

    layers: every layer's values on the samples. coefs: per layer the coefficients of its
    active splines (..., E, B).
    """
    total = layers[0].inputs.new_zeros(())
    for scores in edge_scores(metric, layers, nodes_above):
        total = total + weights.l1 * scores.sum(dim=(-2, -1))
        total = total + weights.entropy * (_entropy(scores, -1) + _entropy(scores, -2))
    for coef, values in zip(coefs, layers, strict=True):
        n_subnodes = values.symbolic.shape[-2]
        size, change = (part.abs().sum(dim=(-2, -1)) for part in (coef, coef.diff(dim=-1)))
        total = total + weights.coef * size / n_subnodes
        total = total + weights.coefdiff * change / n_subnodes
    return total


def _entropy(scores: Tensor, dim: int) -> Tensor:
    share = scores / (scores.sum(dim=dim, keepdim=True) + 1)
    return -(share * torch.log2(share + LOG_OFFSET)).sum(dim=dim).mean(dim=-1)


def _std(values: Tensor, dim: int) -> Tensor:
    if values.shape[dim] < 2:
        return torch.zeros_like(values.select(dim, 0))
    return values.std(dim=dim)


def _edge_std(values: LayerValues) -> Tensor:
    return _std(values.symbolic + values.spline, -3)


def _input_std(values: LayerValues) -> Tensor:
    """(..., 1, S): with the offset that keeps a constant input from dividing by 0."""
    return (_std(values.inputs, -2) + INPUT_OFFSET).unsqueeze(-2)


def edge_scores(
    metric: RegMetric, layers: Sequence[LayerValues], nodes_above: Sequence[NodesAbove]
) -> list[Tensor]:
    """One matrix of scores (subnode, source) per layer; see TrainingSettings.reg_metric.

    - edge_forward_spline_n: std(spline part) / (std(input) + 0.1)
    - edge_forward_spline_u: std(edge), of both fronts: the name is pykan's, and so is that
    - edge_forward_sum: std(edge) / (std(input) + 0.1); pykan gives it no gradient, here
      it has one
    - edge_backward: the attribution of each edge
    - node_backward: per level the attribution of each input to each node
    """
    if metric == "edge_forward_spline_n":
        return [_std(v.spline, -3) / _input_std(v) for v in layers]
    if metric == "edge_forward_spline_u":
        return [_edge_std(v) for v in layers]
    if metric == "edge_forward_sum":
        return [_edge_std(v) / _input_std(v) for v in layers]
    shares = [_shares(values) for values in layers]
    if metric == "edge_backward":
        return _attribution(shares, nodes_above)[0]
    return _node_attribution(shares, nodes_above)


def _shares(values: LayerValues) -> Tensor:
    """std(edge) / std(subnode), 0 where the subnode is constant; the divisor is no variable."""
    deviation = _std(values.subnodes, -2).detach()
    live = deviation > 0
    inverse = live.to(deviation.dtype) / torch.where(live, deviation, 1.0)
    return _edge_std(values) * inverse.unsqueeze(-1)


def _attribution(
    shares: Sequence[Tensor], nodes_above: Sequence[NodesAbove]
) -> tuple[list[Tensor], list[Tensor]]:
    """Scores of the edges per layer, and of the nodes per level from the inputs up."""
    n_outputs = nodes_above[-1].n_nodes
    node = shares[-1].new_full((*shares[-1].shape[:-2], n_outputs), 1 / n_outputs)
    edges, nodes = [], [node]
    for share, above in zip(reversed(shares), reversed(nodes_above), strict=True):
        edge = node.index_select(-1, above.owners).unsqueeze(-1) * share
        node = edge.sum(dim=-2)
        edges.append(edge)
        nodes.append(node)
    return edges[::-1], nodes[::-1]


def _node_attribution(shares: Sequence[Tensor], nodes_above: Sequence[NodesAbove]) -> list[Tensor]:
    scores = _attribution(shares, nodes_above)[1]
    result = []
    for level in range(1, len(shares) + 1):
        flow = torch.diag_embed(scores[level])
        parts = zip(reversed(shares[:level]), reversed(nodes_above[:level]), strict=True)
        for share, above in parts:
            flow = flow.index_select(-1, above.owners) @ share
        result.append(flow)
    return result
