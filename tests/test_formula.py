"""What the formula language reads and refuses; values against NumPy and sympy."""

from __future__ import annotations

import json
import math
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.special
import sympy as sp

from kanstudio import formula
from kanstudio.errors import FormulaError

DATA = Path(__file__).parent / "data"
ACCEPT = json.loads((DATA / "formulas_accept.json").read_text(encoding="utf-8"))
REFUSE = json.loads((DATA / "formulas_refuse.json").read_text(encoding="utf-8"))
FEYNMAN = json.loads(
    (resources.files("kanstudio") / "data" / "feynman.json").read_text(encoding="utf-8")
)
x, y, z = sp.symbols("x y z")


def expr(text: str, variables: list[str] | None = None) -> sp.Expr:
    return formula.parse(text, variables).outputs[0].expr


def error(text: str, variables: list[str] | None = None) -> FormulaError:
    with pytest.raises(FormulaError) as caught:
        formula.parse(text, variables)
    return caught.value


def text_of(case: dict[str, Any]) -> str:
    if case["text"] is not None:
        return case["text"]
    return "".join(piece * count for piece, count in case["build"])


@pytest.mark.parametrize("case", ACCEPT, ids=[case["text"] for case in ACCEPT])
def test_accepted_text_has_its_meaning(case: dict[str, Any]) -> None:
    names = case["variables"]
    values = {name: np.random.default_rng(1).uniform(0.2, 0.9, 7) for name in names}
    known = {name.replace("lambda", "lambda_"): value for name, value in values.items()}
    # The expected values are trusted test data: NumPy expressions.
    wanted = eval(case["expected"], {"np": np, "sp": scipy.special, **known})
    wanted = wanted if isinstance(wanted, list) else [wanted]
    read = formula.parse(case["text"], names)
    assert read.variables == tuple(names)
    assert len(read.outputs) == len(wanted)
    for output, value in zip(read.outputs, wanted, strict=True):
        found = sp.lambdify([sp.Symbol(name) for name in names], output.expr)(*values.values())
        np.testing.assert_allclose(np.broadcast_to(found, 7), np.broadcast_to(value, 7), 1e-12)


@pytest.mark.parametrize("case", REFUSE, ids=[ascii(case["text"]) for case in REFUSE])
def test_hostile_text_is_answered(case: dict[str, Any]) -> None:
    text = text_of(case)
    if case["expected"] == "ok":
        formula.parse(text, case.get("variables"))
        return
    caught = error(text, case.get("variables"))
    assert 0 <= caught.start <= caught.end <= len(text)
    str(caught).encode("utf-8")  # whatever was typed, the message can be sent


@pytest.mark.parametrize("problem", FEYNMAN, ids=[problem["name"] for problem in FEYNMAN])
def test_feynman_formulas_are_what_sympy_reads(problem: dict[str, Any]) -> None:
    names = {name: sp.Symbol(name) for name in problem["inputs"]}
    # `lambda` is Python, so sympy gets another name for it.
    names["lambda_"] = names.get("lambda")
    wanted = sp.sympify(problem["formula"].replace("lambda", "lambda_"), locals=names)
    read = formula.parse(problem["formula"], problem["inputs"])
    found = read.outputs[0].expr
    assert found == sp.nsimplify(wanted) or sp.expand(found - sp.nsimplify(wanted)) == 0
    undeclared = formula.parse(problem["formula"])
    assert set(undeclared.variables) == set(problem["inputs"])
    assert undeclared.outputs[0].expr == found
    assert expr(formula.format_text(found), problem["inputs"]) == found


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("x^(5/2)", x ** sp.Rational(5, 2)),
        ("x**2.5", x ** sp.Rational(5, 2)),
        ("x^0.1", x ** sp.Rational(1, 10)),
        ("x^pi", x**sp.pi),
        ("x^2.71828182845904523", x ** sp.Float(2.718281828459045)),
        ("0.5 + 1e-3 x", sp.Rational(1, 2) + x / 1000),
        ("6.62607015e-34 x", sp.Float(6.62607015e-34) * x),
        ("sqrt(2)/2", sp.sqrt(2) / 2),
        ("sin(pi/3)", sp.sqrt(3) / 2),
        ("exp(1) e^x", sp.E * sp.exp(x)),
        ("x^y x^(2y) x", x * x ** (3 * y)),
        ("log(x, 10)", sp.log(x) / sp.log(10)),
        ("3!", sp.Integer(6)),
        ("x!", sp.gamma(x + 1)),
        ("besselj(1, x) + j0(x)", sp.besselj(1, x) + sp.besselj(0, x)),
        ("2(x+1)", 2 * x + 2),
        ("x - x", sp.Integer(0)),
        ("x x^0.5 / x", sp.sqrt(x)),
        ("(2x)^3 sqrt(2 pi x)", 8 * x**3 * sp.sqrt(2 * sp.pi * x)),
        ("abs(-2x)", 2 * sp.Abs(x)),
        ("sin(-x) cos(-x)", -sp.sin(x) * sp.cos(x)),
        ("min(x, y, 3)", sp.Min(3, x, y)),
        ("atan2(y, x)", sp.atan2(y, x)),
        ("piecewise(x<0, -x, x<=1, x, 1)", sp.Piecewise((-x, x < 0), (x, x <= 1), (1, True))),
        ("where(1 > 2, x, y)", y),
        ("|x|y|z|", y * sp.Abs(x) * sp.Abs(z)),
        ("⌊x⌋ + ⌈y⌉", sp.floor(x) + sp.ceiling(y)),
        ("\\frac12 x", x / 2),
        ("x # a comment\n", x),
    ],
)
def test_numbers_and_functions_stay_exact(text: str, wanted: sp.Expr) -> None:
    assert expr(text) == wanted


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("b*x + a", ("b", "x", "a")),
        ("theta1 + x_1 + omega_0", ("theta1", "x_1", "omega_0")),
        ("E + lambda + gamma + beta", ("E", "lambda", "gamma", "beta")),
        ("θ + \\phi_0 + φ₁ + ℏ", ("theta", "phi_0", "phi_1", "hbar")),
        ("f(a, b) = b + a + c", ("a", "b", "c")),
        ("xy + sinx", ("xy", "x")),
        ("y1 + gamma", ("y1", "gamma")),
        ("y1(x) + gamma(x)", ("x",)),
        ("pi e", ()),
    ],
)
def test_undeclared_names_are_variables_in_order(text: str, names: tuple[str, ...]) -> None:
    read = formula.parse(text)
    assert read.variables == names
    symbols = {symbol for output in read.outputs for symbol in output.expr.free_symbols}
    assert symbols == {sp.Symbol(name) for name in names}  # plain: no assumptions


def test_declared_variables_keep_their_order() -> None:
    assert formula.parse("b + a", ["a", "unused", "b"]).variables == ("a", "unused", "b")
    assert expr("x1 + x_2", ["x_1", "x2"]) == sp.Symbol("x_1") + sp.Symbol("x2")
    assert expr("e x", ["e", "x"]) == sp.Symbol("e") * x
    assert expr("a_b_c", ["a_b_c"]) == sp.Symbol("a_b_c")


@pytest.mark.parametrize("exponent", [3, -2, 0.5])
def test_latex_of_cases_to_a_power(exponent: float) -> None:
    cases = sp.Piecewise((x, x > 0), (1, True))
    shown = formula.latex(sp.Pow(cases, sp.nsimplify(exponent), evaluate=False))
    assert r"\begin{cases}x" in shown


@pytest.mark.parametrize("text", ["1/where(x < y, 0, 1)^3", "2 + 5x/where(x < y, 0, 1)^(3/2)"])
def test_cases_keep_the_exponent_below_them(text: str) -> None:
    expr = formula.parse(text, ["x", "y"]).outputs[0].expr
    again = formula.parse(formula.format_text(expr), ["x", "y"])
    assert again.outputs[0].expr == expr


def test_cases_without_a_last_one_are_written_without_their_last_condition() -> None:
    assert formula.format_text(2 * sp.Piecewise((x + 1, x > 0))) == "2*(1 + x)"
    assert formula.format_text(sp.Piecewise((1, x > 0), (2, x < -1))) == "where(x > 0, 1, 2)"


def test_outputs_have_names_and_latex() -> None:
    read = formula.parse("y = x^2; f(x) = sin x\n x/2;")
    assert [output.name for output in read.outputs] == ["y", "f", None]
    assert [output.latex for output in read.outputs] == [
        "x^{2}",
        r"\sin\left(x\right)",
        r"\frac{x}{2}",
    ]


@pytest.mark.parametrize(
    ("text", "variables", "span", "message", "hint"),
    [
        ("1 + sine(x)", None, (4, 8), "unknown function sine", "did you mean sin?"),
        ("x + alpa", ["x", "alpha"], (4, 8), "unknown name alpa", "did you mean alpha?"),
        ("E x", ["x"], (0, 1), "unknown name E", "write e for Euler's number"),
        ("x\n+ z", ["x", "y"], (4, 5), "unknown name z", "the variables are x, y"),
        ("2 + (x", None, (4, 5), "( is never closed", ""),
        ("x +", None, (3, 3), "the formula ends early", ""),
        ("x^(3+2000)", None, (2, 10), "an exponent beyond 1000", ""),
        ("3/(x - x)", None, (2, 9), "division by zero", ""),
        ("x + log(-1)", None, (4, 11), "log has no real value here", ""),
        ("abcd", ["a", "ab", "bcd", "cd"], (0, 4), "abcd can be split", "write a*bcd, if"),
        ("x; x = 2 x", None, (0, 1), "x is an output", "an output cannot be used"),
        ("y = 1; y = 2", None, (7, 8), "two outputs have the name y", ""),
        ("x = 2", ["x"], (0, 1), "x is a variable", "give the output another name"),
        ("besselj(2, x)", None, (8, 9), "besselj has the orders 0 and 1", ""),
        ("x?", None, (1, 2), "? is not a formula character", "write where"),
        ("\\sinn x", None, (0, 5), "unknown LaTeX command \\sinn", "did you mean \\sin?"),
        ("(-2)^x", None, (0, 6), "a negative number to a variable power", ""),
        ("log(x, 1)", None, (7, 8), "no base of a logarithm", ""),
        ("1e-200*1e-200 x", None, (0, 15), "a number too small to tell from 0", ""),
    ],
)
def test_errors_point_at_the_character_and_say_what_to_do(
    text: str, variables: list[str] | None, span: tuple[int, int], message: str, hint: str
) -> None:
    caught = error(text, variables)
    assert (caught.start, caught.end) == span
    assert caught.message.startswith(message)
    assert caught.hint.startswith(hint)


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("1/2x", "1/2 x is read as (1/2)*x"),
        ("sin^-1 x", "sin^-1 is the inverse function arcsin, not 1/sin"),
        ("log x", "log is the natural logarithm"),
        ("x(y+1)", "x(...) is read as a product"),
        ("x[2]", "[ ] are read as brackets, never as an index"),
        ("sin x/2", "sin x ends before /"),
        ("123456789012345678901", "123456789012345678901 is rounded to 16 digits"),
    ],
)
def test_doubtful_readings_are_noted(text: str, note: str) -> None:
    assert note in formula.parse(text).notes


def test_split_words_are_noted() -> None:
    assert formula.parse("2^xy", ["x", "y"]).notes == (
        "xy is read as x*y",
        "2^xy: the exponent is only x",
    )
    assert formula.parse("sinx").notes == ("sinx is read as sin x",)
    assert formula.parse("x*y + sin(x)").notes == ()


@pytest.mark.parametrize(
    "variables", [["2x"], ["x y"], ["x", "x"], ["sin"], ["_x"], [""], ["é"], ["a" * 65], ["x"] * 65]
)
def test_names_of_variables_pass_one_gate(variables: list[str]) -> None:
    with pytest.raises(FormulaError):
        formula.parse("1", variables)


def test_limits_on_size() -> None:
    assert "32 formulas" in error("x;" * 33).message
    assert "64 variables" in error("+".join(f"a{n}" for n in range(65))).message
    assert "4000 operations" in error("+".join(f"x^{n % 9}" for n in range(1500))).message
    assert "written out" in error("root(" * 12 + "x" + ",5)" * 12).message
    assert expr("(" * 70 + "x" + ")" * 70) == x
    assert expr("-" * 999 + "x") == -x


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("x", "x"),
        ("theta1", r"\theta_{1}"),
        ("x_max", r"x_{\mathrm{max}}"),
        ("speed", r"\mathrm{speed}"),
        ("Omega_0", r"\Omega_{0}"),
        ("a_b_c", r"a_{\mathrm{b\_c}}"),
        ("lambda", r"\lambda"),
        ("Alpha", r"\mathrm{Alpha}"),
    ],
)
def test_latex_of_names(name: str, wanted: str) -> None:
    assert formula.latex_of_name(name) == wanted
    assert formula.latex(sp.Symbol(name)) == wanted


def test_text_of_expressions_for_people() -> None:
    assert formula.format_text(x**2 / 3 - sp.sqrt(y)) == "x^2/3 - sqrt(y)"
    assert formula.format_text(sp.Float(0.1234567) * sp.sin(x), digits=3) == "0.123*sin(x)"
    assert formula.format_text(-x / (2 * y)) == "-x/(2*y)"
    assert formula.format_text(sp.asin(x) + sp.besselj(0, x)) in {
        "j0(x) + arcsin(x)",
        "arcsin(x) + j0(x)",
    }
    assert math.isclose(float(expr(formula.format_text(sp.Float(1 / 3)))), 1 / 3)


@pytest.mark.parametrize(
    ("typed", "spelled"), [("λ", "lambda"), ("x_{12}", "x_12"), ("x₂", "x_2"), ("ω_0", "omega_0")]
)
def test_declared_names_may_be_typed_like_formulas(typed: str, spelled: str) -> None:
    assert formula.parse(f"{typed} + 1", [typed]).variables == (spelled,)


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("9.81*x", "9.81*x"), ("0.3*x", "0.3*x"), ("6.6743e-11*x", "6.6743e-11*x"),
        ("x/10", "x/10"), ("3*x/20", "3*x/20"), ("x/3", "x/3"), ("2.5*x", "5*x/2"),
        ("x^1.3", "x^1.3"), ("0.07 + x", "0.07 + x"), ("-0.37*x", "-0.37*x"),
    ],
)  # fmt: skip
def test_decimals_are_printed_as_decimals(text, printed):
    assert formula.format_text(expr(text)) == printed
    assert expr(printed) == expr(text)
