"""The regulariser of a network from the deviations of its edges, and its derivatives.

The same numbers as regulariser.py, which says what they mean. Scores stand in matrices
(subnode, source), one after the other; deviations in the order of plan.EDGE, then sources
and subnodes of each layer.
"""

from __future__ import annotations

import math

import numpy as np

from kanstudio.network.measure import INPUT_OFFSET
from kanstudio.training.kernel.compiled import compiled
from kanstudio.training.kernel.rows import clear
from kanstudio.training.regulariser import LOG_OFFSET

METRICS = {
    "edge_forward_spline_n": 0,
    "edge_forward_spline_u": 1,
    "edge_forward_sum": 2,
    "edge_backward": 3,
}
"""The metrics that compiled code knows."""
SPLINE_N, SPLINE_U, SUM, BACKWARD = METRICS.values()


@compiled(relaxed=False)
def entropy(scores, start, n_lines, line, count, step, factor, by_scores):  # type: ignore[no-untyped-def]
    """Mean entropy of n_lines lines of ``count`` scores, times factor; adds its derivatives.

    line: from one line to the next; step: from one score to the next.
    """
    result = 0.0
    for i in range(n_lines):
        first = start + i * line
        total = 1.0
        for j in range(count):
            total += scores[first + j * step]
        flow = 0.0
        for j in range(count):
            share = scores[first + j * step] / total
            logarithm = math.log2(share + LOG_OFFSET)
            result -= share * logarithm
            slope = -(logarithm + share / ((share + LOG_OFFSET) * math.log(2.0)))
            by_scores[first + j * step] += factor / n_lines * slope / total
            flow += slope * share
        for j in range(count):
            by_scores[first + j * step] -= factor / n_lines * flow / total
    return factor / n_lines * result


@compiled(relaxed=False)
def coefficients(plan, params, factors, gradient):  # type: ignore[no-untyped-def]
    """|coef| and |difference of neighbours|; lamb times the derivatives into gradient."""
    factor, strength, change_strength = factors[0], factors[3], factors[4]
    result = 0.0
    for index in range(len(plan.layers) - 1):
        layer = plan.layers[index]
        n_basis = layer.n_knots - layer.degree - 1
        a, b = strength / layer.n_subnodes, change_strength / layer.n_subnodes
        for e in range(layer.first_spline, layer.last_spline):
            first = plan.splines[e].params
            for p in range(first, first + n_basis):
                result += a * abs(params[p])
                gradient[p] += factor * a * np.sign(params[p])
            for p in range(first + 1, first + n_basis):
                change = params[p] - params[p - 1]
                result += b * abs(change)
                gradient[p] += factor * b * np.sign(change)
                gradient[p - 1] -= factor * b * np.sign(change)
    return result


@compiled(relaxed=False)
def inverse(value):  # type: ignore[no-untyped-def]
    """1 / value, or 0 for 0."""
    return 1.0 / value if value > 0.0 else 0.0


@compiled(relaxed=False)
def forward_scores(plan, metric, deviations, scores):  # type: ignore[no-untyped-def]
    """Deviations of the edges, divided by those of their inputs or not."""
    for index in range(len(plan.layers) - 1):
        layer = plan.layers[index]
        for e in range(layer.first_edge, layer.last_edge):
            edge = plan.edges[e]
            divisor = 1.0
            if metric != SPLINE_U:
                divisor = deviations[layer.source_moments + edge.source] + INPUT_OFFSET
            place = layer.scores + edge.subnode * layer.n_sources + edge.source
            scores[place] = deviations[e] / divisor


@compiled(relaxed=False)
def forward_slopes(plan, metric, deviations, by_scores, by_deviations):  # type: ignore[no-untyped-def]
    """The reverse of forward_scores, for derivatives."""
    for index in range(len(plan.layers) - 1):
        layer = plan.layers[index]
        for e in range(layer.first_edge, layer.last_edge):
            edge = plan.edges[e]
            given = by_scores[layer.scores + edge.subnode * layer.n_sources + edge.source]
            if metric == SPLINE_U:
                by_deviations[e] = given
                continue
            source = layer.source_moments + edge.source
            divisor = deviations[source] + INPUT_OFFSET
            by_deviations[e] = given / divisor
            by_deviations[source] -= given * deviations[e] / (divisor * divisor)


@compiled(relaxed=False)
def node_of(plan, layer, subnode):  # type: ignore[no-untyped-def]
    """The node that a subnode belongs to."""
    i = layer.n_nodes - 1
    while plan.nodes[layer.first_node + i].first > subnode:
        i -= 1
    return i


@compiled(relaxed=False)
def attribution(plan, deviations, scores, node_scores):  # type: ignore[no-untyped-def]
    """From the outputs down: an edge has its share of its subnode's node.

    node_scores: of the nodes below each layer, at its source_moments, and of the outputs,
    at the end.
    """
    last = plan.layers[len(plan.layers) - 2]
    above = len(node_scores) - last.n_nodes
    for i in range(last.n_nodes):
        node_scores[above + i] = 1.0 / last.n_nodes
    for index in range(len(plan.layers) - 2, -1, -1):
        layer = plan.layers[index]
        below = layer.source_moments
        clear(node_scores, below, layer.n_sources)
        for e in range(layer.first_edge, layer.last_edge):
            edge = plan.edges[e]
            share = deviations[e] * inverse(deviations[layer.subnode_moments + edge.subnode])
            score = node_scores[above + node_of(plan, layer, edge.subnode)] * share
            scores[layer.scores + edge.subnode * layer.n_sources + edge.source] = score
            node_scores[below + edge.source] += score
        above = below


@compiled(relaxed=False)
def attribution_slopes(plan, deviations, by_scores, node_scores, by_nodes, by_deviations):  # type: ignore[no-untyped-def]
    """The reverse of attribution, from the inputs up; the deviations of subnodes are fixed."""
    clear(by_nodes, 0, len(by_nodes))
    for index in range(len(plan.layers) - 1):
        layer = plan.layers[index]
        below = layer.source_moments
        above = len(by_nodes) - layer.n_nodes
        if index < len(plan.layers) - 2:
            above = plan.layers[index + 1].source_moments
        for e in range(layer.first_edge, layer.last_edge):
            edge = plan.edges[e]
            part = inverse(deviations[layer.subnode_moments + edge.subnode])
            node = above + node_of(plan, layer, edge.subnode)
            given = by_scores[layer.scores + edge.subnode * layer.n_sources + edge.source]
            given += by_nodes[below + edge.source]
            by_deviations[e] = given * node_scores[node] * part
            by_nodes[node] += given * deviations[e] * part


@compiled(relaxed=False)
def finish(squares, n, deviations):  # type: ignore[no-untyped-def]
    """Standard deviations of n samples; 0 for a single one."""
    for k in range(len(squares)):
        deviations[k] = math.sqrt(squares[k] / (n - 1)) if n > 1 else 0.0


@compiled(relaxed=False)
def rates(deviations, factor, n, slopes):  # type: ignore[no-untyped-def]
    """From derivatives by deviations to factors of a sample's distance from the mean."""
    for k in range(len(slopes)):
        if deviations[k] > 0.0:
            slopes[k] *= factor / ((n - 1) * deviations[k])
        else:
            slopes[k] = 0.0


@compiled(relaxed=False)
def penalty(plan, metric, factors, n, squares, deviations, scores, nodes, slopes):  # type: ignore[no-untyped-def]
    """l1 and entropy of the scores that n samples give.

    slopes: lamb times the derivative, as factors of a sample's distance from the mean.
    """
    l1, strength = factors[1], factors[2]
    finish(squares, n, deviations)
    clear(slopes, 0, len(slopes))
    if metric == BACKWARD:
        attribution(plan, deviations, scores[0], nodes[0])
    else:
        forward_scores(plan, metric, deviations, scores[0])
    result = 0.0
    for i in range(scores.shape[1]):
        result += l1 * scores[0, i]
        scores[1, i] = l1
    for index in range(len(plan.layers) - 1):
        layer = plan.layers[index]
        # First the rows of the matrix (subnode, source), then its columns.
        n_lines, line, count, step = layer.n_subnodes, layer.n_sources, layer.n_sources, 1
        for _ in range(2):
            result += entropy(
                scores[0], layer.scores, n_lines, line, count, step, strength, scores[1]
            )
            n_lines, line, count, step = layer.n_sources, 1, layer.n_subnodes, layer.n_sources
    if metric == BACKWARD:
        attribution_slopes(plan, deviations, scores[1], nodes[0], nodes[1], slopes)
    else:
        forward_slopes(plan, metric, deviations, scores[1], slopes)
    rates(deviations, factors[0], n, slopes)
    return result
