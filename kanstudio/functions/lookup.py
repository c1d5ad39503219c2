"""Finding a function by its name, or by the sympy expression that it is."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from functools import lru_cache

import sympy as sp

from kanstudio.errors import KanStudioError
from kanstudio.functions import table
from kanstudio.functions.function import Function
from kanstudio.functions.powers import exponent_of, make_power, parse_power, power_name

__all__ = ["UnknownFunctionError", "from_sympy", "get", "match", "names", "power_name", "suggest"]


class UnknownFunctionError(KanStudioError, KeyError):
    """There is no function of this name; ``suggestion`` is the nearest name or ""."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.suggestion = suggest(name, [*_by_name(), *_by_alias()])
        hint = f": did you mean {self.suggestion}?" if self.suggestion else ""
        self.message = f"unknown function {name[:40]}{hint}"
        super().__init__(self.message)

    def __str__(self) -> str:
        return self.message


def suggest(name: str, known: Iterable[str]) -> str:
    """The known name that is nearest to name, or "" where none is near."""
    lower = {item.lower(): item for item in reversed(list(known))}
    near = difflib.get_close_matches(name[:40].lower(), lower, n=1, cutoff=0.6)
    return lower[near[0]] if near else ""


@lru_cache(maxsize=1)
def _by_name() -> dict[str, Function]:
    return {row.name: row for row in table.rows()}


@lru_cache(maxsize=1)
def _by_alias() -> dict[str, Function]:
    return {alias: row for row in _by_name().values() for alias in row.aliases}


def names() -> tuple[str, ...]:
    """Every name of the table, '0' first, then powers; other powers exist on demand."""
    return tuple(_by_name())


@lru_cache(maxsize=4096)
def get(name: str) -> Function:
    """The function of this name, alias or power ('x^(1/3)', '1/x^2.5', 'x^-2').

    Raises UnknownFunctionError, which suggests the nearest name, and KanStudioError for
    x^0 and for exponents beyond 1000.
    """
    row = _by_name().get(name) or _by_alias().get(name)
    if row is not None:
        return row
    exponent = parse_power(name)
    if exponent is None:
        raise UnknownFunctionError(name)
    return _by_name().get(power_name(exponent)) or make_power(exponent)


@lru_cache(maxsize=1)
def _heads() -> dict[object, str]:
    """From sympy's class (or class and order, for Bessel functions) to the name."""
    slot = sp.Dummy()
    found: dict[object, str] = {}
    for row in _by_name().values():
        if row.exponent is not None or row.name == "0":
            continue
        expr = row.sympy(slot)
        found[expr.func if len(expr.args) == 1 else _head_with_order(expr)] = row.name
    return found


def _head_with_order(expr: sp.Expr) -> object:
    """besselj(0, x) is (besselj, 0); Heaviside(x, 1/2) is Heaviside."""
    return expr.func if isinstance(expr, sp.Heaviside) else (expr.func, expr.args[0])


def from_sympy(head: object) -> str | None:
    """The name of a sympy function class (sp.asin: 'arcsin'), or of an applied function.

    None where the table has no such function. Bessel functions and digamma have their
    order in the expression: pass the applied function for them.
    """
    if isinstance(head, sp.Expr):
        found = match(head)
        return found[0] if found else None
    return _heads().get(head)


def match(expr: sp.Expr) -> tuple[str, sp.Expr] | None:
    """Read expr as f(argument): (name of f, argument), or None.

    Powers with a constant real exponent are functions of their base: (x+1)**2 is
    ('x^2', x+1). Only the outermost function is read.
    """
    if isinstance(expr, sp.Pow):
        base, exponent = expr.args
        if not exponent.is_number or not base.free_symbols:
            return None
        try:
            return power_name(exponent_of(exponent)), base
        except KanStudioError:
            return None
    if isinstance(expr, sp.Heaviside) and expr.args[1] != sp.Rational(1, 2):
        return None
    name = _heads().get(expr.func) or _heads().get(_key(expr))
    if name is None:
        return None
    return name, expr.args[0] if expr.func in _heads() else expr.args[-1]


def _key(expr: sp.Expr) -> object:
    return (expr.func, expr.args[0]) if len(expr.args) > 1 else expr.func
