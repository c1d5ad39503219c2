"""Random sympy expressions, and the comparison of a network with the reference."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import sympy
from hypothesis import strategies as st

from kanstudio import functions
from kanstudio.compiler import STRATEGIES, compile_network, sympy_function
from kanstudio.formula.numbers import exact
from kanstudio.network.forward import evaluate
from kanstudio.network.network import Network

VARIABLES = ("x", "y", "z")
SYMBOLS = sympy.symbols(VARIABLES)

# Bounded slopes: a random nest of these keeps rounding errors near the last digits.
UNARY = (
    sympy.sin,
    sympy.cos,
    sympy.tanh,
    sympy.atan,
    sympy.Abs,
    sympy.asinh,
    lambda a: sympy.exp(-sympy.Abs(a)),
    lambda a: sympy.exp(sympy.sin(a)),
    lambda a: sympy.log(a**2 + 1),
    lambda a: sympy.sqrt(a**2 + sympy.Rational(1, 2)),
    lambda a: 1 / (a**2 + 1),
    lambda a: (a**2 + 1) ** sympy.Rational(-3, 2),
    lambda a: (sympy.cos(a) + 2) ** sympy.Rational(1, 3),
    lambda a: sympy.tanh(a) ** 3,
    lambda a: 2 ** sympy.sin(a),
    lambda a: sympy.Max(a, sympy.sin(SYMBOLS[0])),
    lambda a: sympy.Min(a, SYMBOLS[1], 0.3),
    lambda a: sympy.Piecewise((sympy.sqrt(a), a > 0), (SYMBOLS[2], True)),
)
CONSTANTS = (sympy.pi, sympy.Rational(-2, 3), sympy.Float(1.25), sympy.sqrt(2), sympy.Integer(-1))


def expressions(max_leaves: int = 10) -> st.SearchStrategy[sympy.Expr]:
    """Expressions of x, y and z that have a real value everywhere."""
    leaves = st.sampled_from(SYMBOLS + SYMBOLS + CONSTANTS)

    def extend(inner: st.SearchStrategy[sympy.Expr]) -> st.SearchStrategy[sympy.Expr]:
        parts = st.lists(inner, min_size=2, max_size=4)
        return st.one_of(
            parts.map(lambda args: sympy.Add(*args)),
            parts.map(lambda args: sympy.Mul(*args)),
            st.tuples(st.sampled_from(CONSTANTS), inner, st.sampled_from(CONSTANTS)).map(
                lambda t: sympy.Add(sympy.Mul(t[0], t[1], evaluate=False), t[2])
            ),
            st.tuples(st.sampled_from(UNARY), inner).map(lambda t: t[0](t[1])),
        )

    return st.recursive(leaves, extend, max_leaves=max_leaves)


def every_function(max_leaves: int = 8) -> st.SearchStrategy[sympy.Expr]:
    """Expressions of x, y and z with any function of the table, as sympy builds them.

    Piecewise, Max, Min, Mod, atan2 and conditions of every kind too. Many have a real
    value at few points only, or at none. Every number in them is exact or a long float,
    and no function has a constant argument: formulas keep such a constant as its float.
    """
    numbers = st.one_of(
        st.sampled_from([sympy.pi, sympy.E, sympy.sqrt(2), sympy.log(2), sympy.log(10)]),
        st.integers(-20, 20).map(sympy.Integer),
        st.builds(sympy.Rational, st.integers(-30, 30), st.integers(1, 12)),
        st.sampled_from([0.1, 1 / 3, -2.7e-17, 7.1e20, 3.3333]).map(sympy.Float),
    )
    leaves = st.one_of(st.sampled_from(SYMBOLS), st.sampled_from(SYMBOLS), numbers)
    return st.recursive(leaves, _with_every_function, max_leaves=max_leaves).filter(_is_typed)


def _with_every_function(
    inner: st.SearchStrategy[sympy.Expr],
) -> st.SearchStrategy[sympy.Expr]:
    rows = [functions.get(name) for name in functions.names()]
    named = [row.sympy for row in rows if row.name != "0"]
    exponents = [*map(sympy.Integer, (2, 3, -1, -2)), sympy.Rational(1, 2), sympy.Rational(-3, 2)]
    exponents += [sympy.Rational(2, 3), sympy.pi, sympy.Float(0.3), SYMBOLS[0]]
    some = st.lists(inner, min_size=2, max_size=4)
    pair = st.tuples(inner, inner)
    # A function of constants may take sympy forever.
    varying = inner.map(lambda item: item if item.free_symbols else item + SYMBOLS[0])
    return st.one_of(
        some.map(lambda items: sympy.Add(*items)),
        some.map(lambda items: sympy.Mul(*items)),
        st.tuples(varying, st.sampled_from(exponents)).map(lambda p: p[0] ** p[1]),
        st.tuples(st.sampled_from([sympy.Integer(2), sympy.pi]), varying).map(
            lambda p: p[0] ** p[1]
        ),
        st.tuples(st.sampled_from(named), varying).map(lambda p: p[0](p[1])),
        st.tuples(st.sampled_from(named), varying).map(lambda p: p[0](p[1])),
        st.tuples(
            st.sampled_from([sympy.Max, sympy.Min, sympy.atan2]), st.tuples(varying, inner)
        ).map(lambda p: _built(p[0], p[1])),
        st.tuples(varying, st.sampled_from([SYMBOLS[1], *exponents[:2], sympy.pi])).map(
            lambda p: sympy.Mod(*p, evaluate=False)
        ),
        st.tuples(pair, conditions(), conditions()).map(
            lambda p: sympy.Piecewise((p[0][0], p[1]), (p[0][1], p[2]), (SYMBOLS[2], True))
        ),
    )


def _built(head: type[sympy.Expr], arguments: tuple[sympy.Expr, ...]) -> sympy.Expr:
    """The call, or nan where sympy cannot tell which of two constants is larger."""
    try:
        return head(*arguments)
    except ValueError:
        return sympy.nan


def conditions() -> st.SearchStrategy[sympy.Basic]:
    """Relations of simple expressions, and what And, Or and Not make of them."""
    sides = st.sampled_from(
        [*SYMBOLS, sympy.Integer(0), sympy.Float(0.1), SYMBOLS[0] ** 2 - 1, sympy.sin(SYMBOLS[1])]
    )
    heads = st.sampled_from(
        [sympy.Lt, sympy.Le, sympy.Gt, sympy.Ge, sympy.Eq, sympy.Ne],
    )
    relations = st.builds(lambda head, a, b: head(a, b), heads, sides, sides)
    return st.recursive(
        relations,
        lambda inner: st.one_of(
            st.builds(sympy.And, inner, inner),
            st.builds(sympy.Or, inner, inner),
            inner.map(sympy.Not),
        ),
        max_leaves=3,
    )


def _is_typed(expr: sympy.Expr) -> bool:
    """Has it a variable, only numbers and constants that formulas keep, and no `re`?"""
    if not expr.free_symbols or expr.has(
        sympy.nan, sympy.zoo, sympy.oo, sympy.I, sympy.re, sympy.im, sympy.ITE, sympy.AccumBounds
    ):
        return False
    if any(part.base.is_negative for part in expr.atoms(sympy.Pow)):
        return False
    if _rebuilt(expr) != expr:  # not what sympy itself makes of these parts
        return False
    kept = {sympy.sqrt(2), 1 / sympy.sqrt(2), sympy.log(2), sympy.log(10)}
    parts = [part for part in sympy.preorder_traversal(expr) if part.args and part.is_number]
    if any(piecewise.args[-1][1] is not sympy.true for piecewise in expr.atoms(sympy.Piecewise)):
        return False
    return all(part in kept for part in parts if not part.is_Add and not part.is_Mul) and not any(
        number.is_Float != exact(Fraction(float(number))).is_Float or abs(number) > 1e200
        for number in expr.atoms(sympy.Float, sympy.Integer)
    )


def _rebuilt(expr: sympy.Basic) -> sympy.Basic:
    if isinstance(expr, sympy.Mod) or not expr.args:
        return expr
    return expr.func(*(_rebuilt(part) for part in expr.args))


def worst_error(
    network: Network,
    expressions: Sequence[sympy.Expr],
    variables: Sequence[str] = VARIABLES,
    low: float = -1.0,
    high: float = 1.0,
    n: int = 200,
) -> float:
    """The largest error against the reference, relative to 1 + the largest value.

    Only where the reference is finite; there must be such points.
    """
    x = np.random.default_rng(1).uniform(low, high, (n, len(variables)))
    return error_at(network, sympy_function(expressions, variables)(x), x)


def error_at(network: Network, expected: np.ndarray, x: np.ndarray) -> float:
    """As `worst_error`, for samples and reference values at hand."""
    real = np.isfinite(expected)
    assert real.any(), "the reference has no real value at any sample"
    difference = np.abs(evaluate(network, x) - expected)[real]
    return float(difference.max() / (1 + np.abs(expected[real]).max()))


def compiled_error(text: str, low: float = -1.0, high: float = 1.0) -> float:
    """Compile an expression in sympy's syntax, x, y, z, in every way, and compare."""
    expression = sympy.sympify(text, locals=dict(zip(VARIABLES, SYMBOLS, strict=True)))
    return max(
        worst_error(
            compile_network([expression], VARIABLES, strategy=strategy),
            [expression],
            low=low,
            high=high,
        )
        for strategy in STRATEGIES
    )
