"""exp, log, sin and cos in float32: elementary.py with fewer terms.

Within 2 units in the last place. What divides angles is float64: the rounding of a large
angle would otherwise outweigh its sine.
"""

from __future__ import annotations

import numpy as np

from kanstudio.training.kernel.compiled import compiled
from kanstudio.training.kernel.elementary import reduce_angle as reduce_exactly

F = np.float32
HALF, F1, F2 = F(0.5), F(1), F(2)
LOG_2 = F(0.693359375), F(-2.12194440e-4)
PER_LOG_2 = F(1.4426950408889634)
MAX_EXPONENT = F(87)

_EXP = F(1 / 5040), F(1 / 720), F(1 / 120), F(1 / 24), F(1 / 6)
_LOG = F(1 / 9), F(1 / 7), F(1 / 5), F(1 / 3)
_SIN = F(1 / 362880), F(1 / 5040), F(1 / 120), F(1 / 6)
_COS = F(1 / 3628800), F(1 / 40320), F(1 / 720), F(1 / 24)
_ROOT_2 = F(1.4142135623730951)
_MANTISSA = np.int32(0x007FFFFF)
_ONE = np.int32(0x3F800000)


@compiled(relaxed=False)
def expm1_short(r):  # type: ignore[no-untyped-def]
    """exp(r) - 1 for abs(r) < 0.35."""
    p = _EXP[0] * r + _EXP[1]
    p = p * r + _EXP[2]
    p = p * r + _EXP[3]
    p = p * r + _EXP[4]
    p = p * r + HALF
    return p * r * r + r


@compiled(relaxed=False)
def power_of_two(n):  # type: ignore[no-untyped-def]
    """2^n for a whole number n from -126 to 127."""
    return np.int32((np.int32(n) + np.int32(127)) << np.int32(23)).view(np.float32)


@compiled(relaxed=False)
def reduced(x):  # type: ignore[no-untyped-def]
    """(r, n) with x = r + n log(2)."""
    n = np.floor(x * PER_LOG_2 + HALF)
    return (x - n * LOG_2[0]) - n * LOG_2[1], n


@compiled(relaxed=False)
def exp_quick(x):  # type: ignore[no-untyped-def]
    """exp(x) for -87 <= x <= 87; beyond, the value stays that of the end."""
    r, n = reduced(min(max(x, -MAX_EXPONENT), MAX_EXPONENT))
    scale = power_of_two(np.int32(n))
    return scale + scale * expm1_short(r)


@compiled(relaxed=False)
def exp(x):  # type: ignore[no-untyped-def]
    """exp(x) for every x."""
    r, n = reduced(min(max(x, F(-104)), F(89)))
    # 2^n itself may be beyond the largest float where exp(x) is not.
    half = np.int32(n) >> np.int32(1)
    value = (F1 + expm1_short(r)) * power_of_two(half) * power_of_two(np.int32(n) - half)
    return value if x == x else x


@compiled(relaxed=False)
def expm1_quick(x):  # type: ignore[no-untyped-def]
    """exp(x) - 1 for -87 <= x <= 87, exact near 0, too; beyond, that of the end."""
    r, n = reduced(min(max(x, -MAX_EXPONENT), MAX_EXPONENT))
    scale = power_of_two(np.int32(n))
    return (scale - F1) + scale * expm1_short(r)


@compiled(relaxed=False)
def log(x):  # type: ignore[no-untyped-def]
    """log(x) for normal x > 0; NaN for NaN."""
    bits = F(x).view(np.int32)
    mantissa = np.int32((bits & _MANTISSA) | _ONE).view(np.float32)
    exponent = F(np.int32(bits >> np.int32(23)) - np.int32(127))
    above = mantissa > _ROOT_2
    mantissa = HALF * mantissa if above else mantissa
    exponent = exponent + F1 if above else exponent
    s = (mantissa - F1) / (mantissa + F1)
    z = s * s
    p = _LOG[0] * z + _LOG[1]
    p = p * z + _LOG[2]
    p = p * z + _LOG[3]
    value = exponent * LOG_2[0] + (exponent * LOG_2[1] + F2 * s * z * p + F2 * s)
    return value if x == x else x


@compiled(relaxed=False)
def reduce_angle(x):  # type: ignore[no-untyped-def]
    """(r, quadrant) with x = r + quadrant pi/2 and abs(r) <= pi/4, for abs(x) <= MAX_ANGLE."""
    r, quadrant = reduce_exactly(np.float64(x))
    return F(r), quadrant


@compiled(relaxed=False)
def sine_short(r):  # type: ignore[no-untyped-def]
    """sin(r) for abs(r) <= pi/4."""
    z = r * r
    s = _SIN[0] * z - _SIN[1]
    s = s * z + _SIN[2]
    s = s * z - _SIN[3]
    return s * z * r + r


@compiled(relaxed=False)
def cosine_short(r):  # type: ignore[no-untyped-def]
    """cos(r) for abs(r) <= pi/4."""
    z = r * r
    c = -_COS[0] * z + _COS[1]
    c = c * z - _COS[2]
    c = c * z + _COS[3]
    return c * z * z + (F1 - HALF * z)
