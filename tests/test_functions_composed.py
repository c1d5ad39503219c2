"""Composed functions: a formula of one variable as one edge's function."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
import sympy as sp
import torch
from expressions import SYMBOLS, expressions
from hypothesis import given, settings
from hypothesis import strategies as st

from kanstudio import functions
from kanstudio.compiler.evaluate import sympy_function
from kanstudio.errors import EditError, KanStudioError
from kanstudio.functions import UnknownFunctionError
from kanstudio.kan import KAN
from kanstudio.network.build import empty_network
from kanstudio.network.edits import set_function
from kanstudio.network.forward import evaluate
from kanstudio.network.network import EdgeRef
from kanstudio.scene.scene import build_scene
from kanstudio.training.kernel import supports
from kanstudio.training.settings import TrainingSettings

X, T = sp.symbols("x t")
POINTS = torch.tensor([-2.5, -1.0, -0.7, 0.0, 0.3, 1.0, 2.2], dtype=torch.float64)
TEXTS = (
    "exp(sin(x)) + x^2", "where(x > 0, sqrt(x), -x)", "x^x", "2^x", "max(0, x)*min(1, x)",
    "piecewise(x < -1, 1/x, x < 1, log(abs(x)), x^2)", "sqrt(1 - x^2)", "3*log(x)",
    "atan2(sin(x), cos(x))", "where(sin(x) > 0.5, arcsin(x), where(x < 0, gamma(x), x))",
    "x*exp(x)*exp(x)", "2*x + 1", "sqrt(2)*sin(pi*x)", "exp(x)*x^2 - exp(x)", "mod(x, 2)",
    "1/(1 - exp(x))", "where(x > -1 and x < 1, sqrt(1 - x^2), 0)^2",
    "where(x < 0, exp(x^2), x)", "tan(cot(x))", "x^(1/3) + cbrt(x)",
)  # fmt: skip


def value_and_slope(name: str, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    x = x.clone().requires_grad_()
    y = functions.get(name).torch(x)
    (slope,) = torch.autograd.grad(y.sum(), x)
    return y.detach(), slope


@given(expressions(6).filter(lambda expr: expr.free_symbols))
def test_a_composed_function_is_its_expression(expression: sp.Expr) -> None:
    expression = expression.xreplace(dict.fromkeys(SYMBOLS, T))
    try:
        row = functions.get(functions.compose(expression, T))
    except KanStudioError as error:
        # t*(pi - pi), or what sympy has found to be constant itself.
        assert "is a constant" in str(error) or not expression.has(T)
        return
    x = np.linspace(-2, 2, 41)
    expected = sympy_function([expression], ["t"])(x[:, None])[:, 0]
    found = row.torch(torch.tensor(x)).numpy()
    real = np.isfinite(expected)
    np.testing.assert_allclose(found[real], expected[real], rtol=1e-11, atol=1e-11)
    for y in (X, 2 * X + 1):
        again = sympy_function([row.sympy(y)], ["x"])(x[:, None])[:, 0]
        wanted = row.torch(torch.tensor(x if y == X else 2 * x + 1)).numpy()
        real = np.isfinite(again)
        np.testing.assert_allclose(wanted[real], again[real], rtol=1e-9, atol=1e-9)


@given(expressions(6).filter(lambda expr: expr.free_symbols))
def test_a_name_is_one_for_all_spellings(expression: sp.Expr) -> None:
    expression = expression.xreplace(dict.fromkeys(SYMBOLS, X))
    try:
        name = functions.compose(expression, X)
    except KanStudioError:
        return
    row = functions.get(name)
    assert row.name == name
    assert functions.compose(row.sympy(T), T) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("exp(sin(x))+x^2", "x^2 + exp(sin(x))"),
        ("sin(x)", "sin"),
        ("sqrt(x)", "x^0.5"),
        ("x**-2", "1/x^2"),
        ("2 x", "2*x"),
        ("where(x>0, x^2, -x)", "where(x > 0, x^2, -x)"),
    ],
)
def test_text_finds_the_function(text: str, name: str) -> None:
    assert functions.get(text).name == name
    assert functions.get(name) is functions.get(name)


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_value_and_slope_are_finite_everywhere(text: str, dtype: torch.dtype) -> None:
    special = [0.0, -0.0, 1.0, -1.0, 5e-324, 1e-45, 88.8, -710.0, 1e5, 1e30, -1e300, 1e308]
    x = torch.cat([POINTS, torch.tensor(special, dtype=torch.float64)]).to(dtype)
    x = x[x.isfinite()]
    y, slope = value_and_slope(text, x)
    assert y.dtype == slope.dtype == dtype
    assert y.isfinite().all()
    assert slope.isfinite().all()
    assert functions.get(text).torch(torch.tensor(math.nan)).isnan()


@pytest.mark.parametrize("text", TEXTS)
def test_inside_is_where_the_expression_has_a_value(text: str) -> None:
    row = functions.get(text)
    with np.errstate(all="ignore"):
        expected = sympy_function([row.expression], ["x"])(POINTS.numpy()[:, None])[:, 0]
    if text == "x^x":  # exp(x*log(x)): a power whose exponent varies has a positive base.
        expected[POINTS.numpy() <= 0] = np.nan
    np.testing.assert_array_equal(row.inside(POINTS).numpy(), np.isfinite(expected))
    inside = torch.tensor(np.isfinite(expected))
    y = row.torch(POINTS)[inside].numpy()
    np.testing.assert_allclose(y, expected[inside.numpy()], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("text", TEXTS)
def test_slopes_are_derivatives(text: str) -> None:
    row = functions.get(text)
    x = torch.tensor([-1.7, -0.61, 0.33, 0.9, 1.6], dtype=torch.float64)
    x = x[row.inside(x)].requires_grad_()
    assert torch.autograd.gradcheck(row.torch, (x,))
    assert torch.autograd.gradgradcheck(row.torch, (x,))


def test_a_branch_that_is_not_taken_leaves_no_trace() -> None:
    """Far out, the other branch and its slope overflow."""
    x = torch.tensor([-2.0, 1e5, 1e200], dtype=torch.float64)
    y, slope = value_and_slope("where(x < 0, x^2*exp(x)*exp(x^2), 3*x)", x)
    assert y[1:].tolist() == [3e5, 3e200]
    assert slope[1:].tolist() == [3.0, 3.0]
    assert math.isclose(y[0], 4 * math.exp(2), rel_tol=1e-14)
    assert functions.get("where(x > 0, log(x), 0)").inside(x).all()


@pytest.mark.parametrize(
    ("text", "words", "complexity"),
    [
        ("3*log(x)", "x > 0", 3),
        ("sin(x)*cos(x)", "all x", 5),
        ("x^x", "x > 0", 5),
        ("log(sin(x))", "where all its parts have a value", 4),
    ],
)
def test_domain_and_complexity_come_from_the_parts(text: str, words: str, complexity: int) -> None:
    row = functions.get(text)
    assert str(row.domain) == words
    assert row.complexity == complexity


def test_latex_takes_any_argument() -> None:
    row = functions.get("exp(sin(x)) + x^2")
    assert row.to_latex() == r"x^{2} + e^{\sin\left(x\right)}"
    assert row.to_latex("y+1") == r"\left(y+1\right)^{2} + e^{\sin\left(y+1\right)}"
    assert "cases" in functions.get("where(x > 0, x, -x)^2").to_latex()


@pytest.mark.parametrize(
    "text",
    [
        "", "sin(", "sin(y)", "a = x", "x; x", "1 + 1", "0*x", "log(-1)*x", "9^9^9*x", "sin(x) + q",
        "sin(" * 100 + "x" + ")" * 100, "x + " * 600 + "x", "__import__('os')", "x.__class__",
        "where(x > 0, 1)", "lambda x: x", "exp(1000)*x", "(x)" + chr(0),
    ],
)  # fmt: skip
def test_what_is_no_function_of_x_is_refused(text: str) -> None:
    with pytest.raises(UnknownFunctionError):
        functions.get(text)


@settings(max_examples=300)
@given(st.text(alphabet="x+-*/^()., <>0123456789esincoglwhr", max_size=40))
def test_any_text_is_a_function_or_an_error(text: str) -> None:
    try:
        row = functions.get(text)
    except KanStudioError:
        return
    assert functions.get(row.name).name == row.name
    assert row.torch(POINTS).isfinite().all()


def test_what_the_table_lacks_cannot_be_composed() -> None:
    for expression in (sp.zeta(T) + T, sp.Integer(2), sp.Function("f")(T), T + sp.I, T + X):
        with pytest.raises(KanStudioError):
            functions.compose(expression, T)


@pytest.mark.parametrize("module", ["kanstudio.functions", "kanstudio.network.forward"])
def test_a_process_that_never_read_a_formula_finds_it(module: str) -> None:
    code = (
        f"import {module}; from kanstudio import functions; "
        "print(functions.get('exp(sin(x))+x^2').name)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "x^2 + exp(sin(x))"


def test_networks_carry_composed_functions() -> None:
    edge = EdgeRef(0, 0, 0)
    network = set_function(empty_network([1, 1]), edge, "exp(sin(x))+x^2", (2.0, 0.0, 1.0, 1.0))
    name = network.layers[0].functions[0][0]
    assert name == "x^2 + exp(sin(x))"
    x = np.array([[0.3], [-1.0]])
    expected = np.exp(np.sin(2 * x)) + 4 * x**2 + 1
    np.testing.assert_allclose(evaluate(network, x), expected, rtol=1e-14)
    assert not supports(network, TrainingSettings())
    model = KAN.from_network(network, dtype=torch.float64)
    data = {
        key: torch.tensor(np.repeat(x if key.endswith("input") else expected + 0.1, 5, axis=0))
        for key in ("train_input", "train_label", "test_input", "test_label")
    }
    assert model.fit(data, steps=3)["train_loss"][-1] < 0.1
    other = KAN.from_network(set_function(network, edge, "sin"), dtype=torch.float64)
    other.load_state_dict(model.state_dict())
    torch.testing.assert_close(other(torch.tensor(x)), model(torch.tensor(x)))
    with pytest.raises(EditError, match="sine: did you mean sin"):
        set_function(network, edge, "sine")


def test_a_long_name_is_shortened_in_pictures() -> None:
    text = "sin(x) + cos(2*x) + exp(x) + x^2 + log(1 + x^2)"
    network = set_function(empty_network([1, 1]), EdgeRef(0, 0, 0), text)
    (edge,) = (edge for edge in build_scene(network).edges if edge.function)
    assert edge.function.endswith("…")
    assert len(edge.function) <= 32
