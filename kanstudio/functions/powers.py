"""The powers of x: 'x', 'x^2', '1/x^3', 'x^0.5', 'x^(1/3)', '1/x^(5/2)', 'x^2.71828'."""

from __future__ import annotations

import math
import re
from fractions import Fraction

import sympy as sp
import torch
from torch import Tensor

from kanstudio.errors import KanStudioError
from kanstudio.functions.domain import ALL, NONNEGATIVE, NONZERO, POSITIVE, Domain, guard
from kanstudio.functions.function import Exponent, Function, SympyMap
from kanstudio.functions.rule import finite_gradient

# A larger denominator is written as a decimal, unless the decimal would not be exact.
LARGEST_DENOMINATOR = 100
LARGEST_EXPONENT = 1000
_LONGEST_EXACT = 10**9
_SINGLE = 1e39
"""No number of single precision is as large."""
_DECIMAL_SPELLING = {Fraction(1, 2): "0.5", Fraction(3, 2): "1.5"}
_NUMBER = r"([+-]?)(\d+(?:\.\d*)?(?:e[+-]?\d+)?)"
_SHAPES = (
    re.compile(r"(1/)?x()()()"),
    re.compile(rf"(1/)?x\^{_NUMBER}()"),
    re.compile(rf"(1/)?x\^\({_NUMBER}(?:/(\d+))?\)"),
)
_ALIASES = {
    "x^0.5": ("sqrt",),
    "1/x^0.5": ("1/sqrt", "1/sqrt(x)"),
    "x": ("identity",),
    "1/x": ("inverse",),
    "x^2": ("square",),
}
# pykan's figures where it has the power.
_COMPLEXITY = {"x": 1, "x^2": 2, "x^0.5": 2, "1/x": 2, "1/x^2": 2, "1/x^0.5": 2, "x^1.5": 4}


def exponent_of(value: sp.Expr | Exponent) -> Exponent:
    """A real number in the form that powers are named by: int, Fraction or float.

    Raises KanStudioError for 0 (x^0 is the constant 1, no function of x), for what is no
    finite real number, and above LARGEST_EXPONENT.
    """
    try:
        exponent: Exponent = _tidy(_plain(value))
    except (TypeError, ValueError, OverflowError):
        raise KanStudioError(f"{value} is no real exponent") from None
    if exponent == 0:
        raise KanStudioError("x^0 is the constant 1, not a function of x")
    if abs(float(exponent)) > LARGEST_EXPONENT:
        raise KanStudioError(f"the exponent {value} is beyond {LARGEST_EXPONENT}")
    return exponent


def power_name(value: sp.Expr | Exponent) -> str:
    """The name of x^value; 'x^2' for 2, '1/x^(5/2)' for -5/2, 'x^0.5' for 1/2."""
    exponent = exponent_of(value)
    size = abs(exponent)
    over = "1/" if exponent < 0 else ""
    if size == 1:
        return f"{over}x"
    if isinstance(size, Fraction):
        return f"{over}x^{_DECIMAL_SPELLING.get(size) or _fraction_text(size)}"
    return f"{over}x^{size!r}"


def parse_power(name: str) -> Exponent | None:
    """The exponent that a power's name says; None where the name is no power's."""
    found = [match for shape in _SHAPES if (match := shape.fullmatch(name.strip()))]
    if not found or len(name) > 80:  # no number that a person would mean
        return None
    over, sign, top, bottom = found[0].groups()
    top = top or "1"
    if bottom and (int(bottom) == 0 or not top.isdigit()):
        return None
    value: Exponent = Fraction(int(top), int(bottom)) if bottom else float(top)
    if top.isdigit() and not bottom:
        value = int(top)
    return exponent_of(-value if bool(over) != (sign == "-") else value)


def make_power(value: sp.Expr | Exponent) -> Function:
    """The row of the function table for x^value; errors as in `exponent_of`."""
    exponent = exponent_of(value)
    name = power_name(exponent)
    domain = _domain(exponent)
    size = abs(float(exponent))
    # A float is exact for every Fraction that pow can tell apart; ints keep the sign right.
    number = exponent if isinstance(exponent, int) else float(exponent)

    def raw(x: Tensor) -> Tensor:
        if number == 1:
            return x
        if exponent < 0 and x.dtype != torch.float64:
            x = finite_gradient(x)
        return torch.pow(x, number)

    def overflow(largest: float) -> tuple[float, float]:
        if exponent < 0:
            return -math.inf if domain is NONZERO else pole_width(largest), math.inf
        most = (largest / size) ** (1 / size) if size > 1 else math.inf
        return -most, most

    def pole_width(largest: float) -> float:
        # Nearer to the pole the derivative, size / x^(size + 1), would overflow.
        width: float = (largest ** (-1 / (size + 1))) * size ** (1 / (size + 1)) * 1.01
        if largest > _SINGLE:
            return width
        # In single precision that is as far out as constants of nature: there the value
        # counts up to its own overflow, with a derivative of 0 where that has none.
        least: float = 1.01 * largest ** (-1 / size)
        return min(width, max(least, 4.1 / largest))

    whole = isinstance(exponent, int)
    function, inside, limits = guard(
        raw,
        domain,
        steep=not whole and exponent > 0,
        overflow=overflow,
        hole_width=pole_width if domain is NONZERO else None,
    )
    return Function(
        name=name,
        sympy=_sympy_power(exponent),
        torch=raw if number == 1 else function,
        latex=_latex(exponent),
        domain=domain,
        complexity=_COMPLEXITY.get(name, 3 if whole else 4),
        aliases=_ALIASES.get(name, ()),
        exponent=exponent,
        inside_map=None if number == 1 else inside,
        limits=None if number == 1 else limits,
    )


def _plain(value: sp.Expr | Exponent) -> Exponent:
    if isinstance(value, sp.Rational):
        return Fraction(int(value.p), int(value.q))
    if isinstance(value, sp.Expr):
        return float(value)
    return value


def _tidy(exponent: Exponent) -> Exponent:
    """One form for one number: a whole number is an int, 2.5 is Fraction(5, 2)."""
    if isinstance(exponent, float):
        if not math.isfinite(exponent):
            raise ValueError(exponent)
        exact = Fraction(repr(exponent))
        if exact.denominator > LARGEST_DENOMINATOR:
            return exponent
        exponent = exact
    if isinstance(exponent, int) or exponent.denominator == 1:
        return int(exponent)
    decimal = Fraction(repr(float(exponent)))
    long = max(abs(exponent.numerator), exponent.denominator) > _LONGEST_EXACT
    if long or (exponent.denominator > LARGEST_DENOMINATOR and decimal == exponent):
        return float(exponent)
    return exponent


def _fraction_text(value: Fraction) -> str:
    return f"({value.numerator}/{value.denominator})"


def _domain(exponent: Exponent) -> Domain:
    if isinstance(exponent, int):
        return ALL if exponent > 0 else NONZERO
    return NONNEGATIVE if exponent > 0 else POSITIVE


def _sympy_power(exponent: Exponent) -> SympyMap:
    number: sp.Expr
    if isinstance(exponent, Fraction):
        number = sp.Rational(exponent.numerator, exponent.denominator)
    elif isinstance(exponent, int):
        number = sp.Integer(exponent)
    else:
        known = {math.pi: sp.pi, math.e: sp.E}
        number = known.get(abs(exponent), sp.Float(abs(exponent)))
        number = -number if exponent < 0 else number
    return lambda x: sp.Pow(x, number)


def _latex(exponent: Exponent) -> str:
    if exponent == 1:
        return "{x}"
    if exponent in {Fraction(1, 2), Fraction(-1, 2)}:
        return r"\sqrt{{x}}" if exponent > 0 else r"\frac{1}{\sqrt{{x}}}"
    size = abs(exponent)
    if isinstance(size, Fraction):
        power = f"{{(x)}}^{{{size.numerator}/{size.denominator}}}"
    else:
        power = "{(x)}" if size == 1 else f"{{(x)}}^{{{size}}}"
    return power if exponent > 0 else rf"\frac{{1}}{{{power}}}"
