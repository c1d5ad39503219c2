"""Deviations of edges over all samples, and gradients through them.

The samples are swept twice: first for the mean and the sum of squared distances of every
edge, then for the gradient, when it is known how the regulariser depends on these. No
array has an entry per sample and edge.
"""

from __future__ import annotations

from kanstudio.training.kernel.blocks import add_product, add_slope, add_spline
from kanstudio.training.kernel.compiled import compiled
from kanstudio.training.kernel.penalty import SPLINE_N
from kanstudio.training.kernel.rows import F0, T1, TILE, U, at, clear
from kanstudio.training.kernel.sweep import SCRATCH, nodes_backward, symbolic_backward


@compiled(relaxed=True)
def row_moments(work, row, count):  # type: ignore[no-untyped-def]
    """(mean, sum of squared distances from it) of the first samples of a row."""
    a, n = at(row), U(count)
    # Seen from the first sample, a constant row has exactly no deviation.
    first, total = work[a], F0
    for t in range(n):
        total += work[a + t] - first
    mean = first + total / work.dtype.type(count)
    square = F0
    for t in range(n):
        distance = work[a + t] - mean
        square += distance * distance
    return mean, square


@compiled(relaxed=False)
def add_moments(work, row, count, seen, means, squares, k):  # type: ignore[no-untyped-def]
    """Join a tile's moments with those of the ``seen`` samples before it.

    Chan, Golub and LeVeque, Updating formulae for computing sample variances, 1979: without
    the difference of large squares.
    """
    mean, square = row_moments(work, row, count)
    distance = mean - means[k]
    all_samples = seen + count
    means[k] += distance * count / all_samples
    squares[k] += square + distance * distance * (seen * count / all_samples)


@compiled(relaxed=False)
def edge_value(plan, layer, edge, metric, source, base, indices, weights, params, work, out):  # type: ignore[no-untyped-def]
    """What the metric takes for the value of an edge, into a row of work."""
    clear(work, out * TILE, TILE)
    if edge.spline >= 0:
        spline = plan.splines[edge.spline]
        add_spline(layer, spline, source, base, indices, weights, work, out)
    if edge.symbolic >= 0 and metric != SPLINE_N:
        front = plan.symbolic[edge.symbolic]
        c, d = front.mask * params[front.params + 2], front.mask * params[front.params + 3]
        o, v = at(out), at(layer.symbolic_row + 2 * (edge.symbolic - layer.first_symbolic))
        for t in range(T1):
            work[o + t] += c * work[v + t] + d


@compiled(relaxed=False)
def tile_moments(  # type: ignore[no-untyped-def]
    plan, metric, features, cached, indices, weights, params, work, count, seen, means, squares
):
    """Add a tile, after its forward sweep, to the moments of edges, sources and subnodes."""
    room = len(work) // TILE - SCRATCH
    for index in range(len(plan.layers) - 1):
        layer = plan.layers[index]
        source, base = (features, 0) if index == 0 and cached else (work, layer.feature_row)
        for e in range(layer.first_edge, layer.last_edge):
            edge = plan.edges[e]
            edge_value(
                plan, layer, edge, metric, source, base, indices, weights, params, work, room
            )
            add_moments(work, room, count, seen, means, squares, e)
        for i in range(layer.n_sources):
            row = layer.x_row + i
            add_moments(work, row, count, seen, means, squares, layer.source_moments + i)
        for j in range(layer.n_subnodes):
            row = layer.sum_row + j
            add_moments(work, row, count, seen, means, squares, layer.subnode_moments + j)


@compiled(relaxed=False)
def add_distances(work, row, mean, rate, count, out):  # type: ignore[no-untyped-def]
    """Add rate times the distance from the mean of the first samples of a row."""
    a, o = at(row), at(out)
    middle, factor = work.dtype.type(mean), work.dtype.type(rate)
    for t in range(U(count)):
        work[o + t] += factor * (work[a + t] - middle)


@compiled(relaxed=False)
def edge_backward(  # type: ignore[no-untyped-def]
    plan, layer, edge, spread, source, base, indices, weights, params, work, given, weight_sums,
    gradient, inputs,
):  # fmt: skip
    """Derivatives by one edge's parameters and input.

    given, spread: rows of derivatives by the edge from the loss alone, and with those by
    its deviation; the metric decides which one holds for the symbolic front.
    """
    if edge.spline >= 0:
        spline = plan.splines[edge.spline]
        add_product(layer, spline, source, base, indices, work, spread, weight_sums)
        if inputs:
            add_slope(layer, spline, indices, weights, work, spread)
    if edge.symbolic >= 0:
        symbolic_backward(plan, layer, edge.symbolic, params, work, given, gradient, inputs)


@compiled(relaxed=False)
def layer_backward(  # type: ignore[no-untyped-def]
    plan, layer, metric, source, base, indices, weights, params, work, count, means, slopes,
    weight_sums, gradient, inputs,
):  # fmt: skip
    """Edge by edge, each with the derivative by its own deviation."""
    room = len(work) // TILE - SCRATCH
    spread = room + 1
    if inputs:
        clear(work, layer.dx_row * TILE, layer.n_sources * TILE)
        for i in range(layer.n_sources):
            k = layer.source_moments + i
            x, dx = layer.x_row + i, layer.dx_row + i
            add_distances(work, x, means[k], slopes[k], count, dx)
    for e in range(layer.first_edge, layer.last_edge):
        edge = plan.edges[e]
        given = layer.dsum_row + edge.subnode
        a, o = at(given), at(spread)
        for t in range(T1):
            work[o + t] = work[a + t]
        if slopes[e] != 0.0:
            edge_value(
                plan, layer, edge, metric, source, base, indices, weights, params, work, room
            )
            add_distances(work, room, means[e], slopes[e], count, spread)
        edge_backward(
            plan, layer, edge, spread, source, base, indices, weights, params, work,
            given if metric == SPLINE_N else spread, weight_sums, gradient, inputs,
        )  # fmt: skip


@compiled(relaxed=False)
def penalty_backward(  # type: ignore[no-untyped-def]
    plan, metric, params, affine, weights, features, cached, work, indices, count, means, slopes,
    weight_sums, affine_sums, gradient,
):  # fmt: skip
    """sweep.backward with the derivatives by the deviations."""
    for index in range(len(plan.layers) - 2, -1, -1):
        layer = plan.layers[index]
        source, base = (features, 0) if index == 0 and cached else (work, layer.feature_row)
        nodes_backward(plan, layer, plan.layers[index + 1], affine, work, affine_sums)
        layer_backward(
            plan, layer, metric, source, base, indices, weights, params, work, count, means,
            slopes, weight_sums, gradient, index > 0,
        )  # fmt: skip
