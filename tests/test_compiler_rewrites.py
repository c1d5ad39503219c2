"""Functions that become sums, products and functions of the table, against mpmath."""

from __future__ import annotations

from collections.abc import Callable

import mpmath
import numpy as np
import pytest
import sympy
from expressions import error_at

from kanstudio import formula
from kanstudio.compiler import STRATEGIES, compile_network, sympy_function
from kanstudio.errors import CompileError

x, y, z = sympy.symbols("x y z")
VARIABLES = ("x", "y", "z")


def points(low: float = -3.0, high: float = 3.0) -> np.ndarray:
    return np.random.default_rng(4).uniform(low, high, (60, 3))


def worst(expression: sympy.Expr, reference: Callable[..., float], samples: np.ndarray) -> float:
    """The largest error of all strategies and of the plain evaluation."""
    expected = np.array([[float(reference(*map(float, row)))] for row in samples])
    found = sympy_function([expression], VARIABLES)(samples)
    scale = 1 + np.abs(expected).max()
    errors = [np.abs(found - expected).max() / scale]
    for strategy in STRATEGIES:
        network = compile_network([expression], VARIABLES, strategy=strategy)
        errors.append(error_at(network, expected, samples))
    return max(errors)


def _name(value: object) -> str:
    """Of a case: its expression; a function's own text differs from process to process."""
    return str(value) if isinstance(value, sympy.Basic) else ""


@pytest.mark.parametrize(
    ("expression", "reference"),
    [
        (sympy.Min(x, 1e10), lambda a, b, c: a),
        (sympy.Max(-1e15, x), lambda a, b, c: a),
        (sympy.Min(x, sympy.exp(20 * y)), lambda a, b, c: min(a, mpmath.exp(20 * b))),
        (sympy.Max(-sympy.exp(20 * y), x, z), lambda a, b, c: max(a, -mpmath.exp(20 * b), c)),
        (
            sympy.Min(sympy.exp(15 * x), sympy.exp(-15 * x), sympy.cosh(9 * y)),
            lambda a, b, c: mpmath.exp(-15 * abs(a)),
        ),
        (sympy.Max(sympy.gamma(x + 4), y**9, 2), lambda a, b, c: max(mpmath.gamma(a + 4), b**9, 2)),
        (sympy.Min(1e9 * x, y), lambda a, b, c: min(1e9 * a, b)),
        (sympy.Max(-1e15, -sympy.exp(9 * x)), lambda a, b, c: -mpmath.exp(9 * a)),
        (sympy.Piecewise((1e30, x <= -4), (y, True)), lambda a, b, c: b),
        (sympy.Piecewise((y, x > -4), (1e300, True)), lambda a, b, c: b),
        (sympy.Piecewise((1e30, x >= 4), (-1e20, y <= -4), (sympy.Rational(1, 3), True)),
         lambda a, b, c: 1 / 3),
    ],
    ids=_name,
)  # fmt: skip
def test_a_huge_value_takes_no_digits_from_the_one_that_is_chosen(expression, reference):
    samples = points()
    expected = np.array([[float(reference(*map(float, row)))] for row in samples])
    for strategy in STRATEGIES:
        network = compile_network([expression], VARIABLES, strategy=strategy)
        assert error_at(network, expected, samples) < 1e-12


@pytest.mark.parametrize("n", [2, 3, 4, 8, 16])
def test_the_maximum_of_many_is_flat(n):
    symbols = sympy.symbols(f"x:{n}")
    for extreme in (sympy.Max, sympy.Min):
        network = compile_network([extreme(*symbols)], [symbol.name for symbol in symbols])
        assert network.depth <= 1 + np.ceil(np.log2(n))
        assert network.n_edge <= 5 * n


def test_equal_values_are_the_largest():
    huge = sympy.Max(sympy.exp(9 * x), sympy.exp(9 * y), evaluate=False)
    network = compile_network([huge], ["x", "y"])
    assert error_at(network, np.exp([[9.0], [-9.0]]), np.array([[1.0, 1.0], [-1.0, -1.0]])) < 1e-15


@pytest.mark.parametrize(
    ("expression", "reference"),
    [
        (sympy.Heaviside(x - y, 1), lambda a, b, c: float(a >= b)),
        (sympy.Heaviside(x - y, 0) * z, lambda a, b, c: c * (a > b)),
        (sympy.factorial(x + 4), lambda a, b, c: mpmath.factorial(a + 4)),
        (sympy.binomial(x, 3), lambda a, b, c: a * (a - 1) * (a - 2) / 6),
        (sympy.binomial(x + 5, y), lambda a, b, c: mpmath.binomial(a + 5, b)),
        (sympy.beta(x + 4, y + 4), lambda a, b, c: mpmath.beta(a + 4, b + 4)),
        (sympy.rf(x + 4, y), lambda a, b, c: mpmath.rf(a + 4, b)),
        (sympy.ff(x + 8, y), lambda a, b, c: mpmath.ff(a + 8, b)),
        (sympy.erf2(x, y), lambda a, b, c: mpmath.erf(b) - mpmath.erf(a)),
        (sympy.erfcinv(x / 4 + 1), lambda a, b, c: mpmath.erfinv(-a / 4)),
        (sympy.arg(x) * y, lambda a, b, c: mpmath.pi * b * (a < 0)),
        (sympy.UnevaluatedExpr(x + y) + x, lambda a, b, c: 2 * a + b),
        (sympy.Piecewise((x, sympy.Xor(x > 0, y > 0, z > 0)), (0, True)),
         lambda a, b, c: a * (((a > 0) + (b > 0) + (c > 0)) % 2)),
        (sympy.Piecewise((x, sympy.Implies(x > 0, y > 0)), (0, True)),
         lambda a, b, c: a * (a <= 0 or b > 0)),
        (sympy.Piecewise((x, sympy.Equivalent(x > 0, y > 0, z > 0)), (7, True)),
         lambda a, b, c: a if (a > 0) == (b > 0) == (c > 0) else 7),
        ((-1) ** sympy.floor(x) * y, lambda a, b, c: b * (-1) ** int(np.floor(a))),
        ((-2) ** (sympy.floor(x) - 3 * sympy.ceiling(y)),
         lambda a, b, c: (-2.0) ** int(np.floor(a) - 3 * np.ceil(b))),
        (sympy.zeta(3) * x + sympy.TribonacciConstant, lambda a, b, c: a * mpmath.zeta(3)
         + mpmath.mpf("1.8392867552141611325518525646533")),
    ],
    ids=_name,
)  # fmt: skip
def test_other_functions_of_sympys_are_exact(expression, reference):
    assert worst(expression, reference, points()) < 1e-12


@pytest.mark.parametrize("text", ["x^y", "max(x, 0)^y", "(x + |x|)^(y + 1)", "floor(x)^y", "0^y"])
def test_zero_to_a_positive_power_is_zero(text):
    expression = formula.parse(text, ["x", "y"]).outputs[0].expr
    samples = np.array([[0.0, 0.5], [0.0, 1.0], [0.0, 2.5]])
    assert error_at(compile_network([expression], ["x", "y"]), np.zeros((3, 1)), samples) < 1e-12


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_two_functions_of_one_shared_sum_stay_two(strategy):
    # z - y stands in both arguments of relu, and relu of it in one of them.
    expression = sympy.Max(y, z - sympy.Rational(1, 3), z + sympy.Rational(5, 2))
    expected = np.array([[max(b, c + 2.5)] for _, b, c in points()])
    network = compile_network([expression], VARIABLES, strategy=strategy)
    assert error_at(network, expected, points()) < 1e-14


@pytest.mark.parametrize(
    "expression",
    [
        sympy.Derivative(x**3, x),
        sympy.Sum(x**z, (z, 1, 3)),
        sympy.Integral(sympy.sin(z), (z, 0, x)),
    ],
)
def test_what_is_not_evaluated_yet_says_so(expression):
    with pytest.raises(CompileError, match=r"call \.doit\(\)"):
        compile_network([expression], ["x"])
