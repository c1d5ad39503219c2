"""Random formulas of every function of the language: networks and formulas against mpmath."""

from __future__ import annotations

from random import Random
from typing import Any

import mpmath
import numpy as np
import pytest
import sympy as sp

from kanstudio import formula
from kanstudio.compiler import STRATEGIES, compile_network, sympy_function
from kanstudio.errors import FormulaError
from kanstudio.network.forward import evaluate
from kanstudio.symbolic.formula import symbolic_formula

VARIABLES = ("x", "y", "z")
LEAVES = ["x", "y", "z", "x", "y", "z", "1", "2", "3", "0.5", "(1/3)", "pi", "e", "10", "-2.5"]
SMOOTH = [
    "sin",
    "cos",
    "tan",
    "exp",
    "tanh",
    "sinh",
    "cosh",
    "atan",
    "asinh",
    "erf",
    "erfc",
    "gaussian",
    "sigmoid",
    "softplus",
]
PARTIAL = [
    "log",
    "sqrt",
    "asin",
    "acos",
    "atanh",
    "acosh",
    "gamma",
    "loggamma",
    "j0",
    "y1",
    "k0",
    "lambertw",
    "cbrt",
    "sec",
    "coth",
]
BROKEN = ["abs", "sign", "floor", "ceil", "frac", "relu", "heaviside"]
EXPONENTS = ["2", "3", "(-1)", "0.5", "(3/2)", "(-0.3)", "5", "(2/3)"]


def text_of(rng: Random, depth: int) -> str:
    """A formula that is Python too."""
    if depth == 0 or rng.random() < 0.1:
        return rng.choice(LEAVES)

    def inner() -> str:
        return text_of(rng, depth - 1)

    def joined(sign: str) -> str:
        return f"({sign.join(inner() for _ in range(rng.choice([2, 2, 3])))})"

    kind = rng.randrange(20)
    if kind < 8:
        return joined(rng.choice("++-*") if kind < 7 else "/")
    if kind < 10:
        return f"({inner()})**{rng.choice(EXPONENTS)}"
    if kind < 11:
        return f"(abs({inner()})+0.1)**({inner()})"
    if kind < 13:
        name = rng.choice(["max", "min", "atan2", "hypot", "mod"])
        return f"{name}({inner()},{inner()})"
    if kind < 15:
        sign = rng.choice(["<", ">", "<=", ">="])
        condition = f"{inner()}{sign}{inner()}"
        if rng.random() < 0.3:
            condition = f"{condition} {rng.choice(['and', 'or'])} not ({inner()}{sign}{inner()})"
        return f"({inner()} if {condition} else {inner()})"
    return f"{rng.choice(rng.choice([SMOOTH, SMOOTH, PARTIAL, BROKEN]))}({inner()})"


def _undefined(*_: Any) -> Any:
    raise ZeroDivisionError


def names() -> dict[str, Any]:
    """What the texts mean for mpmath's numbers."""
    m = mpmath.mp
    known = {name: getattr(m, name) for name in [*SMOOTH, *PARTIAL] if hasattr(m, name)}
    known |= {
        name: getattr(m, name) for name in ("floor", "ceil", "frac", "sign", "atan2", "hypot")
    }
    return known | {
        "abs": abs, "max": max, "min": min, "pi": m.pi, "e": m.e,
        "mod": lambda x, y: x - y * m.floor(x / y),
        "log": lambda x: m.log(x) if x > 0 else _undefined(),
        "loggamma": lambda x: m.loggamma(x) if x > 0 else _undefined(),
        "lambertw": lambda x: m.lambertw(x).real if x > -m.exp(-1) else _undefined(),
        "k0": lambda x: m.besselk(0, x), "y1": lambda x: m.bessely(1, x),
        "j0": lambda x: m.besselj(0, x), "cbrt": lambda x: m.sign(x) * m.cbrt(abs(x)),
        "gaussian": lambda x: m.exp(-x * x), "sigmoid": lambda x: 1 / (1 + m.exp(-x)),
        "softplus": lambda x: m.log(1 + m.exp(x)), "relu": lambda x: max(x, m.mpf(0)),
        "heaviside": lambda x: (m.sign(x) + 1) / 2,
    }  # fmt: skip


def reference(text: str, points: np.ndarray) -> np.ndarray:
    """The values with 30 digits; NaN where there is no real one, or none below 1e50."""
    code, known, found = compile(text, "formula", "eval"), names(), np.full(len(points), np.nan)
    mpmath.mp.trap_complex = True  # no complex number, not even on the way to a real one
    try:
        with mpmath.workdps(30):
            for row, point in enumerate(points.tolist()):
                here = known | dict(zip(VARIABLES, map(mpmath.mpf, point), strict=True))
                try:
                    value = eval(code, here)
                    found[row] = float(value) if abs(value) < 1e50 else np.nan
                except (ZeroDivisionError, ValueError, OverflowError, TypeError):
                    continue
    finally:
        mpmath.mp.trap_complex = False
    return found


def steady(text: str, points: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Where the last bits of the inputs do not count."""
    scale = 1e-10 * (1 + np.nanmax(np.abs(values)))
    moved = [reference(text, points * (1 + step)) for step in (4e-15, -4e-15)]
    return np.all([np.abs(value - values) < scale for value in moved], axis=0)


def drawn(rng: Random, points: np.ndarray) -> tuple[str, sp.Expr, np.ndarray, np.ndarray]:
    """A formula with values at some points, its expression, and which values count."""
    while True:
        text = text_of(rng, rng.choice([2, 3, 4]))
        values = reference(text, points)
        if np.isfinite(values).sum() < 5 or not (counts := steady(text, points, values)).any():
            continue
        try:
            return text, formula.parse(text, VARIABLES).outputs[0].expr, values, counts
        except FormulaError:  # a constant part without a value, in a branch that is not taken
            continue


@pytest.mark.parametrize("seed", range(120))
def test_random_formulas_are_exact_and_come_back(seed: int) -> None:
    rng = Random(seed)
    low, high = rng.choice([(-1, 1), (0.1, 2), (-3, 3), (0.5, 5)])
    points = np.random.default_rng(seed).uniform(low, high, (20, 3))
    text, expr, values, counts = drawn(rng, points)
    wanted, bound = values[counts], 1e-9 * (1 + np.abs(values[counts]).max())
    edges = {}
    for strategy in STRATEGIES:
        network = compile_network([expr], VARIABLES, strategy=strategy)
        assert np.abs(evaluate(network, points)[counts, 0] - wanted).max() <= bound, text
        edges[strategy] = network.n_edge
        back = symbolic_formula(network, samples=points).expressions
        found = sympy_function(back, VARIABLES)(points)[counts, 0]
        plain = np.isfinite(sympy_function([expr], VARIABLES)(points)[counts, 0])
        assert np.abs(found - wanted)[plain].max(initial=0) <= bound, (text, back)
    assert max(edges.values()) == edges["tree"], text
