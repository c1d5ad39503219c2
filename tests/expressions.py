"""Random sympy expressions, and the comparison of a network with the reference."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import sympy
from hypothesis import strategies as st

from kanstudio.compiler import STRATEGIES, compile_network, sympy_function
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
