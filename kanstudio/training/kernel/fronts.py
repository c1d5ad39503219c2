"""Functions of symbolic edges on whole rows of samples.

The frequent ones are loops of vector code; all others are taken sample by sample.
"""

from __future__ import annotations

import numpy as np

from kanstudio.training.kernel.compiled import compiled
from kanstudio.training.kernel.either import (
    cosine_short,
    exp,
    expm1_quick,
    log,
    reduce_angle,
    sine_short,
)
from kanstudio.training.kernel.elementary import MAX_ANGLE, turned
from kanstudio.training.kernel.rows import F0, F1, F2, T1, at
from kanstudio.training.kernel.univariate import (
    COS,
    EXP,
    GAUSSIAN,
    HALF_POWER,
    LOG,
    POWER,
    SIGMOID,
    SILU,
    SIN,
    TANH,
    value_and_slope,
)

FAR = np.float32(40)
"""Beyond, exp(-x^2) is 0."""


@compiled(relaxed=False)
def finite(slope):  # type: ignore[no-untyped-def]
    """0 for an infinite slope: near a pole float32 still holds the value; see powers.py."""
    return F0 if abs(slope) == np.inf else slope


@compiled(relaxed=False)
def power_rows(n, work, x, base, value, slope):  # type: ignore[no-untyped-def]
    """x^n and its derivative, n any whole number but 0; base: room for a row."""
    a, v, s = at(x), at(value), at(slope)
    if n == 1:
        for t in range(T1):
            work[v + t] = work[a + t]
            work[s + t] = 1.0
        return
    if n == 2:
        for t in range(T1):
            work[v + t] = work[a + t] * work[a + t]
            work[s + t] = F2 * work[a + t]
        return
    factor = work.dtype.type(n)
    if n < 0:
        whole_power(n, work, x, base, value)
        for t in range(T1):
            work[s + t] = finite(factor * (work[v + t] / work[a + t]))
        return
    whole_power(n - 1, work, x, base, slope)
    for t in range(T1):
        below = work[s + t]
        work[v + t] = below * work[a + t]
        work[s + t] = factor * below


@compiled(relaxed=False)
def whole_power(n, work, x, base, out):  # type: ignore[no-untyped-def]
    """x^n by repeated squaring."""
    a, b, v = at(x), at(base), at(out)
    left = abs(n)
    for t in range(T1):
        work[v + t] = 1.0
        work[b + t] = work[a + t]
    while left > 0:
        if left & 1:
            for t in range(T1):
                work[v + t] *= work[b + t]
        left >>= 1
        if left > 0:
            for t in range(T1):
                work[b + t] *= work[b + t]
    if n < 0:
        for t in range(T1):
            work[v + t] = F1 / work[v + t]


@compiled(relaxed=False)
def half_power_rows(exponent, n, work, x, base, value, slope):  # type: ignore[no-untyped-def]
    """x^(n + 1/2) and its derivative."""
    whole_power(n, work, x, base, value)
    factor = work.dtype.type(exponent)
    a, v, s = at(x), at(value), at(slope)
    for t in range(T1):
        power = np.sqrt(work[a + t]) * work[v + t]
        work[v + t] = power
        work[s + t] = finite(factor * (power / work[a + t]))


@compiled(relaxed=False)
def sine_rows(shift, work, x, value, slope):  # type: ignore[no-untyped-def]
    """sin and its derivative, or with shift those of cos; False if an angle is too large."""
    a, v, s = at(x), at(value), at(slope)
    small = True
    for t in range(T1):
        small &= not abs(work[a + t]) > MAX_ANGLE
    if not small:
        return False
    for t in range(T1):
        r, quadrant = reduce_angle(work[a + t])
        sine, cosine = turned(sine_short(r), cosine_short(r), quadrant)
        work[v + t] = cosine if shift else sine
        work[s + t] = -sine if shift else cosine
    return True


@compiled(relaxed=False)
def exponential_rows(code, work, x, value, slope):  # type: ignore[no-untyped-def]
    """exp, gaussian, and log, which is as quick."""
    a, v, s = at(x), at(value), at(slope)
    if code == EXP:
        for t in range(T1):
            power = exp(work[a + t])
            work[v + t] = power
            work[s + t] = power
    elif code == LOG:
        for t in range(T1):
            work[v + t] = log(work[a + t])
            work[s + t] = F1 / work[a + t]
    else:
        for t in range(T1):
            z = work[a + t]
            near = min(max(z, -FAR), FAR)
            power = exp(-near * near)
            power = power if z == z else z
            work[v + t] = power
            work[s + t] = -F2 * z * power if near == z else F0


@compiled(relaxed=False)
def sigmoid_rows(code, work, x, value, slope):  # type: ignore[no-untyped-def]
    """tanh, sigmoid and silu."""
    a, v, s = at(x), at(value), at(slope)
    if code == TANH:
        for t in range(T1):
            z = work[a + t]
            below = expm1_quick(-F2 * abs(z))
            size = -below / (F2 + below)
            tanh = size if z >= F0 else -size
            tanh = tanh if z == z else z
            work[v + t] = tanh
            work[s + t] = F1 - tanh * tanh
    elif code == SIGMOID:
        for t in range(T1):
            logistic = F1 / (F1 + exp(-work[a + t]))
            work[v + t] = logistic
            work[s + t] = logistic * (F1 - logistic)
    else:
        for t in range(T1):
            z = work[a + t]
            logistic = F1 / (F1 + exp(-z))
            work[v + t] = z * logistic
            work[s + t] = logistic * (F1 + z * (F1 - logistic))


@compiled(relaxed=False)
def evaluate_rows(function, work, x, base, value, slope):  # type: ignore[no-untyped-def]
    """f and f' of a row whose samples are all inside the domain."""
    code, exponent, whole = function.code, function.exponent, function.whole
    if code == POWER:
        power_rows(whole, work, x, base, value, slope)
        return
    if code == HALF_POWER:
        half_power_rows(exponent, whole, work, x, base, value, slope)
        return
    if code in (EXP, LOG, GAUSSIAN):
        exponential_rows(code, work, x, value, slope)
        return
    if code in (TANH, SIGMOID, SILU):
        sigmoid_rows(code, work, x, value, slope)
        return
    if code in (SIN, COS) and sine_rows(code == COS, work, x, value, slope):
        return
    a, v, s = at(x), at(value), at(slope)
    for t in range(T1):
        work[v + t], y = value_and_slope(code, exponent, whole, np.float64(work[a + t]))
        work[s + t] = finite(work.dtype.type(y))


@compiled(relaxed=False)
def any_outside(function, work, x):  # type: ignore[no-untyped-def]
    """True if a sample of a row is outside the domain."""
    low, high, hole = function.low, function.high, function.hole
    a = at(x)
    outside = False
    for t in range(T1):
        z = work[a + t]
        outside |= (z < low) | (z > high) | (abs(z) < hole)
    return outside


@compiled(relaxed=False)
def apply(function, work, x, room, value, slope):  # type: ignore[no-untyped-def]
    """f and f' of a row of samples, in the domain or not; room: two rows to work in."""
    low, high, hole = function.low, function.high, function.hole
    a, inner = at(x), x
    outside = function.guarded and any_outside(function, work, x)
    if outside:
        inner = room + 1
        safe = at(inner)
        for t in range(T1):
            z = work[a + t]
            out = (z < low) | (z > high) | (abs(z) < hole)
            work[safe + t] = function.anchor if out else z
    evaluate_rows(function, work, inner, room, value, slope)
    if not outside:
        return
    v, s = at(value), at(slope)
    for t in range(T1):
        z = work[a + t]
        below, above, near = z < low, z > high, abs(z) < hole
        inside = work[v + t]
        inside = function.low_value if below else inside
        inside = function.high_value if above else inside
        work[v + t] = F0 if near else inside
        work[s + t] = F0 if (below | above | near) else work[s + t]
