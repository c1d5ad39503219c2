"""Constants: their value in float64, and which of them sympy may keep exactly.

Every constant part of a formula has a float64 value, computed here with plain functions of
math and of the function table. It decides what is refused (no real value, too large); sympy
sees only numbers that are known to be small.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import sympy as sp
import torch

from kanstudio import functions
from kanstudio.formula.limits import MAX_CONSTANT, MAX_EXACT

_LARGEST_BINARY = 2**26


def exact(value: Fraction) -> sp.Expr:
    """A Rational where numerator and denominator are small, otherwise a Float.

    A Float too where the denominator says that the value comes from one: 5.196152422706632.
    """
    over, under = abs(value.numerator), value.denominator
    binary = under > _LARGEST_BINARY and under & (under - 1) == 0
    if over <= MAX_EXACT and under <= MAX_EXACT and not binary:
        return sp.Rational(value.numerator, value.denominator)
    return tidy(float(value))


def tidy(value: float) -> sp.Expr:
    """An Integer where the float is a small whole number, otherwise a Float."""
    if value.is_integer() and abs(value) <= MAX_EXACT:
        return sp.Integer(int(value))
    return sp.Float(value)


def fraction_of(number: sp.Expr) -> Fraction:
    """The exact value of a sympy Rational or Float."""
    if isinstance(number, sp.Rational):
        return Fraction(int(number.p), int(number.q))
    return Fraction(float(number))


def is_long(text: str) -> bool:
    """More than 15 digits are written: a float64, since none tells more of them apart."""
    return n_digits(text) > 15


def n_digits(text: str) -> int:
    """How many digits a numeral has, zeros at the end included."""
    return len(text.lower().partition("e")[0].replace(".", "").lstrip("0"))


def representable(number: sp.Expr) -> bool:
    """Is this at most about 1e298, and a Rational not closer to 0 than 1e-298 either?"""
    if number.is_Rational:
        return bool(int(number.p).bit_length() < 990 and int(number.q).bit_length() < 990)
    return not too_large(float(number))


def too_large(value: float) -> bool:
    return not abs(value) <= MAX_CONSTANT


def evaluate(name: str, values: list[float]) -> float:
    """The value of a function of constants.

    Raises ValueError where there is no real value and OverflowError where it is too large.
    """
    if name not in _PLAIN:
        return _of_table(name, values[0])
    return float(_PLAIN[name](*values))


def power(base: float, exponent: float) -> float:
    """base**exponent; errors as in `evaluate`."""
    if base == 0 and exponent < 0:
        raise ZeroDivisionError
    result = base**exponent
    if isinstance(result, complex):
        raise ValueError
    return float(result)


def _logarithm(x: float, base: float = math.e) -> float:
    if base == math.e:
        return math.log(x)
    return math.log10(x) if base == 10 else math.log2(x) if base == 2 else math.log(x, base)


def _factorial(x: float) -> float:
    if x < 0:
        raise ValueError
    return math.gamma(x + 1)


def _binomial(n: float, k: float) -> float:
    if n >= k >= 0 and n.is_integer() and k.is_integer():
        return float(math.comb(int(n), int(k))) if n <= 1000 else math.inf
    return _factorial(n) / (_factorial(k) * _factorial(n - k))


def _root(x: float, degree: float) -> float:
    if degree == 0:
        raise ZeroDivisionError
    if x < 0 and degree % 2 == 1:
        return -float((-x) ** (1 / degree))
    return power(x, 1 / degree)


def _sign(x: float) -> float:
    return float((x > 0) - (x < 0))


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > 0 else math.exp(x) / (1 + math.exp(x))


_PLAIN: dict[str, Callable[..., float]] = {
    "exp": math.exp, "log": _logarithm, "log2": math.log2, "log10": math.log10,
    "sqrt": math.sqrt, "cbrt": math.cbrt, "root": _root, "pow": power,
    "abs": abs, "sgn": _sign, "floor": math.floor, "ceil": math.ceil,
    "frac": lambda x: x - math.floor(x), "heaviside": lambda x: (_sign(x) + 1) / 2,
    "relu": lambda x: max(x, 0.0), "sin": math.sin, "cos": math.cos, "tan": math.tan,
    "cot": lambda x: 1 / math.tan(x), "sec": lambda x: 1 / math.cos(x),
    "csc": lambda x: 1 / math.sin(x), "arcsin": math.asin, "arccos": math.acos,
    "arctan": math.atan, "sinh": math.sinh, "cosh": math.cosh, "tanh": math.tanh,
    "arcsinh": math.asinh, "arccosh": math.acosh, "arctanh": math.atanh,
    "sech": lambda x: 1 / math.cosh(x), "csch": lambda x: 1 / math.sinh(x),
    "coth": lambda x: 1 / math.tanh(x), "sigmoid": _sigmoid,
    "silu": lambda x: x * _sigmoid(x),
    "softplus": lambda x: max(x, 0.0) + math.log1p(math.exp(-abs(x))),
    "gaussian": lambda x: math.exp(-min(x * x, 1e6)), "erf": math.erf, "erfc": math.erfc,
    "sinc": lambda x: math.sin(x) / x if x else 1.0, "gamma": math.gamma,
    "factorial": _factorial, "atan2": math.atan2, "hypot": math.hypot,
    "mod": lambda x, y: x - y * math.floor(x / y),
    "expm1": math.expm1, "log1p": math.log1p, "exp2": lambda x: 2.0**x,
    "square": lambda x: x * x, "cube": lambda x: x**3, "reciprocal": lambda x: 1 / x,
    "radians": math.radians, "degrees": math.degrees, "binomial": _binomial,
    "clip": lambda x, low, high: min(max(x, low), high),
    "max": lambda *x: max(x), "min": lambda *x: min(x),
}  # fmt: skip


def _of_table(name: str, x: float) -> float:
    row, at = functions.get(name), torch.tensor(x, dtype=torch.float64)
    if not row.inside(at):
        raise ValueError
    return float(row.torch(at))
