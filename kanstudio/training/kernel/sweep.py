"""Forward and backward through all layers for one tile of samples."""

from __future__ import annotations

from kanstudio.training.kernel.compiled import compiled
from kanstudio.training.kernel.rows import (
    add_local,
    add_local_products,
    add_products,
    add_weighted,
    clear,
    copy,
    dot,
    total,
)
from kanstudio.training.kernel.splines import dense_basis, local_basis
from kanstudio.training.kernel.univariate import apply


@compiled(relaxed=False)
def fill_features(plan, layer, work, indices, count):  # type: ignore[no-untyped-def]
    """B-splines and silu of every source that has an active spline."""
    n_knots, degree = layer.n_knots, layer.degree
    for a in range(layer.last_active - layer.first_active):
        x = work[layer.x_row + plan.active[layer.first_active + a]]
        start = layer.knots + a * n_knots
        knots = plan.knots[start : start + n_knots]
        feature = layer.feature_row + a * layer.features
        slope = layer.slope_row + a * layer.slopes
        if layer.dense:
            first = layer.widths + a * degree * n_knots
            widths = plan.widths[first : first + degree * n_knots]
            dense_basis(x, knots, widths, degree, work, feature, slope, count)
        else:
            index = indices[layer.index_row + a]
            local_basis(x, knots, degree, work, feature, slope, index, count)


@compiled(relaxed=False)
def add_splines(plan, layer, features, indices, weights, work, count):  # type: ignore[no-untyped-def]
    """Add every active spline to its subnode's sum."""
    for e in range(layer.first_spline, layer.last_spline):
        edge = plan.splines[e]
        out = work[layer.sum_row + edge.subnode]
        row = layer.feature_row + edge.slot * layer.features
        if layer.dense:
            add_weighted(features, row, layer.features, weights, edge.weights, out, count)
        else:
            index = indices[layer.index_row + edge.slot]
            n_local = layer.degree + 1
            add_local(features, row, n_local, index, weights, edge.weights, out, count)
            base = edge.weights + layer.width - 1
            add_weighted(features, row + n_local, 1, weights, base, out, count)


@compiled(relaxed=False)
def add_symbolic(plan, layer, params, work, count):  # type: ignore[no-untyped-def]
    """Add mask * (c f(a x + b) + d) of every active symbolic front; keep f and f'."""
    argument = work[len(work) - 1]
    for m in range(layer.first_symbolic, layer.last_symbolic):
        edge = plan.symbolic[m]
        a, b = params[edge.params], params[edge.params + 1]
        c, d = edge.mask * params[edge.params + 2], edge.mask * params[edge.params + 3]
        x, out = work[layer.x_row + edge.source], work[layer.sum_row + edge.subnode]
        row = layer.symbolic_row + 2 * (m - layer.first_symbolic)
        value, slope = work[row], work[row + 1]
        for t in range(count):
            argument[t] = a * x[t] + b
        apply(edge.function, argument, value, slope, count)
        for t in range(count):
            out[t] += c * value[t] + d


@compiled(relaxed=False)
def fill_nodes(plan, layer, above, affine, work, count):  # type: ignore[no-untyped-def]
    """Affine maps of the subnodes, products, affine maps of the nodes."""
    n_subnodes, n_nodes = layer.n_subnodes, layer.n_nodes
    scaled = layer.sum_row + n_subnodes
    maps = layer.affine
    for j in range(n_subnodes):
        scale, bias = affine[maps + j], affine[maps + n_subnodes + j]
        raw, out = work[layer.sum_row + j], work[scaled + j]
        for t in range(count):
            out[t] = scale * raw[t] + bias
    maps += 2 * n_subnodes
    for i in range(n_nodes):
        node = plan.nodes[layer.first_node + i]
        scale, bias = affine[maps + i], affine[maps + n_nodes + i]
        plain, out = work[layer.node_row + i], work[above.x_row + i]
        copy(work[scaled + node.first], plain, count)
        for port in range(1, node.arity):
            factor = work[scaled + node.first + port]
            for t in range(count):
                plain[t] *= factor[t]
        for t in range(count):
            out[t] = scale * plain[t] + bias


@compiled(relaxed=False)
def forward(plan, params, affine, weights, features, cached, work, indices, count):  # type: ignore[no-untyped-def]
    """From the inputs in the first layer's x rows to the outputs in the last x rows.

    features: rows of the first layer's B-splines if they are known (cached).
    """
    for index in range(len(plan.layers) - 1):
        layer = plan.layers[index]
        for j in range(layer.n_subnodes):
            clear(work[layer.sum_row + j], count)
        if index == 0 and cached:
            add_splines(plan, layer, features, indices, weights, work, count)
        else:
            fill_features(plan, layer, work, indices, count)
            add_splines(plan, layer, work, indices, weights, work, count)
        add_symbolic(plan, layer, params, work, count)
        fill_nodes(plan, layer, plan.layers[index + 1], affine, work, count)


@compiled(relaxed=False)
def nodes_backward(plan, layer, above, affine, work, sums, count):  # type: ignore[no-untyped-def]
    """From derivatives by the nodes to derivatives by the subnodes' sums.

    sums: derivatives by the affine maps, in the order of ``affine``, added to.
    """
    n_subnodes, n_nodes = layer.n_subnodes, layer.n_nodes
    scaled = layer.sum_row + n_subnodes
    maps = layer.affine + 2 * n_subnodes
    for i in range(n_nodes):
        node = plan.nodes[layer.first_node + i]
        given = work[above.dx_row + i]
        sums[maps + i] += dot(given, work[layer.node_row + i], count)
        sums[maps + n_nodes + i] += total(given, count)
        scale = affine[maps + i]
        for port in range(node.arity):
            out = work[layer.dsum_row + node.first + port]
            for t in range(count):
                out[t] = scale * given[t]
            # The product of the other factors, exact where a factor is 0.
            for other in range(node.arity):
                if other != port:
                    factor = work[scaled + node.first + other]
                    for t in range(count):
                        out[t] *= factor[t]
    for j in range(n_subnodes):
        out = work[layer.dsum_row + j]
        sums[layer.affine + j] += dot(out, work[layer.sum_row + j], count)
        sums[layer.affine + n_subnodes + j] += total(out, count)
        scale = affine[layer.affine + j]
        for t in range(count):
            out[t] *= scale


@compiled(relaxed=False)
def splines_backward(plan, layer, features, indices, slope_weights, work, sums, inputs, count):  # type: ignore[no-untyped-def]
    """Derivatives by the weights, and by the inputs if these are wanted."""
    slope_out = work[len(work) - 1]
    for e in range(layer.first_spline, layer.last_spline):
        edge = plan.splines[e]
        given = work[layer.dsum_row + edge.subnode]
        row = layer.feature_row + edge.slot * layer.features
        index = indices[layer.index_row + edge.slot]
        n_local = layer.degree + 1
        if layer.dense:
            add_products(features, row, layer.features, given, sums, edge.weights, count)
        else:
            add_local_products(features, row, n_local, index, given, sums, edge.weights, count)
            base = edge.weights + layer.width - 1
            add_products(features, row + n_local, 1, given, sums, base, count)
        if not inputs:
            continue
        clear(slope_out, count)
        slope = layer.slope_row + edge.slot * layer.slopes
        at = edge.slope_weights
        if layer.dense:
            n_low = layer.n_knots - layer.degree
            add_weighted(work, slope, n_low, slope_weights, at, slope_out, count)
        else:
            # The rows of degree - 1 begin one B-spline later than those of degree.
            add_local(work, slope, layer.degree, index, slope_weights, at + 1, slope_out, count)
        last = at + layer.slope_width - 1
        add_weighted(work, slope + layer.slopes - 1, 1, slope_weights, last, slope_out, count)
        out = work[layer.dx_row + edge.source]
        for t in range(count):
            out[t] += given[t] * slope_out[t]


@compiled(relaxed=False)
def symbolic_backward(plan, layer, params, work, gradient, inputs, count):  # type: ignore[no-untyped-def]
    """Derivatives by a, b, c, d, and by the inputs if these are wanted."""
    inner = work[len(work) - 1]
    for m in range(layer.first_symbolic, layer.last_symbolic):
        edge = plan.symbolic[m]
        at = edge.params
        given = work[layer.dsum_row + edge.subnode]
        row = layer.symbolic_row + 2 * (m - layer.first_symbolic)
        value, slope = work[row], work[row + 1]
        x = work[layer.x_row + edge.source]
        a, factor = params[at], edge.mask * params[at + 2]
        for t in range(count):
            inner[t] = factor * given[t] * slope[t]
        gradient[at] += dot(inner, x, count)
        gradient[at + 1] += total(inner, count)
        gradient[at + 2] += edge.mask * dot(given, value, count)
        gradient[at + 3] += edge.mask * total(given, count)
        if inputs:
            out = work[layer.dx_row + edge.source]
            for t in range(count):
                out[t] += a * inner[t]


@compiled(relaxed=False)
def backward(  # type: ignore[no-untyped-def]
    plan, params, affine, slope_weights, features, cached, work, indices, weight_sums,
    affine_sums, gradient, count,
):  # fmt: skip
    """From derivatives by the outputs (last dx rows) to sums over the tile's samples."""
    for index in range(len(plan.layers) - 2, -1, -1):
        layer = plan.layers[index]
        inputs = index > 0
        nodes_backward(plan, layer, plan.layers[index + 1], affine, work, affine_sums, count)
        for i in range(layer.n_sources):
            clear(work[layer.dx_row + i], count)
        splines_backward(
            plan, layer, features if cached and index == 0 else work, indices, slope_weights, work,
            weight_sums, inputs, count,
        )  # fmt: skip
        symbolic_backward(plan, layer, params, work, gradient, inputs, count)
