"""`kanstudio.compile` and `kanpiler`: text or sympy in, a torch module out."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import scipy.special
import sympy
import torch

import kanstudio
from kanstudio.compiler import located, requirements
from kanstudio.compiler.public import network_of
from kanstudio.errors import CompileError, FormulaError, KanStudioError
from kanstudio.network.forward import evaluate

x, y = sympy.symbols("x y")
POINTS = torch.tensor([[0.5, 2.0], [-0.25, 1.0]], dtype=torch.float64)


def test_text_and_sympy_give_the_same_network():
    from_text = network_of("exp(sin(pi*x) + y^2)")
    assert from_text.same_values(network_of(sympy.exp(sympy.sin(sympy.pi * x) + y**2)))


def test_compiled_model_is_a_module_with_pykans_names():
    model = kanstudio.compile("exp(sin(pi*x) + y^2)", dtype=torch.float64)
    assert isinstance(model, torch.nn.Module)
    assert (model.width, model.depth, model.n_edge) == ([[2, 0], [1, 0], [1, 0]], 2, 3)
    expected = torch.exp(torch.sin(torch.pi * POINTS[:, :1]) + POINTS[:, 1:] ** 2)
    torch.testing.assert_close(model(POINTS), expected, rtol=1e-14, atol=0)


def test_dtype_is_torchs_default_unless_given():
    assert kanstudio.compile("x").dtype == torch.get_default_dtype()
    assert kanstudio.compile("x", dtype=torch.float64).dtype == torch.float64


def test_a_deep_expression_needs_no_deep_stack():
    chain = x
    for _ in range(1500):
        chain = sympy.Add(sympy.sin(chain, evaluate=False), y, evaluate=False)
    assert network_of(chain).input_names == ("x", "y")
    (needed,) = requirements([sympy.Pow(chain, y, evaluate=False)])
    assert needed.relation == ">="


def test_inputs_name_the_order():
    assert network_of("y - x").input_names == ("y", "x")
    assert network_of("y - x", ["x", "y"]).input_names == ("x", "y")
    assert network_of("y - x", [x, y]).input_names == ("x", "y")
    assert network_of(y - x).input_names == ("x", "y")
    assert network_of(sympy.Add(*sympy.symbols("x10 x2 x1"))).input_names == ("x1", "x2", "x10")


def test_unused_inputs_stay():
    assert network_of("sin(y)", ["x", "y", "z"]).width[0] == [3, 0]


def test_several_formulas_in_every_form():
    for formulas in (["x*y", "x + y"], "x*y; x + y", [x * y, x + y], ["x*y", x + y]):
        model = kanstudio.compile(formulas, dtype=torch.float64)
        expected = torch.stack([POINTS.prod(1), POINTS.sum(1)], 1)
        torch.testing.assert_close(model(POINTS), expected)


def test_output_names_come_from_the_text():
    assert network_of("area = x*y; x + y").output_names == ("area", "y2")
    assert network_of("x*y").output_names == ("f",)
    assert network_of("sin(x)").output_names == ("y",)
    assert network_of("y1; y2").output_names == ("f1", "f2")


def test_a_constant_has_one_input():
    model = kanstudio.compile("2*pi", dtype=torch.float64)
    assert model(torch.zeros(3, 1)).tolist() == [[2 * torch.pi]] * 3


def test_kanpiler_has_pykans_signature():
    parameters = list(inspect.signature(kanstudio.kanpiler).parameters)
    assert parameters == ["input_variables", "expr", "grid", "k", "auto_save"]
    model = kanstudio.kanpiler([x, y], x * y, grid=7, k=2)
    assert (model.width, model.grid, model.k) == ([[2, 0], [0, 1]], 7, 2)
    assert kanstudio.kanpiler(x, sympy.sin(x)).width == [[1, 0], [1, 0]]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("where(x > 0, sqrt(x), y)", lambda a, b: np.where(a > 0, np.sqrt(np.abs(a)), b)),
        ("atan2(y, x) + hypot(x, y)", lambda a, b: np.arctan2(b, a) + np.hypot(a, b)),
        ("mod(x, 2) - max(x, y, 0)", lambda a, b: np.mod(a, 2) - np.maximum(np.maximum(a, b), 0)),
        ("besselj(0, x) + sigmoid(y)", lambda a, b: scipy.special.j0(a) + scipy.special.expit(b)),
        ("\\frac{x^{5/2}}{|y| + 1}", lambda a, b: np.abs(a) ** 2.5 / (np.abs(b) + 1)),
    ],
)
def test_whatever_the_formula_language_has_compiles(text, value):
    points = np.random.default_rng(0).uniform([0, -2], [2, 2], (100, 2))
    result = evaluate(network_of(text, ["x", "y"]), points)[:, 0]
    np.testing.assert_allclose(result, value(*points.T), rtol=1e-9, atol=1e-12)


def test_unknown_symbols_are_errors():
    with pytest.raises(KanStudioError, match="z"):
        kanstudio.compile("x + z", inputs=["x", "y"])
    with pytest.raises(CompileError, match="z is not an input; the inputs are: x, y"):
        kanstudio.compile(x + sympy.Symbol("z"), inputs=["x", "y"])


def test_an_unknown_function_is_pointed_at_in_the_text():
    with pytest.raises(KanStudioError) as caught:
        kanstudio.compile("x + 2*wobble(x)")
    assert isinstance(caught.value, FormulaError)
    assert caught.value.text[caught.value.start :].startswith("wobble")


def test_a_function_without_a_network_is_pointed_at():
    error = located(CompileError("no", "zeta"), ["x + y", "1 + 2*Zeta(x)"])
    assert error.text[error.start : error.end] == "Zeta"
    assert str(error) == "no (at character 7 of the formula)"
    power = located(CompileError("no", "Pow"), ["(0 - 2)^x"])
    assert (power.start, power.end) == (7, 8)


@pytest.mark.parametrize("error", [CompileError("no"), CompileError("no", "zeta")])
def test_an_error_that_has_no_place_stays_as_it_is(error):
    assert located(error, ["x + zetas"]) is error


@pytest.mark.parametrize("formula", ["", "x +", "sin(", "x))"])
def test_text_that_is_no_formula_is_a_formula_error(formula):
    with pytest.raises(FormulaError):
        kanstudio.compile(formula)


def test_nothing_is_an_error():
    with pytest.raises(CompileError, match="no formula"):
        kanstudio.compile([])
    with pytest.raises(CompileError, match="pass a sympy expression"):
        kanstudio.compile(None)


@pytest.mark.parametrize("inputs", ["x1", sympy.Symbol("x1"), ["x1"]])
def test_one_input_may_stand_alone(inputs):
    assert network_of("2*x1", inputs).input_names == ("x1",)


@pytest.mark.parametrize("inputs", [3, [1], [x + 1], [None]])
def test_what_is_no_input_is_an_error(inputs):
    with pytest.raises(CompileError, match="name"):
        kanstudio.compile("x", inputs)


@pytest.mark.parametrize("dtype", [torch.int32, torch.complex64, "float64"])
def test_a_dtype_that_is_not_floating_is_an_error(dtype):
    with pytest.raises(KanStudioError, match="dtype"):
        kanstudio.compile("x", dtype=dtype)


def test_bytes_are_no_formula():
    with pytest.raises(CompileError, match="bytes is no formula"):
        kanstudio.compile(b"x")


def test_costs_of_texts_and_of_expressions_are_the_networks():
    x, y = sympy.symbols("x y")
    for formulas in ("a = x*y + x; b = sin(x*y)", [x * y + x, sympy.sin(x * y)]):
        report = kanstudio.cost_report(formulas)
        for strategy, cost in report.items():
            model = kanstudio.compile(formulas, strategy=strategy)
            assert (model.n_edge, model.depth) == (cost.edges, cost.depth)
    with pytest.raises(CompileError, match="zeta"):
        kanstudio.cost_report(sympy.zeta(x))
