"""Sums over rows of samples: the arithmetic that a step spends its time in."""

from __future__ import annotations

from kanstudio.training.kernel.compiled import compiled


@compiled(relaxed=False)
def clear(values, count):  # type: ignore[no-untyped-def]
    for t in range(count):
        values[t] = 0.0


@compiled(relaxed=False)
def copy(source, target, count):  # type: ignore[no-untyped-def]
    for t in range(count):
        target[t] = source[t]


@compiled(relaxed=True)
def add_weighted(work, row, n_rows, weights, at, out, count):  # type: ignore[no-untyped-def]
    """out += sum of weights[at + i] * work[row + i] for i < n_rows, four rows at a time."""
    i = 0
    while i + 4 <= n_rows:
        a, b, c, d = weights[at + i], weights[at + i + 1], weights[at + i + 2], weights[at + i + 3]
        p, q = work[row + i], work[row + i + 1]
        r, s = work[row + i + 2], work[row + i + 3]
        for t in range(count):
            out[t] += a * p[t] + b * q[t] + c * r[t] + d * s[t]
        i += 4
    while i < n_rows:
        a, p = weights[at + i], work[row + i]
        for t in range(count):
            out[t] += a * p[t]
        i += 1


@compiled(relaxed=True)
def add_products(work, row, n_rows, factor, sums, at, count):  # type: ignore[no-untyped-def]
    """sums[at + i] += factor . work[row + i] for i < n_rows, four rows at a time."""
    i = 0
    while i + 4 <= n_rows:
        p, q = work[row + i], work[row + i + 1]
        r, s = work[row + i + 2], work[row + i + 3]
        a = b = c = d = 0.0
        for t in range(count):
            f = factor[t]
            a += f * p[t]
            b += f * q[t]
            c += f * r[t]
            d += f * s[t]
        sums[at + i] += a
        sums[at + i + 1] += b
        sums[at + i + 2] += c
        sums[at + i + 3] += d
        i += 4
    while i < n_rows:
        sums[at + i] += dot(factor, work[row + i], count)
        i += 1


@compiled(relaxed=True)
def dot(left, right, count):  # type: ignore[no-untyped-def]
    total = 0.0
    for t in range(count):
        total += left[t] * right[t]
    return total


@compiled(relaxed=True)
def total(values, count):  # type: ignore[no-untyped-def]
    result = 0.0
    for t in range(count):
        result += values[t]
    return result


@compiled(relaxed=True)
def add_local(work, row, n_rows, index, weights, at, out, count):  # type: ignore[no-untyped-def]
    """The same as add_weighted where each sample has rows of its own, from index on."""
    for r in range(n_rows):
        p = work[row + r]
        for t in range(count):
            out[t] += weights[at + index[t] + r] * p[t]


@compiled(relaxed=True)
def add_local_products(work, row, n_rows, index, factor, sums, at, count):  # type: ignore[no-untyped-def]
    """The same as add_products where each sample has rows of its own, from index on."""
    for r in range(n_rows):
        p = work[row + r]
        for t in range(count):
            sums[at + index[t] + r] += factor[t] * p[t]
