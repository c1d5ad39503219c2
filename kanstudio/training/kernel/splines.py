"""B-splines of a tile of samples (de Boor, A Practical Guide to Splines, 2001, ch. IX).

A row holds one number per sample, so that inner loops run over neighbouring samples.
Alongside each B-spline of degree k the ones of degree k - 1 are kept: the derivative of
``sum_b c_b B_b`` is ``sum_b k (c_b - c_{b-1}) / (t_{b+k} - t_b) B_{b, k-1}``.
"""

from __future__ import annotations

import numpy as np

from kanstudio.training.kernel.compiled import compiled
from kanstudio.training.kernel.rows import clear
from kanstudio.training.kernel.univariate import exp_quick


@compiled(relaxed=False)
def silu_rows(x, work, value_row, slope_row, count):  # type: ignore[no-untyped-def]
    """silu(x) = x / (1 + exp(-x)) and its derivative."""
    for t in range(count):
        logistic = 1.0 / (1.0 + exp_quick(-x[t]))
        work[value_row, t] = x[t] * logistic
        work[slope_row, t] = logistic * (1.0 + x[t] * (1.0 - logistic))


@compiled(relaxed=False)
def step(x, knots, b, out, count):  # type: ignore[no-untyped-def]
    """The B-spline of degree 0: 1 from knots[b] up to knots[b + 1]."""
    low, high = knots[b], knots[b + 1]
    for t in range(count):
        out[t] = 1.0 if low <= x[t] < high else 0.0


@compiled(relaxed=False)
def hat(x, knots, widths, b, out, count):  # type: ignore[no-untyped-def]
    """The B-spline of degree 1 over knots[b] to knots[b + 2], without those of degree 0."""
    start, middle, end = knots[b], knots[b + 1], knots[b + 2]
    up, down = widths[b], widths[b + 1]
    if up > 0.0 and down > 0.0:
        for t in range(count):
            out[t] = max(min((x[t] - start) * up, (end - x[t]) * down), 0.0)
        return
    for t in range(count):
        rising = (x[t] - start) * up if start <= x[t] < middle else 0.0
        out[t] = rising + ((end - x[t]) * down if middle <= x[t] < end else 0.0)


@compiled(relaxed=False)
def raise_order(x, knots, widths, at, order, b, left, right, out, count):  # type: ignore[no-untyped-def]
    """One B-spline of ``order`` from its two neighbours of the order below."""
    start, end = knots[b], knots[b + order + 1]
    up, down = widths[at + b], widths[at + b + 1]
    for t in range(count):
        out[t] = (x[t] - start) * up * left[t] + (end - x[t]) * down * right[t]


@compiled(relaxed=False)
def dense_basis(x, knots, widths, degree, work, feature, slope, count):  # type: ignore[no-untyped-def]
    """All B-splines of one source into rows feature.., those of degree - 1 into slope..

    knots (K,), widths (degree * K,). A silu row follows each: feature + K - degree - 1 and
    slope + K - 1.
    """
    n_knots = len(knots)
    silu_rows(x, work, feature + n_knots - 1 - degree, slope + n_knots - 1, count)
    # Orders take turns between two places: a row that is read and written at once would
    # be computed sample by sample.
    scratch = len(work) - 2 - n_knots
    first = min(degree, 1)
    for order in range(first, degree + 1):
        below = slope if (degree - order) % 2 == 0 else scratch
        target = scratch if (degree - order) % 2 == 0 else slope
        if order == degree:
            target = feature
        at = (order - 1) * n_knots
        for b in range(n_knots - 1 - order):
            out = work[target + b]
            if order == 0:
                step(x, knots, b, out, count)
            elif order == 1:
                hat(x, knots, widths, b, out, count)
            else:
                left, right = work[below + b], work[below + b + 1]
                raise_order(x, knots, widths, at, order, b, left, right, out, count)
    if degree == 1:
        for b in range(n_knots - 1):
            step(x, knots, b, work[slope + b], count)


@compiled(relaxed=False)
def find_interval(knots, x):  # type: ignore[no-untyped-def]
    """The last i with knots[i] <= x < knots[i + 1], or -1 if x lies outside."""
    last = len(knots) - 1
    if not knots[0] <= x < knots[last]:
        return -1
    low, high = 0, last
    while high - low > 1:
        middle = (low + high) // 2
        if x >= knots[middle]:
            low = middle
        else:
            high = middle
    return low


@compiled(relaxed=False)
def knot_at(knots, i):  # type: ignore[no-untyped-def]
    """A knot, and invented ones beyond both ends; no existing B-spline depends on these."""
    last = len(knots) - 1
    if i < 0:
        return knots[0] + i
    if i > last:
        return knots[last] + (i - last)
    return knots[i]


@compiled(relaxed=False)
def local_basis(x, knots, degree, work, feature, slope, index, count):  # type: ignore[no-untyped-def]
    """The degree + 1 B-splines that are not 0 at each sample, and those of degree - 1.

    index: the first of them, counted in weights padded by ``degree`` in front.
    (Piegl and Tiller, The NURBS Book, 1997, A2.2.) silu rows follow as in dense_basis.
    """
    values = np.zeros(degree + 1)
    for t in range(count):
        i = find_interval(knots, x[t])
        clear(values, degree + 1)
        if i >= 0:
            values[0] = 1.0
        for order in range(1, degree + 1):
            if order == degree:
                for r in range(degree):
                    work[slope + r, t] = values[r]
            saved = 0.0
            for r in range(order):
                right = knot_at(knots, i + r + 1)
                left = knot_at(knots, i + 1 - order + r)
                share = values[r] / (right - left) if values[r] != 0.0 else 0.0
                values[r] = saved + (right - x[t]) * share
                saved = (x[t] - left) * share
            values[order] = saved
        for r in range(degree + 1):
            # A sample that is not a number must not pass for one outside the knots.
            work[feature + r, t] = values[r] if x[t] == x[t] else x[t]
        index[t] = i if i >= 0 else 0
    silu_rows(x, work, feature + degree + 1, slope + degree, count)
