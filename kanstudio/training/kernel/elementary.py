"""exp, log, sin and cos without branches: loops over them become vector code.

Within 2 units in the last place of the exact value (a test compares them).
Ranges are reduced in two or three steps whose first factors have 33 bits, so that the
products are exact (Cody and Waite, Software Manual for the Elementary Functions, 1980);
then come Taylor's series, long enough that the next term is below the rounding error.
"""

from __future__ import annotations

import numpy as np

from kanstudio.training.kernel.compiled import compiled

LOG_2 = 0.6931471804855391, 7.440617110012397e-11
HALF_PI = 1.5707963267341256, 6.077100506303966e-11, 2.0222662487959506e-21
MAX_ANGLE = 1e6
"""Up to this size of the angle the reduction by multiples of pi/2 is exact."""

_MANTISSA = np.int64(0x000FFFFFFFFFFFFF)
_ONE = np.int64(0x3FF0000000000000)


@compiled(relaxed=False)
def expm1_short(r):  # type: ignore[no-untyped-def]
    """exp(r) - 1 for abs(r) < 0.35."""
    p = 1.0 / 6227020800.0
    p = p * r + 1.0 / 479001600.0
    p = p * r + 1.0 / 39916800.0
    p = p * r + 1.0 / 3628800.0
    p = p * r + 1.0 / 362880.0
    p = p * r + 1.0 / 40320.0
    p = p * r + 1.0 / 5040.0
    p = p * r + 1.0 / 720.0
    p = p * r + 1.0 / 120.0
    p = p * r + 1.0 / 24.0
    p = p * r + 1.0 / 6.0
    p = p * r + 0.5
    return p * r * r + r


@compiled(relaxed=False)
def power_of_two(n):  # type: ignore[no-untyped-def]
    """2^n for a whole number n from -1022 to 1023."""
    bits = (np.int64(n) + np.int64(1023)) << np.int64(52)
    return np.int64(bits).view(np.float64)


@compiled(relaxed=False)
def exp_quick(x):  # type: ignore[no-untyped-def]
    """exp(x) for -708 <= x <= 708; beyond, the value stays that of the end."""
    x = min(max(x, -708.0), 708.0)
    n = np.floor(x * 1.4426950408889634 + 0.5)
    r = (x - n * LOG_2[0]) - n * LOG_2[1]
    scale = power_of_two(np.int32(n))
    return scale + scale * expm1_short(r)


@compiled(relaxed=False)
def exp(x):  # type: ignore[no-untyped-def]
    """exp(x) for every x."""
    y = min(max(x, -746.0), 710.0)
    n = np.floor(y * 1.4426950408889634 + 0.5)
    r = (y - n * LOG_2[0]) - n * LOG_2[1]
    # 2^n itself may be beyond the largest float where exp(x) is not.
    half = np.int32(n) >> np.int32(1)
    value = (1.0 + expm1_short(r)) * power_of_two(half) * power_of_two(np.int32(n) - half)
    return value if x == x else x


@compiled(relaxed=False)
def expm1_quick(x):  # type: ignore[no-untyped-def]
    """exp(x) - 1 for -708 <= x <= 708, exact near 0, too; beyond, that of the end."""
    x = min(max(x, -708.0), 708.0)
    n = np.floor(x * 1.4426950408889634 + 0.5)
    r = (x - n * LOG_2[0]) - n * LOG_2[1]
    scale = power_of_two(np.int32(n))
    return (scale - 1.0) + scale * expm1_short(r)


@compiled(relaxed=False)
def log(x):  # type: ignore[no-untyped-def]
    """log(x) for normal x > 0; NaN for NaN."""
    bits = np.float64(x).view(np.int64)
    mantissa = np.int64((bits & _MANTISSA) | _ONE).view(np.float64)
    exponent = np.float64(np.int32(bits >> np.int64(52)) - np.int32(1023))
    above = mantissa > 1.4142135623730951
    mantissa = 0.5 * mantissa if above else mantissa
    exponent = exponent + 1.0 if above else exponent
    s = (mantissa - 1.0) / (mantissa + 1.0)
    z = s * s
    p = 1.0 / 21.0
    p = p * z + 1.0 / 19.0
    p = p * z + 1.0 / 17.0
    p = p * z + 1.0 / 15.0
    p = p * z + 1.0 / 13.0
    p = p * z + 1.0 / 11.0
    p = p * z + 1.0 / 9.0
    p = p * z + 1.0 / 7.0
    p = p * z + 1.0 / 5.0
    p = p * z + 1.0 / 3.0
    value = exponent * LOG_2[0] + (exponent * LOG_2[1] + 2.0 * s * z * p + 2.0 * s)
    return value if x == x else x


@compiled(relaxed=False)
def reduce_angle(x):  # type: ignore[no-untyped-def]
    """(r, quadrant) with x = r + quadrant pi/2 and abs(r) <= pi/4, for abs(x) <= MAX_ANGLE."""
    n = np.floor(x * 0.6366197723675814 + 0.5)
    return ((x - n * HALF_PI[0]) - n * HALF_PI[1]) - n * HALF_PI[2], np.int32(n)


@compiled(relaxed=False)
def sine_short(r):  # type: ignore[no-untyped-def]
    """sin(r) for abs(r) <= pi/4."""
    z = r * r
    s = -1.0 / 1307674368000.0
    s = s * z + 1.0 / 6227020800.0
    s = s * z - 1.0 / 39916800.0
    s = s * z + 1.0 / 362880.0
    s = s * z - 1.0 / 5040.0
    s = s * z + 1.0 / 120.0
    s = s * z - 1.0 / 6.0
    return s * z * r + r


# Not in one function with the sine: LLVM would pair their operations, and a loop over
# pairs is not turned into vector code.
@compiled(relaxed=False)
def cosine_short(r):  # type: ignore[no-untyped-def]
    """cos(r) for abs(r) <= pi/4."""
    z = r * r
    c = 1.0 / 20922789888000.0
    c = c * z - 1.0 / 87178291200.0
    c = c * z + 1.0 / 479001600.0
    c = c * z - 1.0 / 3628800.0
    c = c * z + 1.0 / 40320.0
    c = c * z - 1.0 / 720.0
    c = c * z + 1.0 / 24.0
    return c * z * z + (1.0 - 0.5 * z)


@compiled(relaxed=False)
def turned(s, c, quadrant):  # type: ignore[no-untyped-def]
    """(sin, cos) of an angle from those of r, see reduce_angle."""
    odd = (quadrant & np.int32(1)) != 0
    sine = c if odd else s
    cosine = s if odd else c
    sine = -sine if (quadrant & np.int32(2)) != 0 else sine
    cosine = -cosine if ((quadrant + np.int32(1)) & np.int32(2)) != 0 else cosine
    return sine, cosine
