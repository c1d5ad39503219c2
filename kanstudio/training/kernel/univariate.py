"""Values and derivatives of the functions of symbolic edges, in float64.

The numbers equal those of the function table, ends of domains included; a test compares
every code with its torch function.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from kanstudio import functions
from kanstudio.functions import Function
from kanstudio.functions.domain import DEFAULT_ANCHOR
from kanstudio.training.kernel.compiled import compiled

POWER, HALF_POWER, REAL_POWER = 1, 2, 3
(
    EXP, LOG, SIN, COS, TAN, COT, SEC, CSC, ARCSIN, ARCCOS, ARCTAN, SINH, COSH, TANH, ARCSINH,
    ARCCOSH, ARCTANH, CBRT, GAUSSIAN, SIGMOID, SOFTPLUS, SILU, ERF, ERFC, SINC, ABS, SGN, RELU,
    HEAVISIDE, FLOOR, CEIL, FRAC, ARCCOT, SECH, CSCH, COTH, ARCSECH, ARCCSCH,
) = range(10, 48)  # fmt: skip
CODES = {
    "exp": EXP, "log": LOG, "sin": SIN, "cos": COS, "tan": TAN, "cot": COT, "sec": SEC,
    "csc": CSC, "arcsin": ARCSIN, "arccos": ARCCOS, "arctan": ARCTAN, "sinh": SINH,
    "cosh": COSH, "tanh": TANH, "arcsinh": ARCSINH, "arccosh": ARCCOSH, "arctanh": ARCTANH,
    "cbrt": CBRT, "gaussian": GAUSSIAN, "sigmoid": SIGMOID, "softplus": SOFTPLUS,
    "silu": SILU, "erf": ERF, "erfc": ERFC, "sinc": SINC, "abs": ABS, "sgn": SGN,
    "relu": RELU, "heaviside": HEAVISIDE, "floor": FLOOR, "ceil": CEIL, "frac": FRAC,
    "arccot": ARCCOT, "sech": SECH, "csch": CSCH, "coth": COTH, "arcsech": ARCSECH,
    "arccsch": ARCCSCH,
}  # fmt: skip
"""Code of every function with a name of its own; powers have three codes for all."""


TINY = float(torch.finfo(torch.float64).tiny)
_TWO_OVER_ROOT_PI = 2 / math.sqrt(math.pi)


def univariate(dtype: Any) -> np.dtype[Any]:
    """The record of a function whose samples are of this dtype.

    whole: the exponent of POWER, or its floor for HALF_POWER. anchor: a point inside the
    domain, where samples outside are evaluated.
    """
    whole = [(name, np.int64) for name in ("code", "whole", "guarded")]
    ends = ("low", "high", "low_value", "high_value", "hole", "anchor")
    return np.dtype(
        [*whole, ("exponent", np.float64), *((name, dtype) for name in ends)], align=True
    )


def has_code(name: str) -> bool:
    """True if this module knows the function."""
    function = functions.get(name)
    return function.exponent is not None or function.name in CODES


def encode(name: str, dtype: Any = np.float64) -> Any:
    """The record of a function that has a code; see univariate."""
    function = functions.get(name)
    record = np.zeros((), dtype=univariate(dtype))
    record["code"] = CODES.get(function.name, 0)
    if function.exponent is not None:
        _encode_power(record, function)
    record["low"], record["high"], record["hole"] = -np.inf, np.inf, -1.0
    if function.limits is not None:
        limits = function.limits(torch.float64 if dtype == np.float64 else torch.float32)
        record["low"], record["high"] = limits.smooth_low, limits.smooth_high
        record["low_value"], record["high_value"] = limits.low_value, limits.high_value
        if function.domain.hole:
            record["hole"] = limits.hole_width
        record["anchor"] = min(max(DEFAULT_ANCHOR, limits.smooth_low), limits.smooth_high)
        record["guarded"] = 1
    return record[()]


def _encode_power(record: Any, function: Function) -> None:
    exponent = function.exponent
    assert exponent is not None
    record["exponent"] = float(exponent)
    record["whole"] = math.floor(exponent)
    if isinstance(exponent, int):
        record["code"] = POWER
    else:
        # x^(n + 1/2) is x^n sqrt(x): much quicker than a power.
        record["code"] = HALF_POWER if 2 * exponent == int(2 * exponent) else REAL_POWER


@compiled(relaxed=False)
def whole_power(x, n):  # type: ignore[no-untyped-def]
    """x^n by repeated squaring, n any whole number."""
    result = 1.0
    base = x
    left = abs(n)
    while left > 0:
        if left & 1:
            result *= base
        base *= base
        left >>= 1
    return result if n >= 0 else 1.0 / result


@compiled(relaxed=False)
def trigonometric(code, x):  # type: ignore[no-untyped-def]
    """(value, derivative)."""
    sine, cosine = math.sin(x), math.cos(x)
    if code == SIN:
        return sine, cosine
    if code == COS:
        return cosine, -sine
    if code == TAN:
        tangent = math.tan(x)
        return tangent, 1.0 + tangent * tangent
    if code == COT:
        cotangent = 1.0 / math.tan(x)
        return cotangent, -(1.0 + cotangent * cotangent)
    if code == SEC:
        return 1.0 / cosine, sine / (cosine * cosine)
    return 1.0 / sine, -cosine / (sine * sine)


@compiled(relaxed=False)
def inverse(code, x):  # type: ignore[no-untyped-def]
    """(value, derivative) of the inverse trigonometric and hyperbolic functions."""
    if code == ARCSIN:
        return math.asin(x), 1.0 / math.sqrt((1.0 - x) * (1.0 + x))
    if code == ARCCOS:
        return math.acos(x), -1.0 / math.sqrt((1.0 - x) * (1.0 + x))
    if code == ARCTAN:
        return math.atan(x), 1.0 / (1.0 + x * x)
    if code == ARCSINH:
        return math.asinh(x), 1.0 / math.hypot(x, 1.0)
    if code == ARCCOT:
        return (math.atan(1.0 / x) if x != 0.0 else math.pi / 2), -1.0 / (1.0 + x * x)
    if code == ARCSECH:
        rest = math.sqrt((1.0 - x) * (1.0 + x))
        return math.asinh(rest / x), -1.0 / (x * rest)
    if code == ARCCSCH:
        return math.asinh(1.0 / x), -1.0 / (abs(x) * math.hypot(x, 1.0))
    if code == ARCCOSH:
        return math.acosh(x), 1.0 / (math.sqrt(x - 1.0) * math.sqrt(x + 1.0))
    return math.atanh(x), 1.0 / ((1.0 - x) * (1.0 + x))


@compiled(relaxed=False)
def exponential(code, x):  # type: ignore[no-untyped-def]
    """(value, derivative) of the functions made of exp."""
    if code == EXP:
        value = math.exp(x)
        return value, value
    if code == SINH:
        return math.sinh(x), math.cosh(x)
    if code == COSH:
        return math.cosh(x), math.sinh(x)
    if code == TANH:
        value = math.tanh(x)
        return value, 1.0 - value * value
    if code == SECH:
        value = 1.0 / math.cosh(x)
        return value, -value * math.tanh(x)
    if code == CSCH:
        value = 1.0 / math.sinh(x)
        return value, -value / math.tanh(x)
    if code == COTH:
        value = 1.0 / math.tanh(x)
        return value, 1.0 - value * value
    if code == GAUSSIAN:
        inside = -40.0 <= x <= 40.0
        near = min(max(x, -40.0), 40.0)
        value = math.exp(-near * near) if x == x else x
        return value, (-2.0 * x * value if inside else 0.0)
    logistic = 1.0 / (1.0 + math.exp(-x))
    if code == SIGMOID:
        return logistic, logistic * (1.0 - logistic)
    if code == SILU:
        return x * logistic, logistic * (1.0 + x * (1.0 - logistic))
    return max(x, 0.0) + math.log1p(math.exp(-abs(x))), logistic


@compiled(relaxed=False)
def other(code, x):  # type: ignore[no-untyped-def]
    """(value, derivative) of the rest."""
    if code == LOG:
        return math.log(x), 1.0 / x
    if code == CBRT:
        if abs(x) < TINY:
            return 0.0, 0.0
        value = np.sign(x) * abs(x) ** (1.0 / 3.0)
        return value, value / (3.0 * x)
    if code == ERF:
        return math.erf(x), _TWO_OVER_ROOT_PI * math.exp(-x * x)
    if code == ERFC:
        return math.erfc(x), -_TWO_OVER_ROOT_PI * math.exp(-x * x)
    if code == SINC:
        square = x * x
        if abs(x) < 1e-2:
            slope = -x / 3 * (1 - square / 10 * (1 - square / 28 * (1 - square / 54)))
            value = 1 - square / 6 * (1 - square / 20 * (1 - square / 42 * (1 - square / 72)))
            return value, slope
        value = math.sin(x) / x
        return value, (math.cos(x) - value) / x
    return piecewise(code, x)


@compiled(relaxed=False)
def piecewise(code, x):  # type: ignore[no-untyped-def]
    """(value, derivative) of the functions with corners and jumps."""
    if code == ABS:
        return abs(x), np.sign(x)
    if code == SGN:
        return np.sign(x), 0.0
    if code == RELU:
        return (x if not x <= 0.0 else 0.0), (1.0 if x > 0.0 else 0.0)
    if code == HEAVISIDE:
        return 0.5 * (np.sign(x) + 1.0), 0.0
    if code == FLOOR:
        return np.floor(x), 0.0
    if code == CEIL:
        return np.ceil(x), 0.0
    return x - np.floor(x), 1.0


@compiled(relaxed=False)
def value_and_slope(code, exponent, whole, x):  # type: ignore[no-untyped-def]
    """f(x) and f'(x) for one x inside the domain."""
    if code == REAL_POWER:
        value = x**exponent
        return value, exponent * value / x
    if code == HALF_POWER:
        value = math.sqrt(x) * whole_power(x, whole)
        return value, exponent * value / x
    if code <= CSC and code >= SIN:
        return trigonometric(code, x)
    if (code >= ARCSIN and code <= ARCTAN) or (code >= ARCSINH and code <= ARCTANH):
        return inverse(code, x)
    if code == EXP or (code >= SINH and code <= TANH) or (code >= GAUSSIAN and code <= SILU):
        return exponential(code, x)
    if code >= SECH and code <= COTH:
        return exponential(code, x)
    if code == ARCCOT or code >= ARCSECH:
        return inverse(code, x)
    return other(code, x)
