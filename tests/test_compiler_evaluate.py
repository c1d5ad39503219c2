"""The independent reference: values of sympy expressions in numpy and torch."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
import sympy
import torch
from expressions import VARIABLES, expressions
from hypothesis import given, settings

from kanstudio.compiler.evaluate import sympy_function, torch_function
from kanstudio.compiler.operations import NUMPY_OPERATIONS
from kanstudio.errors import CompileError

x, y = sympy.symbols("x y")

ONE_ARGUMENT = sorted(
    (
        head
        for head in NUMPY_OPERATIONS
        if issubclass(head, sympy.Function)
        and 1 in head.nargs
        # sympy has no number for erfcinv.
        and head not in (sympy.Max, sympy.Min, sympy.LambertW, sympy.Piecewise, sympy.erfcinv)
    ),
    key=lambda head: head.__name__,
)


def value(expression: sympy.Expr, at: float) -> float:
    return float(sympy_function([expression], ["x"])(np.array([[at]]))[0, 0])


@pytest.mark.parametrize("head", ONE_ARGUMENT, ids=lambda head: head.__name__)
@pytest.mark.parametrize("at", [-1.7, -0.6, 0.3, 2.4])
def test_functions_equal_sympys_where_they_are_real(head, at):
    if head is sympy.erfinv and abs(at) > 1:  # sympy raises
        assert np.isnan(value(head(x), at))
        return
    expected = head(sympy.Float(at, 30)).evalf(20)
    ours = value(head(x), at)
    if expected.is_real:
        assert ours == pytest.approx(float(expected), rel=1e-13, abs=1e-15)
    else:
        assert np.isnan(ours)


@pytest.mark.parametrize(
    "text",
    [
        "1/x",
        "x**-2.5",
        "log(x)",
        "1/sin(x)",
        "gamma(x)",
        "cot(x)",
        "acoth(x)",
        "asec(x)",
        "atan2(x, 2*x)",
    ],
)
def test_a_pole_has_no_value(text):
    assert np.isnan(value(sympy.sympify(text), 0.0))


@pytest.mark.parametrize("text", ["sqrt(x)", "x**(1/3)", "x**pi", "log(x)", "asin(x)", "2/sqrt(x)"])
def test_outside_the_domain_there_is_no_value(text):
    assert np.isnan(value(sympy.sympify(text), -2.0))


def test_overflow_is_infinite_and_comes_back():
    assert value(sympy.exp(x), 1000.0) == np.inf
    assert value(1 / (1 + sympy.exp(x)), 1000.0) == 0


def test_functions_of_several_arguments():
    functions = [
        sympy.Max(x, y, 0.2), sympy.Min(x, y, 0.2), sympy.atan2(y, x), sympy.Mod(x, y),
        sympy.Heaviside(x), sympy.besselj(1, y), x**y,
    ]  # fmt: skip
    points = np.array([[0.5, 1.5], [-0.5, 2.0], [0.0, 0.1]])
    a, b = points.T
    expected = [
        np.maximum(np.maximum(a, b), 0.2), np.minimum(np.minimum(a, b), 0.2), np.arctan2(b, a),
        np.mod(a, b), np.heaviside(a, 0.5), [float(mpmath.besselj(1, v)) for v in b], a**b,
    ]  # fmt: skip
    result = sympy_function(functions, ["x", "y"])(points)
    np.testing.assert_allclose(result, np.transpose(expected), rtol=1e-13)


def test_piecewise_takes_the_first_condition_that_holds():
    inside = sympy.And(x > -1, x < 1)
    function = sympy.Piecewise((x**2, inside), (1 / x, sympy.Ge(x, 1)), (sympy.nan, True))
    assert value(sympy.Piecewise((x**2, inside), (x, x >= 1)), 0.5) == 0.25
    assert value(sympy.Piecewise((x**2, inside), (x, x >= 1)), 3.0) == 3
    assert np.isnan(value(sympy.Piecewise((x**2, inside), (x, x >= 1)), -3.0))
    with pytest.raises(CompileError, match="not a real number"):
        value(function, 1.0)


def test_several_outputs_and_constants():
    result = sympy_function([x * y, sympy.pi, y], ["x", "y"])(np.array([[2.0, 3.0]] * 4))
    np.testing.assert_array_equal(result, [[6, np.pi, 3]] * 4)
    assert sympy_function([x], ["x"])(np.zeros((0, 1))).shape == (0, 1)


@pytest.mark.parametrize("shape", [(3,), (3, 1), (3, 3)])
def test_samples_of_another_shape_are_an_error(shape):
    with pytest.raises(ValueError, match=r"not \(n, 2\)"):
        sympy_function([x], ["x", "y"])(np.zeros(shape))


def test_what_it_does_not_know_is_an_error():
    with pytest.raises(CompileError, match="y is not an input"):
        sympy_function([x + y], ["x"])
    with pytest.raises(CompileError, match="zeta") as caught:
        sympy_function([sympy.zeta(x)], ["x"])
    assert caught.value.function == "zeta"
    with pytest.raises(CompileError, match="no finite real value"):
        sympy_function([x * sympy.log(0, evaluate=False)], ["x"])


def test_deep_and_shared_expressions_are_linear():
    shared = x
    for _ in range(50):
        shared = sympy.sin(shared) * (shared + 1) / 3
    assert np.isfinite(value(shared, 0.3))


@settings(max_examples=40)
@given(expressions())
def test_torch_equals_numpy(expression):
    points = np.random.default_rng(0).uniform(-1, 1, (10, 3))
    try:
        function = torch_function(expression, VARIABLES)
    except CompileError:
        assert expression.has(sympy.Max, sympy.Min, sympy.Piecewise)
        return
    result = function(torch.tensor(points, dtype=torch.float64)).numpy()
    assert result.shape == (10, 1)
    expected = sympy_function([expression], VARIABLES)(points)
    np.testing.assert_allclose(result, expected, rtol=1e-10, atol=1e-10)


def test_torch_keeps_the_type_and_is_differentiable():
    function = torch_function(sympy.exp(2 * x) + sympy.pi, ["x", "y"])
    points = torch.tensor([[0.5, 1.0]], dtype=torch.float32, requires_grad=True)
    result = function(points)
    assert (result.dtype, tuple(result.shape)) == (torch.float32, (1, 1))
    result.sum().backward()
    torch.testing.assert_close(points.grad, torch.tensor([[2 * np.e, 0.0]]).to(torch.float32))


def test_torch_has_no_value_outside_the_domain():
    assert torch_function(sympy.sqrt(x), ["x"])(torch.tensor([[-1.0]])).isnan().all()
