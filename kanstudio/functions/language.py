"""How this package comes to the formula language, which stands above it."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from typing import Protocol, cast

import sympy as sp

# Formulas are made of these functions, so no import can point the other way. By name the
# language is found in every process, whichever module it imported first.
_MODULE = "kanstudio.formula.univariate"


class Language(Protocol):
    """What `kanstudio.formula.univariate` offers; the variable is always Symbol("x")."""

    def read(self, text: str) -> sp.Expr:
        """The expression of x that a text says; FormulaError."""

    def write(self, expr: sp.Expr, symbol: sp.Symbol) -> str:
        """The text of an expression, with the symbol called x."""

    def substitute(self, expr: sp.Expr, argument: sp.Expr) -> sp.Expr:
        """The expression with the argument in place of x."""

    def template(self, expr: sp.Expr) -> str:
        """LaTeX with {(x)} in place of x, and {x} where x has brackets of its own."""

    def why_no_function_name(self, name: str) -> str:
        """Why formulas cannot have a new function of this name; "" if they can."""


@lru_cache(maxsize=1)
def language() -> Language:
    """The formula language."""
    return cast(Language, import_module(_MODULE))
