"""The table of univariate functions; everything else reads it."""

from __future__ import annotations

import math
from collections.abc import Callable

import sympy as sp
import torch
from torch import Tensor

from kanstudio.functions import bessel, heads
from kanstudio.functions.domain import (
    ALL,
    NONZERO,
    POSITIVE,
    UNIT_CLOSED,
    UNIT_OPEN,
    Domain,
    Interval,
    TensorMap,
    guard,
)
from kanstudio.functions.function import Function, SympyMap
from kanstudio.functions.powers import make_power

_NONPOSITIVE_INTEGERS = Domain(hole="nonpositive integers")
_FROM_ONE = Domain(low=1.0)


def rows() -> list[Function]:
    """Every named function, plain powers first; other powers are made on demand."""
    powers = [make_power(n) for n in (1, 2, 3, 4, 5, 6, -1, -2, -3, -4, -5, 0.5, 1.5, -0.5)]
    zero = Function("0", lambda x: sp.S.Zero, torch.zeros_like, "0", complexity=0)
    return [zero, *powers, *_elementary(), *_smooth_steps(), *_steps(), *_gammas(), *_bessels()]


def _row(
    name: str,
    sympy: SympyMap,
    raw: TensorMap,
    latex: str = "",
    *,
    domain: Domain = ALL,
    complexity: int = 3,
    aliases: tuple[str, ...] = (),
    steep: bool = False,
    overflow: Callable[[float], Interval] | None = None,
    hole_width: Callable[[float], float] | None = None,
    anchor: float = 0.5,
    pole: bool = True,
) -> Function:
    latex = latex or rf"\operatorname{{{name}}}"
    if "{x}" not in latex and "{(x)}" not in latex:
        latex += r"\left({x}\right)"
    if domain == ALL and overflow is None:
        return Function(name, sympy, raw, latex, domain, complexity, aliases)
    function, inside, limits = guard(
        raw,
        domain,
        steep=steep,
        overflow=overflow,
        hole_width=hole_width,
        anchor=anchor,
        pole=pole,
    )
    return Function(name, sympy, function, latex, domain, complexity, aliases, None, inside, limits)


def _log_of_largest(largest: float) -> Interval:
    return -math.inf, math.log(largest) - 1.0


def _symmetric_log_of_largest(largest: float) -> Interval:
    return 1.0 - math.log(largest), math.log(largest) - 1.0


def _root_of_largest(largest: float) -> float:
    """Nearer to a simple pole the derivative, 1/x^2, would overflow."""
    return 2.0 / math.sqrt(largest)


def _elementary() -> list[Function]:
    wide = _symmetric_log_of_largest
    near = _root_of_largest
    return [
        _row("exp", sp.exp, torch.exp, r"e^{{x}}", complexity=2, overflow=_log_of_largest),
        # No pole: x^y is exp(y*log(x)), and with log(0) = -708 it is 0 at 0.
        _row(
            "log",
            sp.log,
            torch.log,
            r"\log",
            domain=POSITIVE,
            complexity=2,
            aliases=("ln",),
            pole=False,
        ),
        _row("abs", sp.Abs, torch.abs, r"\left|{x}\right|", aliases=("Abs",)),
        _row("sin", sp.sin, torch.sin, r"\sin", complexity=2),
        _row("cos", sp.cos, torch.cos, r"\cos", complexity=2),
        _row("tan", sp.tan, torch.tan, r"\tan"),
        _row("cot", sp.cot, _cot, r"\cot", domain=NONZERO, hole_width=near),
        _row("sec", sp.sec, lambda x: 1 / torch.cos(x), r"\sec"),
        _row("csc", sp.csc, lambda x: 1 / torch.sin(x), r"\csc", domain=NONZERO, hole_width=near),
        _row(
            "arcsin",
            sp.asin,
            torch.asin,
            r"\arcsin",
            domain=UNIT_CLOSED,
            complexity=4,
            aliases=("asin",),
            steep=True,
        ),
        _row(
            "arccos",
            sp.acos,
            torch.acos,
            r"\arccos",
            domain=UNIT_CLOSED,
            complexity=4,
            aliases=("acos",),
            steep=True,
        ),
        _row("arctan", sp.atan, torch.atan, r"\arctan", complexity=4, aliases=("atan",)),
        _row("sinh", sp.sinh, torch.sinh, r"\sinh", overflow=wide),
        _row("cosh", sp.cosh, torch.cosh, r"\cosh", overflow=wide),
        _row("tanh", sp.tanh, torch.tanh, r"\tanh"),
        _row("arcsinh", sp.asinh, _arcsinh, complexity=4, aliases=("asinh",)),
        _row(
            "arccosh",
            sp.acosh,
            torch.acosh,
            domain=_FROM_ONE,
            complexity=4,
            aliases=("acosh",),
            steep=True,
            anchor=2.0,
        ),
        _row("arctanh", sp.atanh, torch.atanh, domain=UNIT_OPEN, complexity=4, aliases=("atanh",)),
        _row("cbrt", heads.cbrt, _cbrt, r"\sqrt[3]{{x}}"),
    ]


def _smooth_steps() -> list[Function]:
    return [
        _row("gaussian", heads.gaussian, _gaussian, r"e^{-{(x)}^{2}}"),
        _row("sigmoid", heads.sigmoid, torch.sigmoid, r"\sigma", aliases=("logistic",)),
        _row("softplus", heads.softplus, lambda x: torch.logaddexp(x, torch.zeros_like(x))),
        _row("silu", heads.silu, lambda x: x * torch.sigmoid(x), aliases=("swish",)),
        _row("erf", sp.erf, torch.erf),
        _row("erfc", sp.erfc, torch.erfc),
        _row("erfinv", sp.erfinv, torch.erfinv, domain=UNIT_OPEN, complexity=4),
        _row("sinc", sp.sinc, _sinc),
    ]


def _steps() -> list[Function]:
    return [
        _row("sgn", sp.sign, torch.sign, aliases=("sign",)),
        _row("relu", heads.relu, torch.relu),
        _row("heaviside", sp.Heaviside, _heaviside, r"\Theta", aliases=("Heaviside",)),
        _row("floor", sp.floor, torch.floor, r"\left\lfloor {x}\right\rfloor"),
        _row(
            "ceil",
            sp.ceiling,
            torch.ceil,
            r"\left\lceil {x}\right\rceil",
            complexity=3,
            aliases=("ceiling",),
        ),
        _row("frac", sp.frac, lambda x: x - torch.floor(x)),
    ]


def _gammas() -> list[Function]:
    poles = _NONPOSITIVE_INTEGERS
    return [
        _row(
            "gamma",
            sp.gamma,
            _gamma,
            r"\Gamma",
            domain=poles,
            complexity=4,
            overflow=_gamma_limits,
            hole_width=_root_of_largest,
        ),
        _row(
            "loggamma",
            sp.loggamma,
            torch.lgamma,
            r"\log\Gamma",
            domain=POSITIVE,
            complexity=4,
            aliases=("lgamma",),
            overflow=lambda largest: (0.0, largest / 1e4),
        ),
        _row(
            "digamma",
            sp.digamma,
            torch.digamma,
            r"\psi",
            domain=poles,
            complexity=4,
            aliases=("psi",),
            hole_width=_root_of_largest,
        ),
    ]


def _bessels() -> list[Function]:
    wide = _symmetric_log_of_largest
    return [
        _row(
            "j0",
            lambda x: sp.besselj(0, x),
            bessel.j0,
            "J_{0}",
            complexity=4,
            aliases=("besselj0",),
        ),
        _row(
            "j1",
            lambda x: sp.besselj(1, x),
            bessel.j1,
            "J_{1}",
            complexity=4,
            aliases=("besselj1",),
        ),
        _row(
            "y0",
            lambda x: sp.bessely(0, x),
            bessel.y0,
            "Y_{0}",
            domain=POSITIVE,
            complexity=4,
            aliases=("bessely0",),
        ),
        _row(
            "y1",
            lambda x: sp.bessely(1, x),
            bessel.y1,
            "Y_{1}",
            domain=POSITIVE,
            complexity=4,
            aliases=("bessely1",),
            overflow=lambda largest: (_root_of_largest(largest), math.inf),
        ),
        _row(
            "i0",
            lambda x: sp.besseli(0, x),
            torch.special.i0,
            "I_{0}",
            complexity=4,
            aliases=("besseli0",),
            overflow=wide,
        ),
        _row(
            "i1",
            lambda x: sp.besseli(1, x),
            torch.special.i1,
            "I_{1}",
            complexity=4,
            aliases=("besseli1",),
            overflow=wide,
        ),
    ]


def _cot(x: Tensor) -> Tensor:
    return 1 / torch.tan(x)


def _arcsinh(x: Tensor) -> Tensor:
    return torch.asinh(x)


def _gaussian(x: Tensor) -> Tensor:
    # Beyond 40 the value is 0 in every dtype, and the square cannot overflow.
    return torch.exp(-torch.square(x.clamp(-40.0, 40.0)))


def _heaviside(x: Tensor) -> Tensor:
    # At 0 sympy says 1/2.
    return (torch.sign(x) + 1) / 2


def _cbrt(x: Tensor) -> Tensor:
    # The derivative at 0 is infinite: the gradient there is 0, as at every steep end.
    tiny = x.abs() < torch.finfo(x.dtype).tiny
    safe = torch.where(tiny, 1.0, x)
    return torch.where(tiny, 0.0, torch.sign(safe) * safe.abs().pow(1 / 3))


def _sinc(x: Tensor) -> Tensor:
    """sin(x)/x, by its series near 0, where the quotient's derivative cancels."""
    small = x.abs() < 1e-2  # The next term of the series is below 1e-20
    near = torch.where(small, x, 0.0)
    away = torch.where(small, 1.0, x)
    square = near * near
    series = 1 - square / 6 * (1 - square / 20 * (1 - square / 42 * (1 - square / 72)))
    return torch.where(small, series, torch.sin(away) / away)


def _gamma(x: Tensor) -> Tensor:
    sign = torch.where((x > 0) | (torch.floor(x) % 2 == 0), 1.0, -1.0).to(x.dtype)
    return sign * torch.exp(torch.lgamma(x))


def _gamma_limits(largest: float) -> Interval:
    """Above, the value or the derivative overflows; far below, the value is 0."""
    high = 1.0
    while math.lgamma(high + 1) + math.log(high + 1) < math.log(largest):
        high += 1.0
    return -math.inf, high
