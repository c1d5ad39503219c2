"""Functions of the language that are written with those of the table, such as log10 and hypot."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import sympy as sp

from kanstudio.formula import algebra, numbers

_MOST_FACTORS = 6


def log_to(x: sp.Expr, base: sp.Expr) -> sp.Expr:
    """log(x)/log(base)."""
    logarithms = [
        sp.log(part) if part.is_number else algebra.apply("log", part) for part in (x, base)
    ]
    return algebra.multiply([logarithms[0], algebra.power(logarithms[1], algebra.MINUS_ONE)])


def _factorial(x: sp.Expr) -> sp.Expr:
    found = algebra.apply("gamma", algebra.add([x, algebra.ONE]))
    # Of a constant: a number, as everywhere.
    return numbers.tidy(float(found)) if found.is_number and found.has(sp.gamma) else found


def _hypot(x: sp.Expr, y: sp.Expr) -> sp.Expr:
    squares = [algebra.power(part, sp.Integer(2)) for part in (x, y)]
    return algebra.power(algebra.add(squares), algebra.HALF)


def _clip(x: sp.Expr, low: sp.Expr, high: sp.Expr) -> sp.Expr:
    return sp.Min(sp.Max(x, low, evaluate=False), high, evaluate=False)


def _binomial(n: sp.Expr, k: sp.Expr) -> sp.Expr:
    """n! / (k! (n - k)!) for real n and k; a polynomial, without poles, for few factors."""
    if k.is_Integer and 0 <= k <= _MOST_FACTORS:
        steps = [algebra.add([n, sp.Integer(-i)]) for i in range(int(k))]
        return algebra.multiply([sp.Rational(1, math.factorial(int(k))), *steps])
    apart = algebra.add([n, algebra.multiply([algebra.MINUS_ONE, k])])
    below = [algebra.power(_factorial(part), algebra.MINUS_ONE) for part in (k, apart)]
    return algebra.multiply([_factorial(n), *below])


SHORTHANDS: Mapping[str, Callable[..., sp.Expr]] = {
    "log2": lambda x: log_to(x, sp.Integer(2)),
    "log10": lambda x: log_to(x, sp.Integer(10)),
    "factorial": _factorial,
    "hypot": _hypot,
    "expm1": lambda x: algebra.add([algebra.apply("exp", x), algebra.MINUS_ONE]),
    "log1p": lambda x: algebra.apply("log", algebra.add([x, algebra.ONE])),
    "exp2": lambda x: algebra.power(sp.Integer(2), x),
    "square": lambda x: algebra.power(x, sp.Integer(2)),
    "cube": lambda x: algebra.power(x, sp.Integer(3)),
    "reciprocal": lambda x: algebra.power(x, algebra.MINUS_ONE),
    "radians": lambda x: algebra.multiply([x, sp.pi, sp.Rational(1, 180)]),
    "degrees": lambda x: algebra.multiply(
        [x, algebra.power(sp.pi, algebra.MINUS_ONE), sp.Integer(180)]
    ),
    "clip": _clip,
    "binomial": _binomial,
    "atan2": lambda y, x: sp.atan2(y, x, evaluate=False),
}
"""By name, the expression of the arguments."""

REPEATING: Mapping[str, int] = {"binomial": _MOST_FACTORS}
"""How often an argument is repeated by those that repeat one."""
