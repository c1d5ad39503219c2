"""The univariate functions that an edge can have.

One table says what a function is: name, sympy, torch, latex, domain, complexity. A whole
formula of one variable is a function too, named by its text.

    >>> from kanstudio import functions
    >>> functions.get("arcsin").name, functions.get("asin").name
    ('arcsin', 'arcsin')
    >>> functions.get("x^(1/3)").exponent
    Fraction(1, 3)
    >>> functions.get("exp(sin(x))+x^2").name
    'x^2 + exp(sin(x))'
"""

from __future__ import annotations

from kanstudio.functions.domain import Domain
from kanstudio.functions.function import Function
from kanstudio.functions.lookup import (
    UnknownFunctionError,
    compose,
    from_sympy,
    get,
    match,
    names,
    power_name,
    rows,
    suggest,
    version,
)
from kanstudio.functions.own import add_function, remove_function
from kanstudio.functions.source import load_functions

__all__ = [
    "Domain",
    "Function",
    "UnknownFunctionError",
    "add_function",
    "compose",
    "from_sympy",
    "get",
    "load_functions",
    "match",
    "names",
    "power_name",
    "remove_function",
    "rows",
    "suggest",
    "version",
]
