"""One function for a whole formula of one variable: 'exp(sin(x)) + x^2', 'where(x > 0, x, 0)'.

Its name is its text in the formula language; its parts are rows of the function table, so
that value and gradient are as safe as theirs.
"""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp
import torch
from torch import Tensor

from kanstudio.errors import FormulaError, KanStudioError
from kanstudio.functions.domain import ALL, Domain
from kanstudio.functions.function import Function
from kanstudio.functions.language import language
from kanstudio.functions.program import Program, program
from kanstudio.functions.rule import finite_gradient

LONGEST_NAME = 2000
"""Characters of the longest name: a saved network may hold one per edge."""

_X = sp.Symbol("x")
# Functions of the formula language that are no rows of the table.
_REAL_PARTS = (sp.re, sp.im, sp.conjugate)
_READABLE = (sp.Max, sp.Min, sp.Mod, sp.Piecewise, sp.atan2, sp.factorial, *_REAL_PARTS)
_PARTIAL = Domain(words="where all its parts have a value")

Find = Callable[[str], Function]
Match = Callable[[sp.Expr], "tuple[str, sp.Expr] | None"]


def read(name: str) -> sp.Expr:
    """The expression of x that a name says; KanStudioError if it is no formula of x."""
    if len(name) > LONGEST_NAME:
        raise KanStudioError(
            f"a function of {len(name)} characters, {name[:40]}..., is too long: "
            f"the limit is {LONGEST_NAME}"
        )
    try:
        expr = language().read(name)
    except FormulaError as error:
        raise KanStudioError(f"{_short(name)} is no function of x: {error}") from None
    if expr.free_symbols != {_X}:
        raise KanStudioError(f"{_short(name)} is a constant, not a function of x")
    return expr


def spelled(expr: sp.Expr, symbol: sp.Symbol, match: Match) -> str:
    """A text of an expression of one symbol, which is called x in it.

    match: of the function table, see `lookup`. Raises KanStudioError for a constant and
    for what the table lacks.
    """
    if expr.free_symbols != {symbol}:
        raise KanStudioError(f"{_short(str(expr))} is no function of {symbol} alone")
    for part in expr.atoms(sp.Function):
        if not isinstance(part, _READABLE) and match(part) is None:
            raise KanStudioError(f"{part.func} is no function of the table")
    if expr.has(*_REAL_PARTS):  # Values are real.
        expr = expr.replace(sp.re, lambda part: part).replace(sp.conjugate, lambda part: part)
        expr = expr.replace(sp.im, lambda part: sp.S.Zero)
    return language().write(expr, symbol)


def canonical(name: str, expr: sp.Expr) -> tuple[str, sp.Expr]:
    """The one name of what a name reads as: reading and writing it changes nothing."""
    for _ in range(4):
        text = language().write(expr, _X)
        if text == name:
            return name, expr
        name, expr = text, read(text)
    raise KanStudioError(f"{_short(name)} has no one spelling")


def make_composed(expr: sp.Expr, name: str, find: Find, match: Match) -> Function:
    """The function of a canonical expression of x.

    find, match: of the function table, see `lookup`. Raises KanStudioError for what has no
    real value or stands in no row.
    """
    steps = program(expr, find, match)

    def evaluate(x: Tensor) -> Tensor:
        y = steps.value(finite_gradient(x))
        # A NaN stays a NaN, even where the default of a condition is a constant.
        return torch.where(x.isnan(), x, torch.nan_to_num(y))

    def inside(x: Tensor) -> Tensor:
        with torch.no_grad():
            value, true = steps.checked(x)
        return true & value.isfinite() & ~x.isnan()

    def substituted(argument: sp.Expr) -> sp.Expr:
        return language().substitute(expr, argument)

    return Function(
        name=name,
        sympy=substituted,
        torch=evaluate,
        latex=language().template(expr),
        domain=_domain(steps),
        complexity=steps.complexity,
        inside_map=inside,
        expression=expr,
    )


def _domain(steps: Program) -> Domain:
    """That of the only part with a domain, if it is a function of x itself."""
    limited = steps.domains()
    if not limited:
        return ALL
    (domain, of_x), *others = limited
    return domain if of_x and all(other == (domain, True) for other in others) else _PARTIAL


def _short(name: str) -> str:
    return name if len(name) <= 40 else f"{name[:40]}..."
