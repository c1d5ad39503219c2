"""The regulariser of pykan's fit, in torch.

For every layer a matrix v (subnode, source) of scores, all at least 0, gives

    lamb_l1 * sum(v) + lamb_entropy * (entropy of the rows + entropy of the columns)

and the coefficients of the active splines give lamb_coef * |coef| and
lamb_coefdiff * |difference of neighbours|, each averaged over the layer's subnodes.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from kanstudio.network.forward import LayerValues
from kanstudio.network.measure import INPUT_OFFSET
from kanstudio.training.settings import RegMetric, TrainingSettings

# Added to a probability before its logarithm (pykan).
LOG_OFFSET = 1e-4


def regulariser(
    settings: TrainingSettings,
    layers: Sequence[LayerValues],
    coefs: Sequence[Tensor],
    arities: Sequence[Sequence[int]],
) -> Tensor:
    """The regulariser, a scalar, without the factor lamb.

    layers: every layer's values on the samples. coefs: per layer the coefficients of its
    active splines (E, B). arities: of the nodes above each layer.
    """
    total = layers[0].inputs.new_zeros(())
    for scores in edge_scores(settings.reg_metric, layers, arities):
        total = total + settings.lamb_l1 * scores.sum()
        total = total + settings.lamb_entropy * (_entropy(scores, 1) + _entropy(scores, 0))
    for coef, values in zip(coefs, layers, strict=True):
        n_subnodes = values.symbolic.shape[1]
        total = total + settings.lamb_coef * coef.abs().sum() / n_subnodes
        total = total + settings.lamb_coefdiff * coef.diff(dim=1).abs().sum() / n_subnodes
    return total


def _entropy(scores: Tensor, dim: int) -> Tensor:
    share = scores / (scores.sum(dim=dim, keepdim=True) + 1)
    return -(share * torch.log2(share + LOG_OFFSET)).sum(dim=dim).mean()


def _std(values: Tensor) -> Tensor:
    if len(values) < 2:
        return values.new_zeros(values.shape[1:])
    return values.std(dim=0)


def edge_scores(
    metric: RegMetric, layers: Sequence[LayerValues], arities: Sequence[Sequence[int]]
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
        return [_std(v.spline) / (_std(v.inputs) + INPUT_OFFSET) for v in layers]
    if metric == "edge_forward_spline_u":
        return [_std(v.symbolic + v.spline) for v in layers]
    if metric == "edge_forward_sum":
        return [_std(v.symbolic + v.spline) / (_std(v.inputs) + INPUT_OFFSET) for v in layers]
    shares = [_shares(values) for values in layers]
    if metric == "edge_backward":
        return _attribution(shares, arities)[0]
    return _node_attribution(shares, arities)


def _shares(values: LayerValues) -> Tensor:
    """std(edge) / std(subnode), 0 where the subnode is constant; the divisor is no variable."""
    deviation = _std(values.subnodes).detach()
    live = deviation > 0
    inverse = live.to(deviation.dtype) / torch.where(live, deviation, 1.0)
    return _std(values.symbolic + values.spline) * inverse[:, None]


def _attribution(
    shares: Sequence[Tensor], arities: Sequence[Sequence[int]]
) -> tuple[list[Tensor], list[Tensor]]:
    """Scores of the edges per layer, and of the nodes per level from the inputs up."""
    n_outputs = len(arities[-1])
    node = shares[-1].new_full((n_outputs,), 1 / n_outputs)
    edges, nodes = [], [node]
    for share, row in zip(reversed(shares), reversed(arities), strict=True):
        edge = node.repeat_interleave(torch.tensor(row, device=node.device))[:, None] * share
        node = edge.sum(dim=0)
        edges.append(edge)
        nodes.append(node)
    return edges[::-1], nodes[::-1]


def _node_attribution(shares: Sequence[Tensor], arities: Sequence[Sequence[int]]) -> list[Tensor]:
    scores = _attribution(shares, arities)[1]
    result = []
    for level in range(1, len(shares) + 1):
        flow = torch.diag(scores[level])
        for share, row in zip(reversed(shares[:level]), reversed(arities[:level]), strict=True):
            repeats = torch.tensor(row, device=flow.device)
            flow = flow.repeat_interleave(repeats, dim=1) @ share
        result.append(flow)
    return result
