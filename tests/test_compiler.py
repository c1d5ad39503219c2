"""What the compiler makes of each kind of formula."""

from __future__ import annotations

import math

import numpy as np
import pytest
import sympy
from expressions import compiled_error, error_at, worst_error

from kanstudio import functions
from kanstudio.compiler import compile_network, sympy_function
from kanstudio.errors import CompileError
from kanstudio.network.forward import evaluate

x, y, z = sympy.symbols("x y z")
EXACT = 1e-13
NOTHING = sympy.Add(x, sympy.Mul(-1, x, evaluate=False), evaluate=False)


def test_feynman_36_has_the_shape_of_pykans_tree():
    omega, v, c = sympy.symbols("omega_0 v c")
    formula = omega * (1 + v / c) / sympy.sqrt(1 - v**2 / c**2)
    network = compile_network([formula], ["omega_0", "v", "c"], strategy="tree")
    assert network.width == [[3, 0], [1, 2], [0, 1]]
    assert network.mult_arity == [[], [2, 2], [3]]
    points = np.random.default_rng(0).uniform([0, 0, 1], [1, 1, 2], (1000, 3))
    o, vv, cc = points.T
    expected = o * (1 + vv / cc) / np.sqrt(1 - vv**2 / cc**2)
    assert np.mean((evaluate(network, points)[:, 0] - expected) ** 2) < 1e-31


@pytest.mark.parametrize(
    "text",
    [
        "sin(x) + cos(x)",
        "x + x**2",
        "x + x**2 + x**3 + sin(2*x) + sin(3*x)",
        "exp(sin(x) + cos(x) + y)",
        "(x + x**2)*(y + sin(y))*(x - tanh(x))",
        "exp(exp(x + x**2) + y) + (x + x**2)",
        "sin(x) + pi*sin(x)",
        "sin(x)**2 + cos(x)**2",
    ],
)
def test_several_functions_of_one_variable_in_a_sum(text):
    assert compiled_error(text) < EXACT


@pytest.mark.parametrize(
    "text",
    [
        "x*sin(x)*exp(x)",
        "x*y*x**1.5*cos(y)",
        "x**2*exp(-x**2)/(x**2 + 1)",
        "(x*y)**2",
        "(x + 1)*(x - 1)*(x + 2)",
        "x**y*x",
    ],
)
def test_a_variable_several_times_in_a_product(text):
    assert compiled_error(text, 0.1, 2) < EXACT


@pytest.mark.parametrize(
    "text",
    [
        "sin(pi*(x + 1))",
        "1 + pi*(sin(x) + 2)",
        "1 + pi*(2 + sqrt(2)*(3 + pi*(x + y)))",
        "pi*(x*y + 1)*(sin(x) + E*(y + 1)) - 7",
        "exp(1 - pi*(tanh(2*x + 1) + cos(x)/3))",
        "x + pi*(x + 1) - sqrt(2)*(x - y)",
    ],
)
def test_nested_affine_parts(text):
    assert compiled_error(text) < EXACT


@pytest.mark.parametrize(
    "text",
    [
        "x**(5/2)", "x**1.5", "x**(-3/2)", "x**(1/3)", "x**6", "x**-6", "x**pi", "x**-pi",
        "2**x", "x**y", "(x + y)**z", "sqrt(x)", "1/sqrt(x)", "x**2.0", "x**0.1", "(x*y)**1.5",
        "2**(x*y)", "(x + y)**-3", "exp(x)**y", "(3*exp(x))**y", "sqrt(x**2)", "x**17", "pi**x",
        "(2*x + 3)**(2/7)", "x**(x + 1)", "x**(sqrt(2) + 1)",
    ],
)  # fmt: skip
def test_any_real_exponent(text):
    assert compiled_error(text, 0.2, 3) < EXACT


SYMPY_NAMES = """
exp log sin cos tan cot sec csc asin acos atan acot asec acsc sinh cosh tanh coth sech csch
asinh acosh atanh acoth asech acsch Abs sign erf sinc floor ceiling
"""


@pytest.mark.parametrize("name", SYMPY_NAMES.split())
def test_functions(name):
    assert compiled_error(f"2*{name}(3*x - 1) + y", -3, 3) < 1e-12
    assert compiled_error(f"2*{name}(x)*y", -1.5, 1.5) < 1e-12


@pytest.mark.parametrize("name", [name for name in functions.names() if name != "0"])
def test_every_function_of_the_table_is_one_edge(name):
    expression = 3 * functions.get(name).sympy(2 * x)
    network = compile_network([expression], ["x"])
    assert network.n_edge == 1
    assert worst_error(network, [expression], ["x"], -3, 3) < 1e-12


@pytest.mark.parametrize(
    "text",
    ["Max(x, y)", "Min(x, y)", "Max(x, y, z, 0.1)", "Min(x*y, sin(x), z)", "Max(x, 0)*Min(1, y)"],
)
def test_maximum_and_minimum_are_rewritten(text):
    assert compiled_error(text, -2, 2) < EXACT


def test_maximum_of_a_variable_and_a_constant_is_one_edge():
    network = compile_network([sympy.Max(x, 2)], ["x"])
    assert network.n_edge == 1


@pytest.mark.parametrize(
    "expression",
    [
        sympy.atan2(y, x),
        sympy.atan2(2 * y + 1, x * y),
        sympy.atan2(x, 2),
        sympy.Mod(x, 2) + sympy.Mod(y, -3),
        sympy.Mod(2 * x + 5, y + 5),
        sympy.Piecewise((x, x > 0), (-x, True)),
        sympy.Piecewise((sympy.sqrt(x), x > 0), (1 / (x - y - 5), y > 0), (3, True)),
        sympy.Piecewise((1, x < y), (2, x <= y), (3, True)),
        sympy.Piecewise((1, x >= y), (sympy.log(y - x), True)) ** 2,
        sympy.Piecewise((1, sympy.Eq(x, y)), (y, sympy.Ne(x, 1)), (7, True)),
        sympy.Piecewise((1, sympy.And(x > 0, y > 0)), (2, sympy.Or(x > 1, y > 1)), (3, True)),
        sympy.Piecewise((1, sympy.Not(sympy.Or(x > y, sympy.Eq(x, 0)))), (4, True)),
        sympy.Piecewise((x * y, x > 1), (y, x > -1)),
        sympy.Piecewise((x, sympy.ITE(x > 0, y > 1, y < 1)), (y, True)),
    ],
    ids=str,
)
def test_jumps_are_exact_also_where_they_jump(expression):
    grid = np.arange(-2.0, 2.25, 0.5)
    points = np.array([(a, b) for a in grid for b in grid])
    expected = sympy_function([expression], ["x", "y"])(points)
    assert np.isfinite(expected).mean() > 0.6
    assert error_at(compile_network([expression], ["x", "y"]), expected, points) < EXACT


@pytest.mark.parametrize("text", ["x", "2*x + 1", "x - x*pi", "-x", "x/3"])
def test_affine_expressions_are_one_edge(text):
    expression = sympy.sympify(text)
    network = compile_network([expression], ["x"])
    assert (network.width, network.n_edge) == ([[1, 0], [1, 0]], 1)
    assert worst_error(network, [expression], ["x"]) < EXACT


@pytest.mark.parametrize(
    "text", ["Abs(exp(x))", "Abs(exp(sin(x*y)))", "conjugate(x) + im(y)*exp(y)"]
)
def test_variables_are_real(text):
    assert compiled_error(text) < EXACT


@pytest.mark.parametrize("value", [3, 2.5, sympy.pi, sympy.sqrt(2) / 7, sympy.Integer(0)])
def test_constants(value):
    network = compile_network([value], ["x", "y"])
    assert network.n_edge == 0
    np.testing.assert_array_equal(
        evaluate(network, np.zeros((4, 2))), np.full((4, 1), float(value))
    )


def test_constant_without_variables_has_one_input():
    assert compile_network([sympy.Integer(3)], []).input_names == ("x",)


def test_functions_of_constants_need_no_network():
    network = compile_network([x * sympy.gamma(sympy.Rational(1, 3)) + sympy.atan2(1, -2)], ["x"])
    value = evaluate(network, np.ones((1, 1)))[0, 0]
    assert value == pytest.approx(math.gamma(1 / 3) + math.atan2(1, -2), rel=1e-15)


def test_what_cancels_is_a_constant():
    network = compile_network([sympy.cos(NOTHING, evaluate=False) + y], ["x", "y"])
    assert evaluate(network, np.array([[5.0, 2.0]]))[0, 0] == 3


def test_unused_inputs_stay_inputs():
    network = compile_network([sympy.sin(y)], ["x", "y", "z"])
    assert network.input_names == ("x", "y", "z")
    assert network.width == [[3, 0], [1, 0]]


@pytest.mark.parametrize(
    "outputs",
    [
        [x, x * y, sympy.sin(sympy.exp(x + y))],
        [x * y, sympy.sin(x)],
        [sympy.sin(x), x * y],
        [x * y * z, x * y, sympy.Integer(4), x],
        # Products that are ready before others, last.
        [sympy.pi * x**2 / (x**2 + 1), y * z],
        [z * sympy.exp(sympy.sin(x * y)), x * y, z * sympy.exp(x + y), y * z],
        [sympy.exp(x) * y, sympy.exp(sympy.sin(x * y)), sympy.exp(x * z) + sympy.cos(x * z)],
    ],
)
def test_outputs_keep_their_order(outputs):
    network = compile_network(outputs, ["x", "y", "z"])
    assert len(network.levels[-1]) == len(outputs)
    assert worst_error(network, outputs) < EXACT


def test_output_names_are_kept():
    network = compile_network([x, y], ["x", "y"], ["first", "second"])
    assert network.output_names == ("first", "second")
    with pytest.raises(CompileError, match="2 formulas need as many output names"):
        compile_network([x, y], ["x", "y"], ["first"])


def test_two_paths_need_one_more_level():
    network = compile_network([sympy.sin(x) + sympy.tanh(x)], ["x"])
    assert network.width == [[1, 0], [2, 0], [1, 0]]
    assert network.n_edge == 4


def test_equal_edges_are_merged():
    network = compile_network([sympy.sin(x) + sympy.pi * (sympy.sin(x) + 1)], ["x"])
    assert network.n_edge == 1


def test_splines_are_off_and_follow_the_seed():
    first, again, other = (
        compile_network([x * y], ["x", "y"], grid=7, degree=2, seed=seed) for seed in (1, 1, 2)
    )
    assert first.same_values(again)
    assert not first.same_values(other)
    assert (first.grid, first.degree) == (7, 2)
    assert not any(layer.spline_active.any() for layer in first.layers)


def test_a_long_chain_and_a_long_sum_compile():
    chain = x
    for _ in range(300):
        chain = sympy.sin(chain)
    assert compile_network([chain], ["x"]).depth == 300
    total = sympy.Add(*(sympy.sin(k * x) for k in range(1, 301)))
    assert compile_network([total], ["x"]).width == [[1, 0], [300, 0], [1, 0]]


@pytest.mark.parametrize(
    ("expression", "function"),
    [
        (sympy.Piecewise((sympy.zeta(x), x > 0), (0, True)), "zeta"),
        (1 + sympy.sin(sympy.zeta(x)), "zeta"),
        (sympy.Function("mystery")(x), "mystery"),
        (sympy.besselj(2, x), "besselj"),
        (sympy.Derivative(sympy.sin(x), x), "Derivative"),
        (sympy.log(NOTHING - 1, evaluate=False), "log"),
        (sympy.Pow(-2, x), "Pow"),
        (x**2000, "Pow"),
    ],
)
def test_a_function_without_a_network_is_named(expression, function):
    with pytest.raises(CompileError) as caught:
        compile_network([expression], ["x", "y"])
    assert caught.value.function == function


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (x + z, "z is not an input; the inputs are: x, y"),
        (x * sympy.I, "not a real number"),
        (x * sympy.sqrt(-2), "not a real number"),
        (x + sympy.oo, "not a real number"),
        (x * sympy.nan, "not a real number"),
        (x + sympy.Integer(10) ** 400, "too large"),
        (x * sympy.Float("1e400"), "too large"),
        (sympy.exp(x * 10 ** sympy.Integer(200)) * 10 ** sympy.Integer(300) * 1e99, "too large"),
        ("x + 1", "pass a sympy expression"),
        (None, "pass a sympy expression"),
    ],
)
def test_what_has_no_real_network_is_an_error(expression, message):
    with pytest.raises(CompileError, match=message):
        compile_network([expression], ["x", "y"])


def test_no_formula_and_equal_inputs_are_errors():
    with pytest.raises(CompileError, match="no formula"):
        compile_network([], ["x"])
    with pytest.raises(CompileError, match="twice"):
        compile_network([x], ["x", "x"])


def test_a_tree_that_explodes_is_refused():
    expression = x
    for _ in range(60):
        expression = sympy.sin(expression) * (expression + y)
    with pytest.raises(CompileError, match="more than 20,000 nodes"):
        compile_network([expression], ["x", "y"], strategy="tree")
    assert worst_error(compile_network([expression], ["x", "y"]), [expression], "xy") < EXACT


def test_layers_that_are_too_wide_are_refused():
    symbols = sympy.symbols("v:400")
    wide = sympy.Add(*symbols) + sympy.Add(*(sympy.sin(2 * s) for s in symbols))
    with pytest.raises(CompileError, match="room for"):
        compile_network([sympy.exp(wide)], [s.name for s in symbols], strategy="tree")
