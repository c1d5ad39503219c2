"""Arithmetic on rows of samples.

A row is TILE neighbouring numbers of a flat array, one per sample, and row r begins at
``r * TILE``. Positions are unsigned and loops have a constant length: only then does LLVM
turn a loop into plain vector code. Blocks of four rows by four rows keep 16 factors in
registers, so that arithmetic and not memory sets the speed.
"""

from __future__ import annotations

import numpy as np

from kanstudio.training.kernel.compiled import compiled

TILE = 256
"""Samples that go through the whole network together: few enough for the cache."""

U = np.uint64
T0, T1, T2, T3 = (np.uint64(i * TILE) for i in range(4))
"""Offsets of neighbouring rows; T1 is the length of a row, too."""
ONE, TWO, THREE, FOUR = (np.uint64(i) for i in range(1, 5))

F0, F1, F2, F3 = (np.float32(i) for i in range(4))
"""Small numbers for arithmetic. A plain 0.0 is float64, and would make float64 of all that it
meets; these become float64 themselves where they meet it, which changes nothing of them."""


@compiled(relaxed=False)
def at(row):  # type: ignore[no-untyped-def]
    """Where a row begins."""
    return U(row) * T1


@compiled(relaxed=False)
def clear(values, start, count):  # type: ignore[no-untyped-def]
    first = U(start)
    for t in range(U(count)):
        values[first + t] = 0.0


@compiled(relaxed=False)
def copy(source, first, target, start, count):  # type: ignore[no-untyped-def]
    a, b = U(first), U(start)
    for t in range(U(count)):
        target[b + t] = source[a + t]


@compiled(relaxed=True)
def dot(left, i, right, j):  # type: ignore[no-untyped-def]
    """Scalar product of two rows."""
    a, b, result = at(i), at(j), F0
    for t in range(T1):
        result += left[a + t] * right[b + t]
    return result


@compiled(relaxed=True)
def total(values, i):  # type: ignore[no-untyped-def]
    """Sum of a row."""
    a, result = at(i), F0
    for t in range(T1):
        result += values[a + t]
    return result


@compiled(relaxed=False)
def four(values, first):  # type: ignore[no-untyped-def]
    """Four neighbouring numbers."""
    return values[first], values[first + ONE], values[first + TWO], values[first + THREE]


@compiled(relaxed=False)
def put_four(values, first, a, b, c, d):  # type: ignore[no-untyped-def]
    """The reverse of four. All are known before the first is written: one instruction."""
    values[first], values[first + ONE] = a, b
    values[first + TWO], values[first + THREE] = c, d


@compiled(relaxed=False)
def load_square(w, first, stride):  # type: ignore[no-untyped-def]
    """The 4 x 4 numbers of a matrix that begin at ``first``."""
    a, b = U(first), U(first + stride)
    c, d = U(first + 2 * stride), U(first + 3 * stride)
    return (
        w[a], w[a + ONE], w[a + TWO], w[a + THREE],
        w[b], w[b + ONE], w[b + TWO], w[b + THREE],
        w[c], w[c + ONE], w[c + TWO], w[c + THREE],
        w[d], w[d + ONE], w[d + TWO], w[d + THREE],
    )  # fmt: skip


@compiled(relaxed=True)
def weigh_row(source, row, n_rows, weights, first, work, out):  # type: ignore[no-untyped-def]
    """Add to one row of work n_rows rows of source."""
    y = at(out)
    i = 0
    while i + 4 <= n_rows:
        w, x = U(first + i), at(row + i)
        a, b, c, d = weights[w], weights[w + ONE], weights[w + TWO], weights[w + THREE]
        for t in range(T1):
            work[y + t] += (
                a * source[x + t]
                + b * source[x + T1 + t]
                + c * source[x + T2 + t]
                + d * source[x + T3 + t]
            )
        i += 4
    while i < n_rows:
        a, x = weights[U(first + i)], at(row + i)
        for t in range(T1):
            work[y + t] += a * source[x + t]
        i += 1


@compiled(relaxed=False)
def add_four(sums, first, a, b, c, d):  # type: ignore[no-untyped-def]
    s = U(first)
    e, f, g, h = four(sums, s)
    put_four(sums, s, e + a, f + b, g + c, h + d)


@compiled(relaxed=True)
def product_row(source, row, n_rows, work, given, sums, first):  # type: ignore[no-untyped-def]
    """Add the scalar products of one row of work with n_rows rows of source to sums."""
    y = at(given)
    i = 0
    while i + 4 <= n_rows:
        x = at(row + i)
        a = b = c = d = F0
        for t in range(T1):
            w = work[y + t]
            a += w * source[x + t]
            b += w * source[x + T1 + t]
            c += w * source[x + T2 + t]
            d += w * source[x + T3 + t]
        add_four(sums, first + i, a, b, c, d)
        i += 4
    while i < n_rows:
        sums[U(first + i)] += dot(source, row + i, work, given)
        i += 1


@compiled(relaxed=True)
def slope_square(row, work, given, weights, first, stride, out):  # type: ignore[no-untyped-def]
    """Add sum_r work[row + r] * sum_j weights[j, r] * work[given + j], 4 by 4, to a row."""
    a, b, c, d, e, f, g, h, i, j, k, m, n, o, p, q = load_square(weights, first, stride)
    x, y, z = at(row), at(given), at(out)
    for t in range(T1):
        r, s, u, v = work[y + t], work[y + T1 + t], work[y + T2 + t], work[y + T3 + t]
        work[z + t] += (
            work[x + t] * (a * r + e * s + i * u + n * v)
            + work[x + T1 + t] * (b * r + f * s + j * u + o * v)
            + work[x + T2 + t] * (c * r + g * s + k * u + p * v)
            + work[x + T3 + t] * (d * r + h * s + m * u + q * v)
        )


@compiled(relaxed=True)
def slope_column(row, work, given, weights, first, stride, out):  # type: ignore[no-untyped-def]
    """The same for one row of slopes and four given rows."""
    a, b = weights[U(first)], weights[U(first + stride)]
    c, d = weights[U(first + 2 * stride)], weights[U(first + 3 * stride)]
    x, y, z = at(row), at(given), at(out)
    for t in range(T1):
        work[z + t] += work[x + t] * (
            a * work[y + t] + b * work[y + T1 + t] + c * work[y + T2 + t] + d * work[y + T3 + t]
        )


@compiled(relaxed=True)
def slope_row(row, n_rows, work, given, weights, first, out):  # type: ignore[no-untyped-def]
    """The same for n_rows rows of slopes and one given row."""
    y, z = at(given), at(out)
    i = 0
    while i + 4 <= n_rows:
        w, x = U(first + i), at(row + i)
        a, b, c, d = weights[w], weights[w + ONE], weights[w + TWO], weights[w + THREE]
        for t in range(T1):
            work[z + t] += work[y + t] * (
                a * work[x + t] + b * work[x + T1 + t] + c * work[x + T2 + t] + d * work[x + T3 + t]
            )
        i += 4
    while i < n_rows:
        a, x = weights[U(first + i)], at(row + i)
        for t in range(T1):
            work[z + t] += work[y + t] * a * work[x + t]
        i += 1
