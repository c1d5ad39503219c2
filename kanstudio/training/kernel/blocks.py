"""Sums of splines over the edges of a layer, forward and backward."""

from __future__ import annotations

from kanstudio.training.kernel.compiled import compiled
from kanstudio.training.kernel.panels import PANEL, product_panel, weigh_panel
from kanstudio.training.kernel.plan import LOCAL
from kanstudio.training.kernel.rows import (
    F0,
    FOUR,
    T1,
    U,
    add_four,
    at,
    four,
    product_row,
    slope_column,
    slope_row,
    slope_square,
    weigh_row,
)

MANY = 96
"""Rows that stay in the cache while they are used again and again."""


@compiled(relaxed=False)
def add_splines(plan, layer, source, base, indices, weights, work):  # type: ignore[no-untyped-def]
    """Add every active spline to its subnode's sum; features are rows of source from base."""
    if layer.kind == LOCAL:
        for e in range(layer.first_spline, layer.last_spline):
            edge = plan.splines[e]
            out = layer.sum_row + edge.subnode
            add_spline(layer, edge, source, base, indices, weights, work, out)
        return
    for i in range(layer.first_block, layer.last_block):
        block = plan.blocks[i]
        row = base + block.slot * layer.features
        weigh_block(layer, block, source, row, 0, block.n_rows, weights, work)


@compiled(relaxed=False)
def weigh_block(layer, block, source, row, begin, end, weights, work):  # type: ignore[no-untyped-def]
    """What rows begin to end of a block add to its subnodes; row 0 would be ``row`` of source."""
    out, n_rows, fours = layer.sum_row + block.subnode, block.n_rows, 4 * block.n_fours
    for start in range(begin, end, MANY):
        stop = min(start + MANY, end)
        count, panel = U(stop - start), U(PANEL // work.itemsize)
        for j in range(0, fours, 4):
            w, y = U(block.weights + j * n_rows + start), at(out + j)
            for t in range(U(0), T1, panel):
                x = at(row + start) + t
                weigh_panel(source, x, T1, weights, w, U(n_rows), work, y + t, count)
    for j in range(fours, block.n_subnodes):
        first = block.weights + j * n_rows + begin
        weigh_row(source, row + begin, end - begin, weights, first, work, out + j)


@compiled(relaxed=False)
def product_block(layer, block, source, row, begin, end, work, sums):  # type: ignore[no-untyped-def]
    """The reverse of weigh_block: derivatives by the weights."""
    given, n_rows, fours = layer.dsum_row + block.subnode, block.n_rows, 4 * block.n_fours
    for start in range(begin, end, MANY):
        stop = min(start + MANY, end)
        for j in range(0, fours, 4):
            for r in range(start, stop, 4):
                s = U(block.weights + j * n_rows + r)
                product_panel(source, at(row + r), T1, work, at(given + j), sums, s, U(n_rows))
    for j in range(fours, block.n_subnodes):
        first = block.weights + j * n_rows + begin
        product_row(source, row + begin, end - begin, work, given + j, sums, first)


@compiled(relaxed=False)
def add_products(plan, layer, source, base, indices, work, sums):  # type: ignore[no-untyped-def]
    """Derivatives by the weights, added to sums; those by the subnodes are in dsum rows."""
    if layer.kind == LOCAL:
        for e in range(layer.first_spline, layer.last_spline):
            edge = plan.splines[e]
            given = layer.dsum_row + edge.subnode
            add_product(layer, edge, source, base, indices, work, given, sums)
        return
    for i in range(layer.first_block, layer.last_block):
        block = plan.blocks[i]
        row = base + block.slot * layer.features
        product_block(layer, block, source, row, 0, block.n_rows, work, sums)


@compiled(relaxed=False)
def add_slopes(plan, layer, indices, weights, work):  # type: ignore[no-untyped-def]
    """Derivatives by the inputs, added to the dx rows."""
    if layer.kind == LOCAL:
        for e in range(layer.first_spline, layer.last_spline):
            edge = plan.splines[e]
            add_slope(layer, edge, indices, weights, work, layer.dsum_row + edge.subnode)
        return
    for i in range(layer.first_block, layer.last_block):
        block = plan.blocks[i]
        for slot in range(block.n_slots):
            row = layer.slope_row + (block.slot + slot) * layer.features
            out = layer.dx_row + plan.active[layer.first_active + block.slot + slot]
            block_slopes(layer, block, slot * layer.features, row, weights, work, out)


@compiled(relaxed=False)
def block_slopes(layer, block, column, row, weights, work, out):  # type: ignore[no-untyped-def]
    """One source's part of add_slopes: its rows of slopes, and the weights from a column."""
    given, stride = layer.dsum_row + block.subnode, block.n_rows
    fours = layer.features // 4 * 4
    for j in range(0, 4 * block.n_fours, 4):
        first = block.weights + j * stride + column
        for r in range(0, fours, 4):
            slope_square(row + r, work, given + j, weights, first + r, stride, out)
        for r in range(fours, layer.features):
            slope_column(row + r, work, given + j, weights, first + r, stride, out)
    for j in range(4 * block.n_fours, block.n_subnodes):
        first = block.weights + j * stride + column
        slope_row(row, layer.features, work, given + j, weights, first, out)


@compiled(relaxed=False)
def add_spline(layer, edge, source, base, indices, weights, work, out):  # type: ignore[no-untyped-def]
    """Add one edge's spline to a row of work."""
    row, first = base + edge.slot * layer.features, edge.weights
    if layer.kind == LOCAL:
        rest = layer.features - layer.size
        index = layer.index_row + edge.slot
        weigh_local(source, row, layer.size, indices, index, weights, first, work, out)
        weigh_row(source, row + layer.size, rest, weights, first + layer.width - 1, work, out)
    else:
        weigh_row(source, row, layer.features, weights, first, work, out)


@compiled(relaxed=False)
def add_product(layer, edge, source, base, indices, work, given, sums):  # type: ignore[no-untyped-def]
    """Derivatives by one edge's weights, from the row ``given`` of those by the edge."""
    row, first = base + edge.slot * layer.features, edge.weights
    if layer.kind == LOCAL:
        rest = layer.features - layer.size
        index = layer.index_row + edge.slot
        product_local(source, row, layer.size, indices, index, work, given, sums, first)
        product_row(source, row + layer.size, rest, work, given, sums, first + layer.width - 1)
    else:
        product_row(source, row, layer.features, work, given, sums, first)


@compiled(relaxed=False)
def add_slope(layer, edge, indices, weights, work, given):  # type: ignore[no-untyped-def]
    """The derivative by one edge's input, from the row ``given`` of those by the edge."""
    row, first = layer.slope_row + edge.slot * layer.features, edge.weights
    out = layer.dx_row + edge.source
    if layer.kind == LOCAL:
        rest = layer.features - layer.size
        index = layer.index_row + edge.slot
        slope_local(row, layer.size, indices, index, weights, first, work, given, out)
        slope_row(row + layer.size, rest, work, given, weights, first + layer.width - 1, out)
    else:
        slope_row(row, layer.features, work, given, weights, first, out)


@compiled(relaxed=True)
def dot_four(left, i, right, j):  # type: ignore[no-untyped-def]
    """Scalar product of four neighbouring numbers."""
    a, b, c, d = four(left, i)
    e, f, g, h = four(right, j)
    return a * e + b * f + (c * g + d * h)


@compiled(relaxed=True)
def weigh_local(source, row, size, indices, index_row, weights, first, work, out):  # type: ignore[no-untyped-def]
    """Add to a row of work ``size`` numbers a sample, each with weights of its own."""
    a, i, y, n = at(row), at(index_row), at(out), U(size)
    for t in range(T1):
        w, x = U(first) + U(indices[i + t]), a + t * n
        value = F0
        for r in range(U(0), n, FOUR):
            value += dot_four(weights, w + r, source, x + r)
        work[y + t] += value


@compiled(relaxed=True)
def product_local(source, row, size, indices, index_row, work, given, sums, first):  # type: ignore[no-untyped-def]
    """Add the products of a row of work with ``size`` numbers a sample to sums of their own."""
    a, i, y, n = at(row), at(index_row), at(given), U(size)
    for t in range(T1):
        s, x, g = U(first) + U(indices[i + t]), a + t * n, work[y + t]
        for r in range(U(0), n, FOUR):
            b, c, d, e = four(source, x + r)
            add_four(sums, s + r, g * b, g * c, g * d, g * e)


@compiled(relaxed=True)
def slope_local(row, size, indices, index_row, weights, first, work, given, out):  # type: ignore[no-untyped-def]
    """weigh_local of slopes, times a given row."""
    a, i, y, z, n = at(row), at(index_row), at(given), at(out), U(size)
    for t in range(T1):
        w, x = U(first) + U(indices[i + t]), a + t * n
        slope = F0
        for r in range(U(0), n, FOUR):
            slope += dot_four(weights, w + r, work, x + r)
        work[z + t] += work[y + t] * slope
