"""Rows for exp, log, the trigonometric and hyperbolic functions and all their inverses."""

from __future__ import annotations

import math

import sympy as sp
import torch
from torch import Tensor

from kanstudio.functions.domain import NONZERO, POSITIVE, UNIT_CLOSED, UNIT_OPEN, Domain
from kanstudio.functions.function import Function
from kanstudio.functions.row import near_pole, row, row_of_size, up_to_log, within_exp, within_log
from kanstudio.functions.rule import with_slope

_FROM_ONE = Domain(low=1.0)
_ABOVE_ONE = Domain(low=1.0, low_open=True)


def exponentials() -> list[Function]:
    return [
        row("exp", sp.exp, torch.exp, r"e^{{x}}", complexity=2, overflow=up_to_log),
        # No pole: x^y is exp(y*log(x)), and with log(0) = -708 it is 0 at 0.
        row(
            "log", sp.log, torch.log, r"\log",
            domain=POSITIVE, complexity=2, aliases=("ln",), pole=False,
        ),
    ]  # fmt: skip


def trigonometric() -> list[Function]:
    near = near_pole
    return [
        row("sin", sp.sin, torch.sin, r"\sin", complexity=2),
        row("cos", sp.cos, torch.cos, r"\cos", complexity=2),
        row("tan", sp.tan, torch.tan, r"\tan"),
        row("cot", sp.cot, lambda x: 1 / torch.tan(x), r"\cot", domain=NONZERO, hole_width=near),
        row("sec", sp.sec, lambda x: 1 / torch.cos(x), r"\sec"),
        row("csc", sp.csc, lambda x: 1 / torch.sin(x), r"\csc", domain=NONZERO, hole_width=near),
    ]


def inverse_trigonometric() -> list[Function]:
    arcsin = with_slope(torch.asin, lambda x: 1 / _rest(x))
    arccos = with_slope(torch.acos, lambda x: -1 / _rest(x))
    arcsec = with_slope(lambda t: torch.atan(_leg(t)), lambda t: 1 / (t * _leg(t)))
    arccsc = with_slope(lambda t: torch.atan(1 / _leg(t)), lambda t: -1 / (t * _leg(t)))
    closed = UNIT_CLOSED
    return [
        row(
            "arcsin", sp.asin, arcsin, r"\arcsin",
            domain=closed, complexity=4, aliases=("asin",), steep=True,
        ),
        row(
            "arccos", sp.acos, arccos, r"\arccos",
            domain=closed, complexity=4, aliases=("acos",), steep=True,
        ),
        row("arctan", sp.atan, torch.atan, r"\arctan", complexity=4, aliases=("atan",)),
        row("arccot", sp.acot, _arccot, complexity=4, aliases=("acot",)),
        row_of_size(
            "arcsec", sp.asec, arcsec, lambda x, y: torch.where(x < 0, math.pi - y, y),
            domain=_FROM_ONE, words="|x| >= 1", aliases=("asec",),
        ),
        row_of_size(
            "arccsc", sp.acsc, arccsc, lambda x, y: torch.sign(x) * y,
            domain=_FROM_ONE, words="|x| >= 1", aliases=("acsc",),
        ),
    ]  # fmt: skip


def hyperbolic() -> list[Function]:
    return [
        row("sinh", sp.sinh, torch.sinh, r"\sinh", overflow=within_log),
        row("cosh", sp.cosh, torch.cosh, r"\cosh", overflow=within_log),
        row("tanh", sp.tanh, torch.tanh, r"\tanh"),
        row("sech", sp.sech, lambda x: 1 / torch.cosh(within_exp(x))),
        row(
            "csch", sp.csch, lambda x: 1 / torch.sinh(within_exp(x)),
            domain=NONZERO, hole_width=near_pole,
        ),
        row(
            "coth", sp.coth, lambda x: 1 / torch.tanh(x), r"\coth",
            domain=NONZERO, hole_width=near_pole,
        ),
    ]  # fmt: skip


def inverse_hyperbolic() -> list[Function]:
    arccosh = with_slope(torch.acosh, lambda x: 1 / _leg(x))
    arctanh = with_slope(torch.atanh, lambda x: 1 / ((1 - x) * (1 + x)))
    arccoth = with_slope(lambda t: torch.log1p(2 / (t - 1)) / 2, lambda t: -1 / (t - 1) / (t + 1))
    arcsech = with_slope(lambda x: torch.asinh(_rest(x) / x), lambda x: -1 / (x * _rest(x)))
    arccsch = with_slope(
        lambda x: torch.asinh(1 / x), lambda x: -1 / (x.abs() * torch.hypot(x, torch.ones_like(x)))
    )
    half_open = Domain(0.0, 1.0, low_open=True)
    return [
        row("arcsinh", sp.asinh, torch.asinh, complexity=4, aliases=("asinh",)),
        row(
            "arccosh", sp.acosh, arccosh,
            domain=_FROM_ONE, complexity=4, aliases=("acosh",), steep=True, anchor=2.0,
        ),
        row(
            "arctanh", sp.atanh, arctanh,
            domain=UNIT_OPEN, complexity=4, aliases=("atanh",),
        ),
        row_of_size(
            "arccoth", sp.acoth, arccoth, lambda x, y: torch.sign(x) * y,
            domain=_ABOVE_ONE, words="|x| > 1", aliases=("acoth",),
        ),
        row(
            "arcsech", sp.asech, arcsech,
            domain=half_open, complexity=4, aliases=("asech",), steep=True,
        ),
        row(
            "arccsch", sp.acsch, arccsch,
            domain=NONZERO, complexity=4, aliases=("acsch",),
        ),
    ]  # fmt: skip


def _rest(x: Tensor) -> Tensor:
    """sqrt(1 - x^2) without cancellation at the ends."""
    return torch.sqrt((1 - x) * (1 + x))


def _leg(x: Tensor) -> Tensor:
    """sqrt(x^2 - 1) without cancellation at 1, and without overflow."""
    return torch.sqrt(x - 1) * torch.sqrt(x + 1)


# atan(1/x), as sympy defines it: it jumps at 0, where it is pi/2.
_arccot = with_slope(
    lambda x: torch.where(x == 0, math.pi / 2, torch.atan(1 / x)), lambda x: -1 / (1 + x * x)
)
