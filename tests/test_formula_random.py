"""Random trees in random spellings against plain Python; random text against crashes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
import sympy as sp
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kanstudio import formula
from kanstudio.formula import algebra

NAMES = ("x", "y", "theta", "t_1")
POINT = dict(zip(NAMES, (0.7, -0.4, 1.3, 2.1), strict=True))
GREEK = {"theta": ("theta", "θ", "\\theta "), "t_1": ("t_1", "t₁", "t_{1}")}
FUNCTIONS = {
    "sin": math.sin,
    "cos": math.cos,
    "arctan": math.atan,
    "tanh": math.tanh,
    "exp": math.exp,
    "abs": abs,
    "erf": math.erf,
    "cbrt": math.cbrt,
    "sigmoid": lambda value: 1 / (1 + math.exp(-value)),
}


@dataclass(frozen=True)
class Spelled:
    """A text, how tightly it binds (0 sum, 1 product, 2 power, 3 atom), and its value."""

    text: str
    level: int
    value: float


def bracketed(item: Spelled, level: int, draw: st.DrawFn) -> str:
    if item.level >= level and draw(st.integers(0, 9)) != 0:
        return item.text
    opening, closing = draw(st.sampled_from([("(", ")"), ("{", "}"), ("\\left(", "\\right)")]))
    return f"{opening}{item.text}{closing}"


@st.composite
def leaves(draw: st.DrawFn) -> Spelled:
    kind = draw(st.sampled_from("nnvvvp"))
    if kind == "v":
        name = draw(st.sampled_from(NAMES))
        return Spelled(draw(st.sampled_from(GREEK.get(name, (name,)))), 3, POINT[name])
    if kind == "p":
        return Spelled(draw(st.sampled_from(["pi ", "π", "\\pi "])), 3, math.pi)
    text = draw(st.sampled_from(["1", "2", "3", "0.5", ".25", "1e-1", "7", "2.5", "10"]))
    return Spelled(text, 3, float(text))


@st.composite
def sums(draw: st.DrawFn, inner: st.SearchStrategy[Spelled]) -> Spelled:
    first, *rest = draw(st.lists(inner, min_size=2, max_size=4))
    text, value = bracketed(first, 1, draw), first.value
    for term in rest:
        sign = draw(st.sampled_from(["+", " - ", " −"]))
        text += sign + bracketed(term, 1, draw)
        value += term.value if sign == "+" else -term.value
    return Spelled(text, 0, value)


@st.composite
def products(draw: st.DrawFn, inner: st.SearchStrategy[Spelled]) -> Spelled:
    first, *rest = draw(st.lists(inner, min_size=2, max_size=3))
    text, value = bracketed(first, 2, draw), first.value
    for factor in rest:
        sign = draw(st.sampled_from(["*", " * ", "·", "\\cdot ", "/", " "]))
        if sign == " ":  # side by side: brackets are always clear
            text += f" ({factor.text})"
        else:
            text += sign + bracketed(factor, 2, draw)
        assume(sign != "/" or abs(factor.value) > 1e-3)
        value = value / factor.value if sign == "/" else value * factor.value
    return Spelled(text, 1, value)


@st.composite
def powers(draw: st.DrawFn, inner: st.SearchStrategy[Spelled]) -> Spelled:
    base = draw(inner)
    texts = [("^2", 2), ("**3", 3), ("²", 2), ("^{-1}", -1), ("^(1/2)", 0.5), ("^1.5", 1.5)]
    text, exponent = draw(st.sampled_from(texts))
    assume(abs(base.value) > 1e-2 and (base.value > 0 or exponent in {2, 3, -1}))
    return Spelled(bracketed(base, 3, draw) + text, 2, base.value**exponent)


@st.composite
def calls(draw: st.DrawFn, inner: st.SearchStrategy[Spelled]) -> Spelled:
    item = draw(inner)
    form = draw(st.sampled_from(["call", "call", "call", "bars", "frac", "sqrt", "minus", "where"]))
    if form == "bars":
        return Spelled(f"abs({item.text})", 3, abs(item.value))
    if form == "frac":
        other = draw(inner)
        assume(abs(other.value) > 1e-3)
        return Spelled(f"\\frac{{{item.text}}}{{{other.text}}}", 3, item.value / other.value)
    if form == "sqrt":
        assume(item.value > 1e-2)
        text = draw(st.sampled_from(["√({})", "\\sqrt{{{}}}", "sqrt({})"]))
        return Spelled(text.format(item.text), 3, math.sqrt(item.value))
    if form == "minus":
        return Spelled(f"-{bracketed(item, 1, draw)}", 0, -item.value)
    if form == "where":
        assume(abs(item.value - 1) > 1e-3 and "where" not in item.text)
        text = f"where({item.text} < 1, 2, {item.text})"
        return Spelled(text, 3, 2.0 if item.value < 1 else item.value)
    name = draw(st.sampled_from(sorted(FUNCTIONS)))
    assume(abs(item.value) < 20)
    return Spelled(f"{name}({item.text})", 3, FUNCTIONS[name](item.value))


formulas = st.recursive(
    leaves(),
    lambda inner: st.one_of(sums(inner), products(inner), powers(inner), calls(inner)),
    max_leaves=12,
)


def evaluate(expr: sp.Expr) -> float:
    return float(sp.lambdify([sp.Symbol(name) for name in NAMES], expr)(*POINT.values()))


def close(found: float, wanted: float) -> bool:
    return math.isclose(found, wanted, rel_tol=1e-7, abs_tol=1e-7)


@settings(max_examples=150)
@given(formulas)
def test_any_spelling_has_the_value_of_its_tree(spelled: Spelled) -> None:
    assume(abs(spelled.value) < 1e9)
    output = formula.parse(spelled.text, NAMES).outputs[0]
    assert close(evaluate(output.expr), spelled.value)


@settings(max_examples=100)
@given(formulas)
def test_formatted_text_parses_back_to_the_same_expression(spelled: Spelled) -> None:
    expr = formula.parse(spelled.text, NAMES).outputs[0].expr
    again = formula.parse(formula.format_text(expr), NAMES).outputs[0].expr
    if again != expr:  # roots of numbers have many forms
        assert any(part.is_Pow and part.is_number for part in sp.preorder_traversal(expr))
        assert close(evaluate(again), evaluate(expr))


@settings(max_examples=100)
@given(formulas)
def test_latex_parses_back_to_the_same_value(spelled: Spelled) -> None:
    assume(abs(spelled.value) < 1e9)
    shown = formula.parse(spelled.text, NAMES).outputs[0].latex
    assert close(evaluate(formula.parse(shown, NAMES).outputs[0].expr), spelled.value)


# The algebra against sympy's own constructors

x, y = sp.symbols("x y")
plain = st.recursive(
    st.sampled_from([x, y, sp.Integer(2), sp.Rational(-1, 3), sp.Integer(5), sp.pi, sp.sin(x)]),
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=4).map(lambda items: sp.Add(*items)),
        st.lists(inner, min_size=2, max_size=4).map(lambda items: sp.Mul(*items)),
        inner.map(lambda item: item**2),
    ),
    max_leaves=8,
)


@settings(max_examples=150)
@given(st.lists(plain, min_size=1, max_size=5))
def test_sums_are_those_of_sympy(items: list[sp.Expr]) -> None:
    wanted = sp.Add(*items)
    # Longer numbers become floats.
    assume(all(abs(n.p) < 10**15 and n.q < 10**15 for n in wanted.atoms(sp.Rational)))
    assert algebra.add(items) == wanted


@settings(max_examples=150)
@given(st.lists(plain, min_size=1, max_size=4))
def test_products_have_the_value_of_those_of_sympy(items: list[sp.Expr]) -> None:
    point = {x: sp.Float(0.3, 30), y: sp.Float(1.7, 30)}
    found, wanted = algebra.multiply(items).subs(point), sp.Mul(*items).subs(point)
    assert abs(sp.N(found - wanted, 25)) <= 1e-14 * (1 + abs(sp.N(wanted, 25)))


@pytest.mark.parametrize("base", [x, 2 * x, -2 * x, x * y, 1 / x, sp.pi * x, x + y, sp.sqrt(x)])
@pytest.mark.parametrize("exponent", [2, -1, 3, sp.Rational(1, 2), sp.Rational(-3, 2), sp.pi, y])
def test_powers_have_the_value_of_those_of_sympy(base: sp.Expr, exponent: sp.Expr) -> None:
    exponent = sp.sympify(exponent)
    found, wanted = algebra.power(base, exponent), sp.Pow(base, exponent)
    sign = -1 if base == -2 * x else 1
    values = [complex(item.subs({x: sign * 0.3, y: 1.7})) for item in (found, wanted)]
    assert np.allclose(*values, rtol=1e-12)
