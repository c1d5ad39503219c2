"""Finding a function by its name, or by the sympy expression that it is."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from functools import lru_cache

import sympy as sp

from kanstudio.errors import KanStudioError
from kanstudio.functions import table
from kanstudio.functions.composed import canonical, make_composed, read, spelled
from kanstudio.functions.function import Function
from kanstudio.functions.powers import exponent_of, make_power, parse_power, power_name
from kanstudio.functions.registry import added

__all__ = [
    "UnknownFunctionError",
    "compose",
    "from_sympy",
    "get",
    "match",
    "names",
    "power_name",
    "rows",
    "suggest",
    "version",
]

_X = sp.Symbol("x")
_WORD = re.compile(r"\w*")


class UnknownFunctionError(KanStudioError, KeyError):
    """There is no function of this name; ``suggestion`` is the nearest name or ""."""

    def __init__(self, name: str, reason: str = "") -> None:
        self.name = name
        if reason:
            self.suggestion, self.message = "", reason
            super().__init__(reason)
            return
        self.suggestion = suggest(name, [*names(), *_by_alias()])
        hint = f": did you mean {self.suggestion}?" if self.suggestion else ""
        self.message = f"unknown function {name[:40]}{hint}"
        super().__init__(self.message)

    def __str__(self) -> str:
        return self.message


def suggest(name: str, known: Iterable[str]) -> str:
    """The known name that is nearest to name, or "" where none is near."""
    words = list(known)
    lower = {item.lower(): item for item in reversed(words)}
    typed = name[:40].lower()
    near = difflib.get_close_matches(typed, lower, n=8, cutoff=0.6)
    # sni is sin with two letters swapped; of equally near ones, the first known counts.
    swapped = [item for item in near if sorted(item) == sorted(typed)]
    if swapped or not near:
        return lower[swapped[0]] if swapped else ""
    best = difflib.SequenceMatcher(None, near[0], typed).ratio()
    equal = {item for item in near if difflib.SequenceMatcher(None, item, typed).ratio() >= best}
    return next(item for item in words if item.lower() in equal)


@lru_cache(maxsize=1)
def _by_name() -> dict[str, Function]:
    return {row.name: row for row in table.rows()}


@lru_cache(maxsize=1)
def _by_alias() -> dict[str, Function]:
    return {alias: row for row in _by_name().values() for alias in row.aliases}


def names() -> tuple[str, ...]:
    """Every name of the table, '0' first, then powers; what users added comes last.

    Other powers and composed functions exist on demand.
    """
    return (*_by_name(), *added.now.rows)


def rows() -> tuple[Function, ...]:
    """What `names` names, all at one moment."""
    return (*_by_name().values(), *added.now.rows.values())


def version() -> int:
    """Another number after every change of what users added."""
    return added.now.version


def get(name: str) -> Function:
    """The function of this name, alias or power ('x^(1/3)', '1/x^2.5', 'x^-2'), or formula.

    A formula of x in the formula language, 'exp(sin(x)) + x^2' or 'where(x > 0, x, 0)', is
    one composed function. Raises UnknownFunctionError, which suggests the nearest name,
    and KanStudioError for x^0, for exponents beyond 1000, and for a formula that has no
    value or is too long.
    """
    return _get(name, version())


@lru_cache(maxsize=4096)
def _get(name: str, version: int) -> Function:
    row = _by_name().get(name) or _by_alias().get(name) or added.now.rows.get(name)
    if row is not None:
        return row
    exponent = parse_power(name)
    if exponent is not None:
        return _by_name().get(power_name(exponent)) or make_power(exponent)
    if _WORD.fullmatch(name):
        raise UnknownFunctionError(name)
    try:
        return _composed(name, read(name))
    except UnknownFunctionError:
        raise
    except KanStudioError as error:
        raise UnknownFunctionError(name, str(error)) from error


def compose(expr: sp.Expr, symbol: sp.Symbol) -> str:
    """The name under which `get` knows an expression of one variable as one function.

    The name of a row, where the expression is one: 'sin' for sin(t). Otherwise the text
    of the expression with the symbol called x: 'exp(sin(x)) + x^2'. Raises KanStudioError
    for a constant, for a function that the table lacks, and for a text that is too long.
    """
    return get(spelled(expr, symbol, match)).name


def _composed(name: str, expr: sp.Expr) -> Function:
    found = match(expr)
    if expr == _X or (found is not None and found[1] == _X):
        return get("x" if found is None else found[0])
    known, expr = canonical(name, expr)
    return make_composed(expr, name, get, match) if known == name else get(known)


def _heads() -> dict[object, str]:
    return _heads_of(version())


@lru_cache(maxsize=4)
def _heads_of(version: int) -> dict[object, str]:
    """From sympy's class (or class and order, for Bessel functions) to the name."""
    slot = sp.Dummy()
    found: dict[object, str] = {}
    for row in rows():
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
    if isinstance(expr, sp.Heaviside):
        return ("heaviside", expr.args[0]) if expr.args[1] == sp.Rational(1, 2) else None
    if not expr.args:
        return None
    # Bessel functions have their order first; other branches of LambertW have one last.
    name = _heads().get(expr.func if len(expr.args) == 1 else (expr.func, expr.args[0]))
    return None if name is None else (name, expr.args[-1])
