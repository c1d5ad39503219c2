"""B-splines of a tile of samples (de Boor, A Practical Guide to Splines, 2001, ch. IX).

Few knots: all B-splines, a row of samples for each, for matrix products ("dense").
Many knots: only those that are not 0 at a sample, beside each other ("local").
A row of silu follows. Derivatives stand in rows that are ``away`` from those of the values;
away is None where nobody asks for them, and what depends on that is decided at compilation.
"""

from __future__ import annotations

import numpy as np

from kanstudio.training.kernel.compiled import compiled
from kanstudio.training.kernel.either import exp_quick
from kanstudio.training.kernel.rows import (
    F0,
    F1,
    F3,
    FOUR,
    ONE,
    T1,
    T2,
    T3,
    THREE,
    TWO,
    U,
    at,
    four,
    put_four,
)

ZERO, FIVE, SIX, SEVEN, EIGHT, TWELVE = (np.uint64(i) for i in (0, 5, 6, 7, 8, 12))


@compiled(relaxed=False)
def silu_rows(work, row, value_row, away):  # type: ignore[no-untyped-def]
    """silu(x) = x / (1 + exp(-x)) and its derivative."""
    a, b = at(row), at(value_row)
    c = b if away is None else b + at(away)
    for t in range(T1):
        x = work[a + t]
        logistic = F1 / (F1 + exp_quick(-x))
        work[b + t] = x * logistic
        if away is not None:
            work[c + t] = logistic * (F1 + x * (F1 - logistic))


@compiled(relaxed=False)
def four_cubics(work, row, knots, k, factors, f, n, value_row, away):  # type: ignore[no-untyped-def]
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
    a, b = at(row), at(value_row)
    c = b if away is None else b + at(away)
    for t in range(T1):
        x = work[a + t]
        d0, d1, d2, d3 = x - k0, x - k1, x - k2, x - k3
        d4, d5, d6, d7 = x - k4, x - k5, x - k6, x - k7
        h0 = max(min(d0 * u0, d2 * v0), F0)
        h1 = max(min(d1 * u1, d3 * v1), F0)
        h2 = max(min(d2 * u2, d4 * v2), F0)
        h3 = max(min(d3 * u3, d5 * v3), F0)
        h4 = max(min(d4 * u4, d6 * v4), F0)
        h5 = max(min(d5 * u5, d7 * v5), F0)
        q0 = w0 * (d0 * h0 - d3 * h1)
        q1 = w1 * (d1 * h1 - d4 * h2)
        q2 = w2 * (d2 * h2 - d5 * h3)
        q3 = w3 * (d3 * h3 - d6 * h4)
        q4 = w4 * (d4 * h4 - d7 * h5)
        work[b + t] = d0 * q0 - d4 * q1
        work[b + T1 + t] = d1 * q1 - d5 * q2
        work[b + T2 + t] = d2 * q2 - d6 * q3
        work[b + T3 + t] = d3 * q3 - d7 * q4
        if away is not None:
            work[c + t] = F3 * (q0 - q1)
            work[c + T1 + t] = F3 * (q1 - q2)
            work[c + T2 + t] = F3 * (q2 - q3)
            work[c + T3 + t] = F3 * (q3 - q4)


@compiled(relaxed=False)
def cubic_basis(work, row, knots, k, n_knots, factors, f, value_row, away):  # type: ignore[no-untyped-def]
    """All B-splines of degree 3 and their derivatives; no two neighbouring knots coincide."""
    n_basis = n_knots - 4
    for block in range(0, n_basis, 4):
        # The last block overlaps the one before it if need be.
        b = min(block, n_basis - 4)
        four_cubics(work, row, knots, k + b, factors, f + b, n_knots, value_row + b, away)


@compiled(relaxed=False)
def step(work, row, low, high, out):  # type: ignore[no-untyped-def]
    """The B-spline of degree 0: 1 from low up to high."""
    a, b = at(row), at(out)
    for t in range(T1):
        x = work[a + t]
        work[b + t] = F1 if low <= x < high else F0


@compiled(relaxed=False)
def raise_degree(work, row, knots, k, degree, below, out):  # type: ignore[no-untyped-def]
    """One B-spline of ``degree`` on the knots from k, from its two neighbours below."""
    start, end = knots[k], knots[k + degree + 1]
    left, right = knots[k + degree] - start, end - knots[k + 1]
    # 0 / 0 counts as 0 where knots coincide.
    up, down = F1 / left if left > F0 else F0, F1 / right if right > F0 else F0
    a, b, c = at(row), at(below), at(out)
    for t in range(T1):
        x = work[a + t]
        work[c + t] = (x - start) * up * work[b + t] + (end - x) * down * work[b + T1 + t]


@compiled(relaxed=False)
def any_basis(work, row, knots, k, n_knots, degree, scratch, value_row, away):  # type: ignore[no-untyped-def]
    """All B-splines of any degree and their derivatives, whatever the knots.

    scratch: 2 * n_knots rows. Degrees take turns between two places: a row that is read
    and written at once would be computed sample by sample.
    """
    here, there = scratch, scratch + n_knots
    for b in range(n_knots - 1):
        step(work, row, knots[k + b], knots[k + b + 1], value_row + b if degree == 0 else here + b)
    for order in range(1, degree + 1):
        if order == degree:
            if away is not None:
                lower_slopes(work, knots, k, n_knots, degree, here, value_row + away)
            there = value_row
        for b in range(n_knots - 1 - order):
            raise_degree(work, row, knots, k + b, order, here + b, there + b)
        here, there = there, here


@compiled(relaxed=False)
def lower_slopes(work, knots, k, n_knots, degree, below, slope_row):  # type: ignore[no-untyped-def]
    """Derivatives from the B-splines of one degree less, in the rows from ``below``."""
    factor = work.dtype.type(degree)
    for b in range(n_knots - 1 - degree):
        left = knots[k + b + degree] - knots[k + b]
        right = knots[k + b + degree + 1] - knots[k + b + 1]
        up = factor / left if left > F0 else F0
        down = factor / right if right > F0 else F0
        a, c = at(below + b), at(slope_row + b)
        for t in range(T1):
            work[c + t] = up * work[a + t] - down * work[a + T1 + t]


@compiled(relaxed=False)
def find(x, knots, k, n_parts, starts, s, scale):  # type: ignore[no-untyped-def]
    """The interval of an x between the first and the last knot, counted from the first."""
    i = U(starts[s + U(min(int((x - knots[k]) * scale), n_parts - 1))])
    # No branch: one that is taken now and then costs more than all the rest.
    i += ONE if x >= knots[k + i + ONE] else ZERO
    while x < knots[k + i]:
        i -= ONE
    while x >= knots[k + i + ONE]:
        i += ONE
    return i


@compiled(relaxed=False)
def four_polynomials(pieces, p, order, size, share, on, scale, work, value, away):  # type: ignore[no-untyped-def]
    """Four polynomials and their derivatives by Horner's rule, into neighbouring numbers."""
    v0, v1, v2, v3 = four(pieces, p)
    d0 = d1 = d2 = d3 = F0
    for _ in range(ONE, order):
        p += size
        d0, d1, d2, d3 = d0 * share + v0, d1 * share + v1, d2 * share + v2, d3 * share + v3
        c0, c1, c2, c3 = four(pieces, p)
        v0, v1, v2, v3 = v0 * share + c0, v1 * share + c1, v2 * share + c2, v3 * share + c3
    put_four(work, value, on * v0, on * v1, on * v2, on * v3)
    if away is not None:
        put_four(work, value + at(away), scale * d0, scale * d1, scale * d2, scale * d3)


@compiled(relaxed=False)
def four_cubic_pieces(pieces, p, share, on, scale, work, value, away):  # type: ignore[no-untyped-def]
    """four_polynomials of degree 3, whose coefficients stand one after the other."""
    a0, a1, a2, a3 = four(pieces, p)
    b0, b1, b2, b3 = four(pieces, p + FOUR)
    c0, c1, c2, c3 = four(pieces, p + EIGHT)
    v0, v1, v2, v3 = four(pieces, p + TWELVE)
    b0, b1, b2, b3 = a0 * share + b0, a1 * share + b1, a2 * share + b2, a3 * share + b3
    c0, c1, c2, c3 = b0 * share + c0, b1 * share + c1, b2 * share + c2, b3 * share + c3
    v0, v1, v2, v3 = c0 * share + v0, c1 * share + v1, c2 * share + v2, c3 * share + v3
    put_four(work, value, on * v0, on * v1, on * v2, on * v3)
    if away is not None:
        b0, b1, b2, b3 = a0 * share + b0, a1 * share + b1, a2 * share + b2, a3 * share + b3
        c0, c1, c2, c3 = b0 * share + c0, b1 * share + c1, b2 * share + c2, b3 * share + c3
        put_four(work, value + at(away), scale * c0, scale * c1, scale * c2, scale * c3)


@compiled(relaxed=False)
def local_basis(  # type: ignore[no-untyped-def]
    work, row, knots, k, n_knots, starts, s, pieces, p, size, order, factors, f, values, away,
    indices, index_row,
):  # fmt: skip
    """The B-splines that are not 0 at each sample, ``size`` numbers a sample.

    starts from s, pieces from p, factors from f: see knots. order: the polynomials' number
    of coefficients. indices: the interval of each sample.
    """
    k, s, f, n, length = U(k), U(s), U(f), U(size), U(order)
    low, high = knots[k], knots[k + U(n_knots - 1)]
    n_parts = 4 * n_knots
    scale = work.dtype.type(n_parts) / (high - low) if high > low else F0
    a, out = at(row), at(index_row)
    for t in range(T1):
        x = work[a + t]
        inside = low <= x < high
        # Outside, all B-splines are 0.
        on = F1 if inside else F0
        x = x if inside else low
        i = find(x, knots, k, n_parts, starts, s, scale) if high > low else ZERO
        indices[out + t] = i
        inverse = factors[f + i]
        share = (x - knots[k + i]) * inverse
        p_x, v, slope = U(p) + i * length * n, at(values) + t * n, on * inverse
        if length == FOUR:
            four_cubic_pieces(pieces, p_x, share, on, slope, work, v, away)
        else:
            for r in range(ZERO, n, FOUR):
                four_polynomials(pieces, p_x + r, length, n, share, on, slope, work, v + r, away)
