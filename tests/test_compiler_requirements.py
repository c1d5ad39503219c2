"""Where a network is exact: what is said, and that it is so."""

from __future__ import annotations

import numpy as np
import pytest
import sympy
from expressions import error_at

from kanstudio import formula
from kanstudio.compiler import (
    compile_network,
    requirements,
    share_violated,
    sympy_function,
)

x, y = sympy.symbols("x y")


def conditions(text: str) -> list[str]:
    parsed = formula.parse(text, ["x", "y"])
    return [str(item) for item in requirements([output.expr for output in parsed.outputs])]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x^y", ["x >= 0"]),
        ("x^x^y", ["x >= 0"]),
        ("(x+y)^(x-y) + y^x", ["y >= 0", "x + y >= 0"]),
        ("x^y; 2x^y; x", ["x >= 0"]),
        ("exp((x y)^(2x) + y)", ["x*y >= 0"]),
        # What has no negative value needs nothing, and no more do roots and logarithms.
        ("|x|^y + 2^x + exp(x)^y + (x^2 + 1)^y + sqrt(x)^y + max(x, 0)^y", []),
        ("where(x > 0, x, x^2)^y", ["where(x > 0, x, x^2) >= 0"]),
        ("x^(1/3) + x^-3 + log(x, y) + atan2(y, x) + hypot(x, y) + mod(x, y) + 1/x", []),
    ],
)
def test_what_a_formula_requires(text, expected):
    assert conditions(text) == expected


def test_sympys_factorial_functions_require_no_poles():
    outputs = [sympy.binomial(x, y), sympy.rf(x, y), sympy.ff(x, y), sympy.binomial(x, 3)]
    assert [str(item) for item in requirements(outputs)] == [
        "1 + x > 0", "x > 0", "1 + min(x, x - y) > 0",
    ]  # fmt: skip


def test_the_share_of_samples_that_violate():
    (needed,) = requirements([(x - y) ** y])
    samples = np.array([[1.0, 2.0], [2.0, 1.0], [1.0, 1.0], [0.0, 3.0]])
    assert share_violated(needed, ["x", "y"], samples) == 0.5
    assert share_violated(needed, ["x", "y"], samples[:0]) == 0
    (positive,) = requirements([sympy.rf(x, y)])
    assert share_violated(positive, ["x", "y"], samples) == 0.25


@pytest.mark.parametrize("expression", [x**y, (x * y) ** x, sympy.binomial(x, y), sympy.rf(x, y)])
def test_the_network_is_exact_where_the_requirement_holds(expression):
    grid = np.arange(-3.0, 3.5, 0.5)
    samples = np.array([(a, b) for a in grid for b in grid])
    (needed,) = requirements([expression])
    holds = [share_violated(needed, ["x", "y"], sample[None]) == 0 for sample in samples]
    expected = sympy_function([expression], ["x", "y"])(samples)
    network = compile_network([expression], ["x", "y"])
    # Elsewhere the formula has values that the network has not.
    assert np.isfinite(expected[~np.array(holds)]).any()
    assert error_at(network, expected[holds], samples[holds]) < 1e-12
