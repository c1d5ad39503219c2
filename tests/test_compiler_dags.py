"""Formulas that share parts, in several outputs: every layout computes each in its place."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from kanstudio.compiler import STRATEGIES, compile_network, cost_report, sympy_function
from kanstudio.network.forward import evaluate

NAMES = ("x0", "x1", "x2", "x3")
SYMBOLS = sympy.symbols(NAMES)

# Lipschitz enough for a chain of twelve to keep its digits.
UNARY: tuple[Callable[[sympy.Expr], sympy.Expr], ...] = (
    sympy.sin, sympy.tanh, sympy.Abs, sympy.cos,
    lambda a: 2 * a + 1, lambda a: -a, lambda a: a / 3 - sympy.Rational(1, 7),
    lambda a: sympy.tanh(a) ** 2, lambda a: 1 / (a**2 + 1), lambda a: sympy.sqrt(a**2 + 1),
    lambda a: sympy.exp(-(a**2)), lambda a: sympy.Max(a, 0),
)  # fmt: skip
BINARY: tuple[Callable[[sympy.Expr, sympy.Expr], sympy.Expr], ...] = (
    lambda a, b: a + b, lambda a, b: a - b, lambda a, b: a + sympy.pi * b,
    lambda a, b: a * b, lambda a, b: -2 * a * b, lambda a, b: (a + 1) * (b - 2),
    sympy.Max, lambda a, b: sympy.Min(a, b + 1), lambda a, b: a / (b**2 + 1),
    lambda a, b: sympy.tanh(a) + b,
)  # fmt: skip


def outputs(seed: int) -> list[sympy.Expr]:
    """1 to 4 outputs, put together from a pool that grows by combining what it has."""
    random = Random(seed)
    pool = list(SYMBOLS)
    for _ in range(random.randint(2, 12)):
        if random.random() < 0.6:
            one, other = random.choices(pool, k=2)
            pool.append(random.choice(BINARY)(one, other))
        else:
            pool.append(random.choice(UNARY)(random.choice(pool)))
    chosen = [pool[-1], *random.choices(pool, k=random.randint(0, 3))]
    # Products are laid out in ways of their own, above all at the top.
    mixed = [random.choice([part, part * random.choice(pool)]) for part in chosen]
    random.shuffle(mixed)
    return mixed


OUTPUTS = st.integers(0, 2**32).map(outputs)


@settings(max_examples=200)
@given(OUTPUTS)
def test_every_layout_equals_its_formulas(expressions):
    x = np.random.default_rng(0).uniform(-1.5, 1.5, (30, len(NAMES)))
    expected = sympy_function(expressions, NAMES)(x)
    for strategy in STRATEGIES:
        found = evaluate(compile_network(expressions, NAMES, strategy=strategy), x)
        error = np.abs(found - expected).max(axis=0) / (1 + np.abs(expected).max(axis=0))
        assert (error <= 1e-9).all(), strategy


@settings(max_examples=60)
@given(OUTPUTS)
def test_nothing_costs_more_than_the_trees(expressions):
    report = cost_report(expressions, NAMES)
    assert max(cost.edges for cost in report.values()) <= report["tree"].edges


@pytest.mark.parametrize(
    "second", ["x0*x1*exp(sin(x2*x3))", "x0*x1*sin(exp(x2))", "x0*x1*(x2*x3 + x2)**2"]
)
@pytest.mark.parametrize("swapped", [False, True])
def test_an_output_may_be_a_factor_of_another(second, swapped):
    product = SYMBOLS[0] * SYMBOLS[1]
    typed = [product, sympy.sympify(second)]
    x = np.random.default_rng(0).uniform(-1.5, 1.5, (30, len(NAMES)))
    for expressions in [[*reversed(typed)] if swapped else typed, [*typed, product * typed[1]]]:
        for strategy in STRATEGIES:
            found = evaluate(compile_network(expressions, NAMES, strategy=strategy), x)
            assert np.allclose(found, sympy_function(expressions, NAMES)(x), rtol=1e-12, atol=1e-12)


def test_a_product_is_no_power_of_another_that_needs_a_sign():
    a, b = SYMBOLS[:2]
    typed = [a**2 * b, sympy.sin(1 / (a * sympy.sqrt(b))), a**2 / b**2 + sympy.exp(a / b)]
    x = np.array([[-1.7, -0.68, 0.0, 0.0], [0.3, 0.5, 0.0, 0.0]])
    expected = sympy_function(typed, NAMES)(x)
    real = np.isfinite(expected)
    for strategy in STRATEGIES:
        found = evaluate(compile_network(typed, NAMES, strategy=strategy), x)
        assert np.allclose(found[real], expected[real], rtol=1e-12, atol=1e-12), strategy
