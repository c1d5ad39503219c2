"""Expressions as text: what is printed reads as the same expression."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import sympy as sp
from expressions import SYMBOLS, VARIABLES, every_function
from hypothesis import HealthCheck, given, settings

from kanstudio import formula
from kanstudio.compiler import sympy_function
from kanstudio.errors import FormulaError

x, y, z = SYMBOLS
POINTS = np.random.default_rng(3).uniform(-2, 3, (30, 3))


def read(text: str) -> sp.Expr:
    return formula.parse(text, VARIABLES).outputs[0].expr


@settings(max_examples=400, suppress_health_check=[HealthCheck.filter_too_much])
@given(every_function())
def test_text_reads_as_the_same_expression(expr: sp.Expr) -> None:
    assert read(formula.format_text(expr)) == expr


@pytest.mark.parametrize(
    ("expr", "text"),
    [
        (sp.Float(0.1) * x, "0.1000000000000000*x"),
        (sp.Float(6.62607015e-34) * x, "6.62607015e-34*x"),
        (sp.Rational(80066795342537, 4 * 10**12) * x, "80066795342537*x/4000000000000"),
        (x ** sp.Float(1 / 3), "x^0.3333333333333333"),
        (sp.Mod(x, y), "mod(x, y)"),
        (sp.Max(x, y, 3), "max(3, x, y)"),
        (sp.log(x) / sp.log(10) - 2 * sp.log(y) / sp.log(2), "log10(x) - 2*log2(y)"),
        (sp.Piecewise((x, sp.And(x > 0, sp.Or(y < 0, sp.Eq(z, 1)))), (0, True)),
         "where((z == 1 or y < 0) and x > 0, x, 0)"),
        (sp.Piecewise((x, sp.Not(sp.And(x > 0, y > 0))), (y, x > 1)),
         "where(not (x > 0 and y > 0), x, y)"),
        (sp.atan2(y, x) + sp.Abs(z), "abs(z) + atan2(y, x)"),
        (sp.Function("spline_1")(x), "spline_1(x)"),
    ],
)  # fmt: skip
def test_text_for_people(expr: sp.Expr, text: str) -> None:
    assert formula.format_text(expr) == text


@pytest.mark.parametrize("base", ["x", "(x + 1)", "2"])
def test_high_towers_of_powers_read_back(base: str) -> None:
    tower = read("^".join([base] * 76 + ["y"]))
    assert read(formula.format_text(tower)) == tower
    assert formula.format_text(read("x^y^z")) == "x^(y^z)"
    assert formula.format_text(read("x^y^z^x")) == "x^y^z^x"


def test_functions_of_what_is_constant_after_all_read_as_the_same_expression() -> None:
    expr = read("binomial(e, x) + (x/x + e)! + x*cos(y/y/sqrt(3))")
    assert read(formula.format_text(expr)) == expr


def test_a_variable_e_is_no_constant_in_latex() -> None:
    names, text = ("x", "e"), "exp(x)^2 + e^x + gaussian(e) + exp(-2000)*x"
    output = formula.parse(text, names).outputs[0]
    for shown in (output.latex, formula.latex(output.expr)):
        assert formula.parse(shown, names).outputs[0].expr == output.expr
    output = formula.parse("exp(2*x)", names).outputs[0]
    assert formula.parse(output.latex, names).outputs[0].expr == output.expr


def test_names_that_look_like_logarithms_are_names_in_latex_too() -> None:
    names = ("log_b2", "log_max", "x")
    expr = sp.Symbol("log_b2") ** x * sp.Symbol("log_max") + sp.log(x) / sp.log(2 * x)
    assert formula.parse(formula.latex(expr), names).outputs[0].expr == expr


def test_variables_with_names_of_functions_and_constants() -> None:
    names = ("e", "pi", "gamma", "j0", "and")
    e, pi, gamma, j0, und = sp.symbols(names)
    holds = sp.And(und > 0, e > 1)
    expr = e * sp.E + pi * sp.pi + gamma * sp.gamma(e) + sp.besselj(0, j0) + sp.exp(pi)
    expr += sp.Piecewise((1, holds), (2, sp.Not(sp.Or(e > 2, pi > 1))), (0, True))
    assert formula.parse(formula.format_text(expr), names).outputs[0].expr == expr


@pytest.mark.parametrize(
    ("expr", "message"),
    [
        (sp.zeta(x), "formulas have no function zeta"),
        (sp.besselj(2, x), "formulas have no function besselj"),
        (sp.oo + x, "formulas have no number oo"),
        (sp.I * x, "formulas have no number I"),
        (sp.Symbol("x + 1") * 2, r"x \+ 1 cannot name a variable"),
        (sp.Float("1e400") * x, "formulas have no number beyond 1e300"),
        (sp.Integral(x, x), "formulas have no function Integral"),
        (sp.Piecewise((x, sp.Xor(x > 0, y > 0)), (y, True)), "formulas have no condition Xor"),
    ],
)
def test_what_formulas_lack_is_an_error(expr: sp.Expr, message: str) -> None:
    with pytest.raises(FormulaError, match=message):
        formula.format_text(expr)


@pytest.mark.parametrize(
    "write",
    [formula.format_text, formula.latex, lambda e: formula.to_python(e, ["x"]),
     lambda e: formula.to_c(e, ["x"])],
    ids=["text", "LaTeX", "Python", "C"],
)  # fmt: skip
def test_what_is_nested_too_deeply_is_an_error(write: Callable[[sp.Expr], str]) -> None:
    expr = x
    for _ in range(2000):
        expr = sp.sin(expr, evaluate=False)
    with pytest.raises(FormulaError, match="nested too deeply to be written out"):
        write(expr)


@settings(max_examples=200, suppress_health_check=[HealthCheck.filter_too_much])
@given(every_function())
def test_latex_reads_as_the_same_value(expr: sp.Expr) -> None:
    shown = formula.latex(expr)
    values = [sympy_function([item], VARIABLES)(POINTS) for item in (expr, read(shown))]
    steady = sympy_function([expr], VARIABLES)(POINTS * (1 + 1e-14))
    counts = np.isfinite(values[0]) & np.isclose(values[0], steady, rtol=1e-10)
    assert np.allclose(values[0][counts], values[1][counts], rtol=1e-9, atol=1e-12), shown
