"""Cases in conditions in cases: what is typed, its network, and the formula of that."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
import sympy as sp
from expressions import VARIABLES
from hypothesis import given, settings
from hypothesis import strategies as st

from kanstudio import formula
from kanstudio.compiler import STRATEGIES, Strategy, compile_network, sympy_function
from kanstudio.errors import FormulaError
from kanstudio.network.forward import evaluate
from kanstudio.symbolic.formula import symbolic_formula

POINTS = np.random.default_rng(4).uniform(-2, 2, (60, 3))
NAMES = {name: getattr(math, name) for name in ("sin", "exp", "sqrt", "log", "acos", "floor")}
NAMES |= {"max": max, "abs": abs, "mod": lambda x, y: x - y * math.floor(x / y)}


@dataclass(frozen=True)
class Text:
    """A formula, or a condition, and the same in Python."""

    formula: str
    python: str


def same(text: str) -> Text:
    return Text(text, text)


VALUES = st.sampled_from(
    ["x", "y", "z", "2", "-1", "sqrt(y)", "log(x)", "acos(z)", "x*y", "exp(3*x)", "mod(x,2)"]
).map(same)
SIDES = st.sampled_from(["x", "y", "z", "0", "1", "sin(x)", "x*y", "max(x,z)", "abs(y)"]).map(same)


@st.composite
def conditions(draw: st.DrawFn, sides: st.SearchStrategy[Text]) -> Text:
    left, right = draw(sides), draw(sides)
    sign = draw(st.sampled_from(["<", "<=", ">", ">="]))
    compared = Text(
        f"{left.formula} {sign} {right.formula}", f"{left.python} {sign} {right.python}"
    )
    if draw(st.booleans()):
        return compared
    joint, other = (
        draw(st.sampled_from(["and", "or", "and not", "or not"])),
        draw(conditions(sides)),
    )
    pairs = ((compared.formula, other.formula), (compared.python, other.python))
    return Text(*(f"({first}) {joint} ({second})" for first, second in pairs))


@st.composite
def with_cases(draw: st.DrawFn, inner: st.SearchStrategy[Text]) -> Text:
    when, then, other = draw(conditions(st.one_of(SIDES, inner))), draw(inner), draw(inner)
    found = Text(
        f"where({when.formula}, {then.formula}, {other.formula})",
        f"(({then.python}) if {when.python} else ({other.python}))",
    )
    form = draw(st.sampled_from(["{}", "{}", "(z + {})", "y*{}", "max({}, x)"]))
    return Text(form.format(found.formula), form.format(found.python))


NESTED = st.recursive(VALUES, with_cases, max_leaves=6)


def in_python(text: str) -> np.ndarray:
    """The value at each point; NaN where Python has none."""
    code, values = compile(text, "python", "eval"), np.full((len(POINTS), 1), np.nan)
    for row, point in enumerate(POINTS.tolist()):
        try:
            values[row] = eval(code, NAMES | dict(zip(VARIABLES, point, strict=True)))
        except ValueError:
            continue
    return values


def agree(found: np.ndarray, expected: np.ndarray) -> bool:
    """Equal wherever there is a value to expect."""
    real = np.isfinite(expected)
    return np.allclose(found[real], expected[real], rtol=1e-9, atol=1e-9)


@settings(max_examples=120)
@given(NESTED, st.sampled_from(STRATEGIES))
def test_cases_in_conditions_mean_the_same_everywhere(text: Text, strategy: Strategy) -> None:
    expected = in_python(text.python)
    try:
        expr = formula.parse(text.formula, VARIABLES).outputs[0].expr
    except FormulaError as error:  # so many cases that they are refused
        assert "written out" in error.message
        return
    assert agree(sympy_function([expr], VARIABLES)(POINTS), expected)
    network = compile_network([expr], VARIABLES, strategy=strategy)
    assert agree(evaluate(network, POINTS), expected)
    back = symbolic_formula(network, samples=POINTS).expressions
    assert agree(sympy_function(back, VARIABLES)(POINTS), expected)


@pytest.mark.parametrize(
    "text",
    [
        "where(y > x or y > z, sqrt(y), x^10)",
        "where(y > x and y > z, sin(x), z + acos(y))",
        "piecewise(y > x or y > z, sqrt(y), z < 1, x^10, z)",
        "where(x > y, where(x > z, sqrt(x), z), y)",
        "2 + piecewise(x > y, 0, y > z, x, z)",
        "where(x > y, x + 1, y) + sin(y)",
        "atan2(x, where(y > z, 2*y, 1))",
    ],
)
def test_branches_come_back_as_they_were_typed(text: str) -> None:
    expr = formula.parse(text, VARIABLES).outputs[0].expr
    (back,) = symbolic_formula(compile_network([expr], VARIABLES)).expressions
    assert back == expr


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("where(where(x > 0, x, 1) > y, x, y)",
         "where((x > 0 and x > y) or (x <= 0 and 1 > y), x, y)"),
        ("where(2*where(x > 0, 1, z) + 1 > y, x, y)",
         "where((x > 0 and 3 > y) or (x <= 0 and 2*z + 1 > y), x, y)"),
        ("where(piecewise(x < 0, 1, x < 1, 2, 3) > 2, x, y)", "where(x >= 0 and x >= 1, x, y)"),
        ("where(where(x < 1, 1, 2) < 1, 1, 2)", "2"),
    ],
)  # fmt: skip
def test_a_comparison_of_what_has_cases_is_one_of_each_case(text: str, meaning: str) -> None:
    found, wanted = (formula.parse(item, VARIABLES).outputs[0].expr for item in (text, meaning))
    assert found == wanted
    assert formula.parse(formula.format_text(found), VARIABLES).outputs[0].expr == found


def test_a_remainder_that_is_constant_in_a_case_comes_back() -> None:
    expr = formula.parse("atan2(x, frac(where(x <= z, 1, 2)))", VARIABLES).outputs[0].expr
    back = symbolic_formula(compile_network([expr], VARIABLES)).expressions
    expected = np.pi / 2 * np.sign(POINTS[:, :1])
    assert agree(sympy_function(back, VARIABLES)(POINTS), expected)


def test_too_many_cases_in_a_condition_are_refused() -> None:
    text = f"where({'+'.join(f'where(x<{n},x,y)' for n in range(12))}>0,1,2)"
    with pytest.raises(FormulaError, match="more than 4000 operations"):
        formula.parse(text)


@pytest.mark.parametrize("modulus", [2, 7, 24, 49, 75, 97, 98, 103, 360, -49])
def test_remainders_of_whole_numbers_are_exact(modulus: int) -> None:
    whole = np.arange(-3000.0, 3000.0)[:, None]
    expr = formula.parse(f"mod(x, {modulus})").outputs[0].expr
    for strategy in STRATEGIES:
        network = compile_network([expr], ("x",), strategy=strategy)
        found = evaluate(network, whole)
        assert np.abs(found - np.mod(whole, modulus)).max() < 1e-11
        assert symbolic_formula(network).expressions == (expr,)


def test_an_angle_beside_the_axis_and_a_remainder_of_itself() -> None:
    for text, meaning in (
        ("atan2(x, 0)", "pi/2*sign(x)"),
        ("mod(x, x)", "0*x"),
        ("mod(5*x, 2*x)", "x"),
    ):
        expr = formula.parse(text, VARIABLES).outputs[0].expr
        wanted = formula.parse(meaning, VARIABLES).outputs[0].expr
        for strategy in STRATEGIES:
            network = compile_network([expr], VARIABLES, strategy=strategy)
            assert agree(evaluate(network, POINTS), sympy_function([wanted], VARIABLES)(POINTS))
    assert isinstance(expr, sp.Mod)
