"""From a network back to its formula: what was typed, whatever was edited since."""

from __future__ import annotations

import math

import numpy as np
import pytest
import sympy as sp
import torch
from expressions import SYMBOLS, VARIABLES, expressions
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from strategies import networks, samples

import kanstudio
from kanstudio import formula, functions
from kanstudio.compiler import STRATEGIES, compile_network, sympy_function
from kanstudio.datasets import feynman_problems
from kanstudio.errors import CompileError, DataError, FormulaError, KanStudioError
from kanstudio.network import edits
from kanstudio.network.build import empty_network
from kanstudio.network.forward import evaluate
from kanstudio.network.network import EdgeRef, Network
from kanstudio.symbolic.constants import EXACT, recognise
from kanstudio.symbolic.formula import symbolic_formula
from kanstudio.symbolic.program import values
from kanstudio.symbolic.readable import readable

x, y, z = SYMBOLS


def compiled(text: str, variables: list[str] | None = None) -> Network:
    read = formula.parse(text, variables)
    # As written: a smaller equal form would come back in its own words.
    expressions = [output.expr for output in read.outputs]
    return compile_network(expressions, read.variables, search_s=0)


def back(text: str) -> sp.Expr:
    return symbolic_formula(compiled(text)).expressions[0]


def typed(text: str) -> sp.Expr:
    return formula.parse(text).outputs[0].expr


# What was typed


def test_feynman_problems_come_back_as_they_were_typed():
    equal = 0
    for problem in feynman_problems():
        network = compile_network([problem.expression], problem.inputs)
        low, high = np.transpose(problem.ranges)
        points = np.random.default_rng(0).uniform(low, high, (200, len(low)))
        (found,) = symbolic_formula(network, samples=points).expressions
        expected = sympy_function([problem.expression], problem.inputs)(points)
        value = sympy_function([found], problem.inputs)(points)
        real = np.isfinite(expected)
        error = np.abs(value - expected)[real].max()
        assert error <= 1e-9 * (1 + np.abs(expected[real]).max())
        equal += found == problem.expression or is_zero(found - problem.expression)
    assert equal >= 0.98 * len(feynman_problems())


def is_zero(difference: sp.Expr) -> bool:
    """As far as sympy can say: it needs to be told of positive symbols, and of sinc."""
    symbols = {symbol: sp.Symbol(symbol.name, positive=True) for symbol in difference.free_symbols}
    plain = difference.replace(sp.sinc, lambda u: sp.sin(u) / u)
    return sp.simplify(difference) == 0 or sp.simplify(plain.xreplace(symbols)) == 0


@pytest.mark.parametrize(
    "text",
    [
        "x", "3", "x/3 + pi", "2*pi*sqrt(x/9.81)", "exp(-x^2/2)/sqrt(2*pi)",
        "x^y", "x^x", "2^sin(x)", "4^x", "x^(y+1)*z^y", "x^(-5/2)", "x^pi", "log2(x)", "log10(x)",
        "max(x, y)", "min(x, y, z)", "-max(x, y)", "max(x, y, 0.5)", "3*min(x, 2*y) + z",
        "atan2(y, x)", "2*atan2(y + 1, 3*x) + x", "mod(x, 3)", "hypot(x, y)", "relu(x) - 1",
        "where(x > 0, sqrt(x), z)", "piecewise(x < 0, 1, x < 1, 2, 3)", "where(x > 0, 1, 0)",
        "3*z*where(x > y, sqrt(x - y), x)", "where(x > 0, where(y > 0, 1, 2), 3)",
        "sigmoid(2*x + 1)*softplus(y)", "j0(x) + y1(y)", "root(x, 5)", "cbrt(x)", "gamma(x)",
        "1/(1/x + 1/y)", "(x + 1)*(y + 2)*(z + 3)", "x*sin(x + 0.3*y)^2", "6.6743e-11*x*y/z^2",
        "1e-12*x + 1e-13", "213.80940889*x", "piecewise(x < -1, 1, y > x + 1, 2, 3)",
        "max(exp(3*x), y^5)", "min(exp(x), 2) + y", "mod(x + 1, y)", "2*mod(x, 3)",
        "mod(x, 2*pi)*y", "where(x > 0 and x < 1, sqrt(x), 2)",
        "where(x < 0 or y > 1, x, z)",
    ],
)  # fmt: skip
def test_formula_comes_back_as_it_was_typed(text):
    assert back(text) == typed(text)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("exp(log(2)*x)", "2^x"),
        ("max(x, 0)", "relu(x)"),
        ("1 + pi*(sin(x) + 2)", "1 + 2*pi + pi*sin(x)"),
        ("sin(1.0*x + 0.0)", "sin(x)"),
        ("0.1*x + 0.2*x", "0.3*x"),
    ],
)
def test_formula_comes_back_in_another_spelling(text, same):
    assert back(text) == typed(same)


@settings(max_examples=50)
@given(expressions(), st.sampled_from(STRATEGIES))
def test_formula_of_a_compiled_network_equals_the_expression(expression, strategy):
    try:
        network = compile_network([expression], VARIABLES, strategy=strategy)
    except CompileError:
        assume(False)
    found = symbolic_formula(network)
    points = np.random.default_rng(1).uniform(-1, 1, (100, 3))
    expected = sympy_function([expression], VARIABLES)(points)
    value = sympy_function(found.expressions, VARIABLES)(points)
    real = np.isfinite(expected)
    assert np.abs(value - expected)[real].max() <= 1e-9 * (1 + np.abs(expected[real]).max())


@settings(max_examples=40)
@given(expressions(6))
def test_text_of_the_formula_compiles_to_the_same_values(expression):
    try:
        network = compile_network([expression], VARIABLES)
        text = symbolic_formula(network).text()
        again = compiled(text, list(VARIABLES))
    except (CompileError, FormulaError):
        assume(False)
    points = np.random.default_rng(1).uniform(-1, 1, (100, 3))
    expected = sympy_function([expression], VARIABLES)(points)
    real = np.isfinite(expected)
    error = np.abs(evaluate(again, points) - expected)[real].max()
    assert error <= 1e-9 * (1 + np.abs(expected[real]).max())


@pytest.mark.parametrize("name", [*functions.names(), "x^(1/3)", "1/x^2.5", "sin(x) + exp(x)"])
def test_every_function_of_the_table_comes_back_with_its_affine_map(name):
    plain = one_edge(name, (1, 0, 1, 0))
    assert symbolic_formula(plain).expressions == (functions.get(name).sympy(x),)
    moved = one_edge(name, (0.5, 0.7, 3, -2))
    found = symbolic_formula(moved)
    points = np.linspace(-0.9, 0.9, 20)[:, None]
    expected = evaluate(moved, points)
    value = values(found.expressions, found.variables, points)
    real = np.isfinite(value)
    assert np.abs(value - expected)[real].max() <= 1e-12 * (1 + np.abs(expected).max())


def one_edge(name: str, affine: tuple[float, float, float, float]) -> Network:
    network = empty_network([1, 1], input_names=["x"])
    return edits.set_function(network, EdgeRef(0, 0, 0), name, affine)


def test_every_output_has_its_expression_and_name():
    model = kanstudio.compile("f = x*y; g = sin(x)", dtype=torch.float64)
    found = model.symbolic_formula()
    assert found.expressions == (x * y, sp.sin(x))
    assert found.outputs == ("f", "g")
    assert str(found) == "f = x*y\ng = sin(x)"
    assert found.latex() == (r"x y", r"\sin\left(x\right)")


def test_answer_unpacks_like_pykans():
    model = kanstudio.compile("x^2 + y")
    found, variables = model.symbolic_formula()
    assert (found, variables) == ([x**2 + y], [x, y])
    assert model.symbolic_formula(var=["a", sp.Symbol("b")])[0][0] == typed("a^2 + b")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_numbers_come_back_at_the_precision_of_the_module(dtype):
    text = "x/3 + 9.81*sin(pi*y) + sqrt(2)*x*y"
    model = kanstudio.compile(text, strategy="tree", dtype=dtype)
    assert model.symbolic_formula()[0][0] == typed(text)


# Edits


@settings(max_examples=25)
@given(expressions(5), st.data())
def test_edits_that_keep_the_output_keep_the_formula(expression, data):
    try:
        network = compile_network([expression], VARIABLES)
    except CompileError:
        assume(False)
    before = symbolic_formula(network).expressions
    for _ in range(data.draw(st.integers(1, 4))):
        network = data.draw(st.sampled_from(EDITS))(network, data)
    assert symbolic_formula(network).expressions == before


def _deeper(network: Network, data: st.DataObject) -> Network:
    return edits.expand_depth(network, data.draw(st.integers(0, network.depth)))


def _wider(network: Network, data: st.DataObject) -> Network:
    if network.depth < 2:
        return network
    level, mult = data.draw(st.integers(1, network.depth - 1)), data.draw(st.booleans())
    return edits.expand_width(network, level, 2, sum_bool=not mult, mult_arity=[2, 3])


def _unperturbed(network: Network, data: st.DataObject) -> Network:
    return edits.perturb(network, data.draw(st.sampled_from(edits.PERTURB_MODES)), 0.0)


def _silently_perturbed(network: Network, data: st.DataObject) -> Network:
    return edits.perturb(network, "non-intrusive", 0.5)


EDITS = (_deeper, _wider, _unperturbed, _silently_perturbed)


# Any network


@settings(max_examples=25)
@given(networks())
def test_formula_of_any_network_has_its_values(network):
    points = samples(network)
    found = symbolic_formula(network, samples=points, tolerance=1e-9)
    expected = evaluate(network, points)
    error = np.abs(values(found.expressions, found.variables, points) - expected)
    assert (error <= 1e-8 * (1 + np.abs(expected).max(axis=0))).all()
    assert found.max_error is not None
    assert found.max_error < 1e-8


def test_spline_edge_is_a_named_function_with_its_domain():
    network = edits.random_spline_network(empty_network([1, 1], input_names=["x"]))
    found = symbolic_formula(network)
    (term,) = found.splines
    assert found.expressions == (term.function(x),)
    assert str(found.expressions[0]) == "spline_1(x)"
    assert (term.domain, term.edge, term.edge_id) == ((-1, 1), EdgeRef(0, 0, 0), "0-1.0")
    expected = evaluate(network, np.array([[0.3]]))[0, 0]
    assert float(found.expressions[0].subs(x, 0.3)) == pytest.approx(expected, rel=1e-14)
    assert float(found.expressions[0].evalf(subs={x: 0.3})) == pytest.approx(expected, rel=1e-14)
    assert symbolic_formula(network).expressions == found.expressions
    plain = sp.lambdify(x, found.expressions[0])
    assert plain(0.3) == pytest.approx(expected, rel=1e-14)


def test_both_fronts_of_an_edge_and_its_mask_count():
    network = edits.perturb(compiled("sin(x)"), "all", 0.1)
    layer = network.layers[0].with_arrays(symbolic_mask=[[0.5]])
    found = symbolic_formula(network.with_layers((layer,)))
    assert found.expressions[0] == sp.sin(x) / 2 + found.splines[0].function(x)
    assert "spline_1: spline of edge 0-1.0 on [-1, 1]" in str(found)


def test_formula_too_large_to_be_written_out_is_refused():
    network = edits.random_spline_network(empty_network([5, 40, 40, 40, 1]))
    with pytest.raises(KanStudioError, match="operations"):
        symbolic_formula(network)


def test_network_that_is_not_finite_has_no_formula():
    network = compiled("x + y")
    layer = network.layers[0].with_arrays(node_bias=[math.nan])
    with pytest.raises(KanStudioError, match="not finite"):
        symbolic_formula(network.with_layers((layer,)))
    assert "not finite" in readable(network.with_layers((layer,))).note


def test_wrong_variables_and_samples_are_refused():
    network = compiled("x + y")
    with pytest.raises(DataError, match="2 inputs"):
        symbolic_formula(network, ["a"])
    with pytest.raises(DataError, match="same name"):
        symbolic_formula(network, ["a", "a"])
    with pytest.raises(DataError, match="tolerance"):
        symbolic_formula(network, tolerance=-1)
    with pytest.raises(DataError, match="2 inputs"):
        symbolic_formula(network, samples=np.zeros((3, 1)))


def test_formula_nested_too_deeply_is_refused():
    deep = x
    for _ in range(200):
        deep = sp.sin(deep + y)
    with pytest.raises(KanStudioError, match="nested too deeply"):
        symbolic_formula(compile_network([deep], VARIABLES)).text()


def test_sum_of_many_terms_comes_back():
    total = sp.Add(*(sp.sin(k * x / 7 + y) for k in range(1, 301)))
    assert symbolic_formula(compile_network([total], VARIABLES)).expressions == (total,)


# For reading


def test_readable_formula_rounds_and_knows_simple_numbers():
    network = noisy(compiled("exp(sin(pi*x) + y^2)/3"), 1e-6)
    found = readable(network)
    assert found.text == ("f = exp(y^2 + sin(pi*x))/3",)
    assert found.latex == (r"f = \frac{e^{y^{2} + \sin\left(\pi x\right)}}{3}",)
    assert found.note == ""
    assert readable(compiled("2.71951234*x")).text == ("y = 2.72*x",)
    assert readable(compiled("2.7195*x"), digits=6).text == ("y = 2.7195*x",)


def test_readable_formula_names_splines():
    network = edits.random_spline_network(empty_network([2, 1]))
    assert readable(network).text == ("y = spline_1(x1) + spline_2(x2)",)


def test_readable_formula_that_is_too_long_says_so():
    network = edits.random_spline_network(empty_network([3, 20, 20, 1]))
    found = readable(network)
    assert (found.text, found.latex) == ((), ())
    assert "too long" in found.note


@settings(max_examples=30)
@given(networks())
def test_readable_formula_is_there_for_any_network(network):
    found = readable(network)
    assert len(found.text) == len(found.latex) == (0 if found.note else len(network.levels[-1]))


# Numbers


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (1 / 3, "1/3"), (2 * math.pi, "2*pi"), (math.sqrt(2) / 2, "sqrt(2)/2"), (9.81, "981/100"),
        (1 / (32 * math.pi**2), "1/(32*pi**2)"), (0.1 + 0.2, "3/10"), (-math.e, "-E"),
        (1 / math.sqrt(2 * math.pi), "sqrt(2)/(2*sqrt(pi))"), (math.log(2), "log(2)"),
        (1 + 2 * math.pi, "1 + 2*pi"), ((1 + math.sqrt(5)) / 2, "1/2 + sqrt(5)/2"),
    ],
)  # fmt: skip
def test_double_of_a_simple_number_is_that_number(value, number):
    assert recognise(value) == sp.sympify(number)


def test_random_doubles_stay_what_they_are():
    drawn = np.random.default_rng(0).normal(size=500).tolist()
    assert [value for value in drawn if recognise(value) != sp.Float(value)] == []


@given(st.floats(-1e6, 1e6), st.sampled_from([EXACT, 1e-6, 1e-3]))
def test_recognised_number_is_near(value, spread):
    assert float(recognise(value, spread)) == pytest.approx(value, rel=10 * spread, abs=1e-300)


def noisy(network: Network, size: float, seed: int = 0) -> Network:
    """The network with every number that training would move, moved a little."""
    rng = np.random.default_rng(seed)
    layers = (
        layer.with_arrays(affine=layer.affine + size * rng.uniform(-1, 1, layer.affine.shape))
        for layer in network.layers
    )
    return network.with_layers(tuple(layers))


@pytest.mark.parametrize(
    "text", ["exp(sin(pi*x) + y^2)", "sqrt(2)*x*y + 3*cos(2*pi*z)", "x/(1 + y^2/3)"]
)
def test_numbers_left_by_training_become_simple(text):
    network = noisy(compiled(text), 1e-5)
    rough = symbolic_formula(network).expressions[0]
    assert rough != typed(text)
    assert symbolic_formula(network, tolerance=1e-3).expressions[0] == typed(text)


def test_factor_that_training_moved_into_an_exponent_comes_back():
    network = one_edge("exp", (2.00001, 0.3, 3 * math.exp(-0.3) + 1e-5, 0))
    assert symbolic_formula(network, tolerance=1e-3).expressions == (3 * sp.exp(2 * x),)
    assert symbolic_formula(compiled("1.5*exp(x + 0.37)")).expressions[0] == typed(
        "1.5*exp(x + 0.37)"
    )


@settings(max_examples=25)
@given(expressions(6), st.sampled_from([1e-2, 1e-4, 1e-8]), st.integers(0, 99))
def test_simple_numbers_keep_every_output_within_the_tolerance(expression, tolerance, seed):
    try:
        network = noisy(compile_network([expression], VARIABLES), tolerance / 3, seed)
    except CompileError:
        assume(False)
    points = samples(network)
    exact = symbolic_formula(network, samples=points, tolerance=0)
    found = symbolic_formula(network, samples=points, tolerance=tolerance)
    expected = values(exact.expressions, exact.variables, points)
    error = np.abs(values(found.expressions, found.variables, points) - expected)
    real = np.isfinite(expected)
    assert error[real].max() <= 1.01 * tolerance * np.abs(expected[real]).max()


# Simplify


def test_simplify_finds_a_shorter_form():
    network = compiled("sin(x)^2 + cos(x)^2 + relu(y)*(x^2 - 1)/(x - 1)")
    found = symbolic_formula(network, simplify=True, timeout_s=60)
    assert found.expressions[0].count_ops() < typed("1 + relu(y)*(x^2 - 1)/(x - 1)").count_ops()
    assert found.notes == ()


def test_simplify_out_of_time_leaves_the_formula_and_says_so():
    network = compiled("sin(x)^2 + cos(x)^2")
    found = symbolic_formula(network, simplify=True, timeout_s=0.001)
    assert found.expressions == symbolic_formula(network).expressions
    assert "not simplified" in found.notes[0]
