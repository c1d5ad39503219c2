"""B-splines of a tile of samples (de Boor, A Practical Guide to Splines, 2001, ch. IX).

Few knots: all B-splines, a row of samples for each, for matrix products ("dense").
Many knots: only those that are not 0 at a sample, beside each other ("local").
With the values go the derivatives; a row of silu and of its derivative follows.
"""

from __future__ import annotations

import numpy as np

from kanstudio.training.kernel.compiled import compiled
from kanstudio.training.kernel.elementary import exp_quick
from kanstudio.training.kernel.rows import FOUR, ONE, T1, T2, T3, THREE, TWO, U, at

FIVE, SIX, SEVEN = np.uint64(5), np.uint64(6), np.uint64(7)


@compiled(relaxed=False)
def silu_rows(work, row, value_row, slope_row):  # type: ignore[no-untyped-def]
    """silu(x) = x / (1 + exp(-x)) and its derivative."""
    a, b, c = at(row), at(value_row), at(slope_row)
    for t in range(T1):
        x = work[a + t]
        logistic = 1.0 / (1.0 + exp_quick(-x))
        work[b + t] = x * logistic
        work[c + t] = logistic * (1.0 + x * (1.0 - logistic))


@compiled(relaxed=False)
def four_cubics(work, row, knots, k, factors, f, n, value_row, slope_row):  # type: ignore[no-untyped-def]
    """Four neighbouring B-splines of degree 3 and their derivatives.

    knots from k; factors from f: three times n numbers, see plan.cubic_factors. Degree by
    degree, each divided by the width of the next degree already.
    """
    k, u, v, w = U(k), U(f), U(f + n), U(f + 2 * n)
    k0, k1, k2, k3 = knots[k], knots[k + ONE], knots[k + TWO], knots[k + THREE]
    k4, k5, k6 = knots[k + FOUR], knots[k + FIVE], knots[k + SIX]
    k7 = knots[k + SEVEN]
    u0, u1, u2, u3 = factors[u], factors[u + ONE], factors[u + TWO], factors[u + THREE]
    v0, v1, v2, v3 = factors[v], factors[v + ONE], factors[v + TWO], factors[v + THREE]
    u4, u5, v4, v5 = factors[u + FOUR], factors[u + FIVE], factors[v + FOUR], factors[v + FIVE]
    w0, w1, w2, w3 = factors[w], factors[w + ONE], factors[w + TWO], factors[w + THREE]
    w4 = factors[w + FOUR]
    a, b, c = at(row), at(value_row), at(slope_row)
    for t in range(T1):
        x = work[a + t]
        d0, d1, d2, d3 = x - k0, x - k1, x - k2, x - k3
        d4, d5, d6, d7 = x - k4, x - k5, x - k6, x - k7
        h0 = max(min(d0 * u0, d2 * v0), 0.0)
        h1 = max(min(d1 * u1, d3 * v1), 0.0)
        h2 = max(min(d2 * u2, d4 * v2), 0.0)
        h3 = max(min(d3 * u3, d5 * v3), 0.0)
        h4 = max(min(d4 * u4, d6 * v4), 0.0)
        h5 = max(min(d5 * u5, d7 * v5), 0.0)
        q0 = w0 * (d0 * h0 - d3 * h1)
        q1 = w1 * (d1 * h1 - d4 * h2)
        q2 = w2 * (d2 * h2 - d5 * h3)
        q3 = w3 * (d3 * h3 - d6 * h4)
        q4 = w4 * (d4 * h4 - d7 * h5)
        work[b + t] = d0 * q0 - d4 * q1
        work[b + T1 + t] = d1 * q1 - d5 * q2
        work[b + T2 + t] = d2 * q2 - d6 * q3
        work[b + T3 + t] = d3 * q3 - d7 * q4
        work[c + t] = 3.0 * (q0 - q1)
        work[c + T1 + t] = 3.0 * (q1 - q2)
        work[c + T2 + t] = 3.0 * (q2 - q3)
        work[c + T3 + t] = 3.0 * (q3 - q4)


@compiled(relaxed=False)
def cubic_basis(work, row, knots, k, n_knots, factors, f, value_row, slope_row):  # type: ignore[no-untyped-def]
    """All B-splines of degree 3 and their derivatives; no two neighbouring knots coincide."""
    n_basis = n_knots - 4
    for block in range(0, n_basis, 4):
        # The last block overlaps the one before it if need be.
        b = min(block, n_basis - 4)
        four_cubics(work, row, knots, k + b, factors, f + b, n_knots, value_row + b, slope_row + b)


@compiled(relaxed=False)
def step(work, row, low, high, out):  # type: ignore[no-untyped-def]
    """The B-spline of degree 0: 1 from low up to high."""
    a, b = at(row), at(out)
    for t in range(T1):
        x = work[a + t]
        work[b + t] = 1.0 if low <= x < high else 0.0


@compiled(relaxed=False)
def raise_degree(work, row, knots, k, degree, below, out):  # type: ignore[no-untyped-def]
    """One B-spline of ``degree`` on the knots from k, from its two neighbours below."""
    start, end = knots[k], knots[k + degree + 1]
    left, right = knots[k + degree] - start, end - knots[k + 1]
    # 0 / 0 counts as 0 where knots coincide.
    up, down = 1.0 / left if left > 0.0 else 0.0, 1.0 / right if right > 0.0 else 0.0
    a, b, c = at(row), at(below), at(out)
    for t in range(T1):
        x = work[a + t]
        work[c + t] = (x - start) * up * work[b + t] + (end - x) * down * work[b + T1 + t]


@compiled(relaxed=False)
def any_basis(work, row, knots, k, n_knots, degree, scratch, value_row, slope_row):  # type: ignore[no-untyped-def]
    """All B-splines of any degree and their derivatives, whatever the knots.

    scratch: 2 * n_knots rows. Degrees take turns between two places: a row that is read
    and written at once would be computed sample by sample.
    """
    here, there = scratch, scratch + n_knots
    for b in range(n_knots - 1):
        step(work, row, knots[k + b], knots[k + b + 1], value_row + b if degree == 0 else here + b)
    for order in range(1, degree + 1):
        if order == degree:
            lower_slopes(work, knots, k, n_knots, degree, here, slope_row)
            there = value_row
        for b in range(n_knots - 1 - order):
            raise_degree(work, row, knots, k + b, order, here + b, there + b)
        here, there = there, here


@compiled(relaxed=False)
def lower_slopes(work, knots, k, n_knots, degree, below, slope_row):  # type: ignore[no-untyped-def]
    """Derivatives from the B-splines of one degree less, in the rows from ``below``."""
    for b in range(n_knots - 1 - degree):
        left = knots[k + b + degree] - knots[k + b]
        right = knots[k + b + degree + 1] - knots[k + b + 1]
        up = degree / left if left > 0.0 else 0.0
        down = degree / right if right > 0.0 else 0.0
        a, c = at(below + b), at(slope_row + b)
        for t in range(T1):
            work[c + t] = up * work[a + t] - down * work[a + T1 + t]


@compiled(relaxed=False)
def local_basis(work, row, knots, k, n_knots, starts, s, pieces, p, size, order, values, slopes,  # type: ignore[no-untyped-def]
                indices, index_row):  # fmt: skip
    """The B-splines that are not 0 at each sample, ``size`` numbers a sample.

    starts from s: for 2 n_knots equal parts of the span the interval where each begins.
    pieces from p: per interval the polynomials, see plan.spline_pieces; order: their number
    of coefficients. indices: the interval of each sample.
    """
    a, out = at(row), at(index_row)
    low, high = knots[k], knots[k + n_knots - 1]
    scale = 2 * n_knots / (high - low) if high > low else 0.0
    v, d = at(values), at(slopes)
    for t in range(T1):
        x = work[a + t]
        if not low <= x < high:
            indices[out + t] = 0
            for r in range(U(size)):
                work[v + t * U(size) + r] = 0.0
                work[d + t * U(size) + r] = 0.0
            continue
        i = starts[s + min(int((x - low) * scale), 2 * n_knots - 1)]
        while x < knots[k + i]:
            i -= 1
        while x >= knots[k + i + 1]:
            i += 1
        indices[out + t] = i
        inverse = 1.0 / (knots[k + i + 1] - knots[k + i])
        share = (x - knots[k + i]) * inverse
        piece = U(p + i * order * size)
        for r in range(U(size)):
            value, slope = 0.0, 0.0
            for c in range(U(order)):
                slope = slope * share + value
                value = value * share + pieces[piece + c * U(size) + r]
            work[v + t * U(size) + r] = value
            work[d + t * U(size) + r] = slope * inverse
