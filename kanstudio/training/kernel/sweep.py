"""Forward and backward through all layers for one tile of samples."""

from __future__ import annotations

from kanstudio.training.kernel.blocks import (
    add_products,
    add_slopes,
    add_splines,
    product_block,
    weigh_block,
)
from kanstudio.training.kernel.compiled import compiled
from kanstudio.training.kernel.fronts import apply
from kanstudio.training.kernel.plan import CUBIC, LOCAL
from kanstudio.training.kernel.rows import F0, T1, TILE, at, clear, dot, total
from kanstudio.training.kernel.splines import any_basis, cubic_basis, local_basis, silu_rows

SCRATCH = 4
"""Rows at the end of the workspace for the arguments of functions."""


@compiled(relaxed=False)
def fill_features(plan, layer, begin, end, away, work, indices):  # type: ignore[no-untyped-def]
    """B-splines and silu of the active sources begin to end; away: see splines."""
    n_knots, degree = layer.n_knots, layer.degree
    for a in range(begin, end):
        row = layer.x_row + plan.active[layer.first_active + a]
        k = layer.knots + a * n_knots
        value = layer.feature_row + (a - begin) * layer.features
        if layer.kind == CUBIC:
            f = layer.factors + 3 * a * n_knots
            cubic_basis(work, row, plan.knots, k, n_knots, plan.factors, f, value, away)
        elif layer.kind == LOCAL:
            s, f = layer.starts + 4 * a * n_knots, layer.factors + a * n_knots
            p = layer.pieces + a * (n_knots - 1) * (degree + 1) * layer.size
            local_basis(
                work, row, plan.knots, k, n_knots, plan.starts, s, plan.pieces, p, layer.size,
                degree + 1, plan.factors, f, value, away, indices, layer.index_row + a,
            )  # fmt: skip
        else:
            scratch = len(work) // TILE - 2 * n_knots
            any_basis(work, row, plan.knots, k, n_knots, degree, scratch, value, away)
        silu_rows(work, row, value + layer.features - 1, away)


@compiled(relaxed=False)
def add_symbolic(plan, layer, params, work):  # type: ignore[no-untyped-def]
    """Add mask * (c f(a x + b) + d) of every active symbolic front; keep f and f'."""
    argument = len(work) // TILE - SCRATCH
    z = at(argument)
    for m in range(layer.first_symbolic, layer.last_symbolic):
        edge = plan.symbolic[m]
        a, b = params[edge.params], params[edge.params + 1]
        c, d = edge.mask * params[edge.params + 2], edge.mask * params[edge.params + 3]
        x, out = at(layer.x_row + edge.source), at(layer.sum_row + edge.subnode)
        row = layer.symbolic_row + 2 * (m - layer.first_symbolic)
        for t in range(T1):
            work[z + t] = a * work[x + t] + b
        apply(edge.function, work, argument, argument + 1, row, row + 1)
        value = at(row)
        for t in range(T1):
            work[out + t] += c * work[value + t] + d


@compiled(relaxed=False)
def fill_nodes(plan, layer, above, affine, work):  # type: ignore[no-untyped-def]
    """Affine maps of the subnodes, products, affine maps of the nodes."""
    n_subnodes, n_nodes = layer.n_subnodes, layer.n_nodes
    scaled = layer.sum_row + n_subnodes + 3
    maps = layer.affine
    for j in range(n_subnodes):
        scale, bias = affine[maps + j], affine[maps + n_subnodes + j]
        raw, out = at(layer.sum_row + j), at(scaled + j)
        for t in range(T1):
            work[out + t] = scale * work[raw + t] + bias
    maps += 2 * n_subnodes
    for i in range(n_nodes):
        node = plan.nodes[layer.first_node + i]
        scale, bias = affine[maps + i], affine[maps + n_nodes + i]
        plain, out = at(layer.node_row + i), at(above.x_row + i)
        first = at(scaled + node.first)
        if node.arity == 1:
            for t in range(T1):
                work[out + t] = scale * work[first + t] + bias
            continue
        second = at(scaled + node.first + 1)
        for t in range(T1):
            work[plain + t] = work[first + t] * work[second + t]
        for port in range(2, node.arity):
            factor = at(scaled + node.first + port)
            for t in range(T1):
                work[plain + t] *= work[factor + t]
        for t in range(T1):
            work[out + t] = scale * work[plain + t] + bias


@compiled(relaxed=False)
def stream(plan, layer, weights, sums, work, indices):  # type: ignore[no-untyped-def]
    """The splines of a wide first layer, forward, or with ``sums`` (else None) backward.

    A few sources at a time, whose B-splines stay in the cache; to keep those of all and to
    read them again would take longer than to compute them.
    """
    block, n_active = plan.blocks[layer.first_block], layer.last_active - layer.first_active
    for begin in range(0, n_active, layer.streamed):
        end = min(begin + layer.streamed, n_active)
        fill_features(plan, layer, begin, end, None, work, indices)
        first = begin * layer.features
        last = block.n_rows if end == n_active else end * layer.features
        row = layer.feature_row - first
        if sums is None:
            weigh_block(layer, block, work, row, first, last, weights, work)
        else:
            product_block(layer, block, work, row, first, last, work, sums)


@compiled(relaxed=False)
def forward(plan, params, affine, weights, features, cached, slopes, work, indices):  # type: ignore[no-untyped-def]
    """From the inputs in the first layer's x rows to the outputs in the last x rows.

    features: rows of the first layer's B-splines if they are known (cached). slopes: whether
    derivatives of B-splines are asked for; those by the inputs of the network never are.
    """
    for index in range(len(plan.layers) - 1):
        layer = plan.layers[index]
        clear(work, layer.sum_row * TILE, layer.n_subnodes * TILE)
        known, n_active = index == 0 and cached, layer.last_active - layer.first_active
        source, base = (features, 0) if known else (work, layer.feature_row)
        if layer.streamed:
            stream(plan, layer, weights, None, work, indices)
        else:
            if slopes and index > 0:
                away = layer.slope_row - layer.feature_row
                fill_features(plan, layer, 0, n_active, away, work, indices)
            elif not known:
                fill_features(plan, layer, 0, n_active, None, work, indices)
            add_splines(plan, layer, source, base, indices, weights, work)
        add_symbolic(plan, layer, params, work)
        fill_nodes(plan, layer, plan.layers[index + 1], affine, work)


@compiled(relaxed=False)
def node_backward(work, scaled, given, scale, first, arity, out):  # type: ignore[no-untyped-def]
    """From the derivative by a product to those by its factors, exact where these are 0."""
    g = at(given)
    for port in range(arity):
        o = at(out + port)
        for t in range(T1):
            work[o + t] = scale * work[g + t]
        for other in range(arity):
            if other != port:
                factor = at(scaled + first + other)
                for t in range(T1):
                    work[o + t] *= work[factor + t]


@compiled(relaxed=False)
def nodes_backward(plan, layer, above, affine, work, sums):  # type: ignore[no-untyped-def]
    """From derivatives by the nodes to derivatives by the subnodes' sums.

    sums: derivatives by the affine maps, in the order of ``affine``, added to.
    """
    n_subnodes, n_nodes = layer.n_subnodes, layer.n_nodes
    scaled = layer.sum_row + n_subnodes + 3
    maps = layer.affine + 2 * n_subnodes
    for i in range(n_nodes):
        node = plan.nodes[layer.first_node + i]
        given = above.dx_row + i
        if layer.affine_params >= 0:
            plain = layer.node_row + i if node.arity > 1 else scaled + node.first
            sums[maps + i] += dot(work, given, work, plain)
            sums[maps + n_nodes + i] += total(work, given)
        out = layer.dsum_row + node.first
        node_backward(work, scaled, given, affine[maps + i], node.first, node.arity, out)
    for j in range(n_subnodes):
        row = layer.dsum_row + j
        if layer.affine_params >= 0:
            sums[layer.affine + j] += dot(work, row, work, layer.sum_row + j)
            sums[layer.affine + n_subnodes + j] += total(work, row)
        scale, out = affine[layer.affine + j], at(row)
        if scale != 1.0:
            for t in range(T1):
                work[out + t] *= scale


@compiled(relaxed=True)
def front_backward(work, given, value, slope, x, factor, a, out):  # type: ignore[no-untyped-def]
    """Sums of z x, z, given * value and given, where z is factor * given * slope.

    Adds a z to row out, unless that is None.
    """
    g, v, s, y = at(given), at(value), at(slope), at(x)
    o = g if out is None else at(out)
    p = q = r = u = F0
    for t in range(T1):
        inner = factor * work[g + t] * work[s + t]
        p += inner * work[y + t]
        q += inner
        r += work[g + t] * work[v + t]
        u += work[g + t]
        if out is not None:
            work[o + t] += a * inner
    return p, q, r, u


@compiled(relaxed=False)
def symbolic_backward(plan, layer, m, params, work, given, gradient, inputs):  # type: ignore[no-untyped-def]
    """Derivatives by a, b, c, d of front m, and by its input if that is wanted.

    given: the row of derivatives by the front.
    """
    edge = plan.symbolic[m]
    p, x = edge.params, layer.x_row + edge.source
    value = layer.symbolic_row + 2 * (m - layer.first_symbolic)
    a, factor = params[p], edge.mask * params[p + 2]
    if inputs:
        out = layer.dx_row + edge.source
        sums = front_backward(work, given, value, value + 1, x, factor, a, out)
    else:
        sums = front_backward(work, given, value, value + 1, x, factor, a, None)
    gradient[p] += sums[0]
    gradient[p + 1] += sums[1]
    gradient[p + 2] += edge.mask * sums[2]
    gradient[p + 3] += edge.mask * sums[3]


@compiled(relaxed=False)
def backward(  # type: ignore[no-untyped-def]
    plan, params, affine, weights, features, cached, work, indices, weight_sums, affine_sums,
    gradient,
):  # fmt: skip
    """From derivatives by the outputs (last dx rows) to sums over the tile's samples."""
    for index in range(len(plan.layers) - 2, -1, -1):
        layer = plan.layers[index]
        inputs = index > 0
        nodes_backward(plan, layer, plan.layers[index + 1], affine, work, affine_sums)
        source, base = (features, 0) if index == 0 and cached else (work, layer.feature_row)
        if layer.streamed:
            stream(plan, layer, weights, weight_sums, work, indices)
        else:
            add_products(plan, layer, source, base, indices, work, weight_sums)
        if inputs:
            clear(work, layer.dx_row * TILE, layer.n_sources * TILE)
            add_slopes(plan, layer, indices, weights, work)
        for m in range(layer.first_symbolic, layer.last_symbolic):
            given = layer.dsum_row + plan.symbolic[m].subnode
            symbolic_backward(plan, layer, m, params, work, given, gradient, inputs)
