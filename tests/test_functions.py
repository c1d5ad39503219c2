"""The function table against sympy and mpmath, and its promises about safety."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
import scipy.special
import sympy as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kanstudio import functions
from kanstudio.errors import KanStudioError
from kanstudio.functions import UnknownFunctionError

X = sp.Symbol("x")
EXTRA_POWERS = ("x^(1/3)", "1/x^(5/2)", "x^2.71828", "x^100", "1/x^7", "x^0.001")
ALL_NAMES = (*functions.names(), *EXTRA_POWERS)
SAMPLES = torch.tensor([-3.7, -2.5, -1.3, -0.8, -0.31, 0.12, 0.4, 0.93, 1.2, 2.6, 4.1]).double()
finite = st.floats(allow_nan=False, allow_infinity=False)


def value_and_slope(name: str, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    x = x.clone().requires_grad_()
    y = functions.get(name).torch(x)
    if not y.requires_grad:
        return y, torch.zeros_like(x)
    (slope,) = torch.autograd.grad(y.sum(), x)
    return y.detach(), slope


@pytest.mark.parametrize("name", ALL_NAMES)
def test_value_and_slope_match_sympy_inside_the_domain(name: str) -> None:
    row = functions.get(name)
    x = SAMPLES[row.inside(SAMPLES)]
    assert len(x) >= 3
    y, slope = value_and_slope(name, x)
    expr = row.sympy(X)
    tolerance = 1e-12
    for point, value, tangent in zip(x.tolist(), y.tolist(), slope.tolist(), strict=True):
        exact = float(sp.N(expr.subs(X, sp.Float(point, 40)), 20))
        assert math.isclose(value, exact, rel_tol=tolerance, abs_tol=tolerance / 10)
        step = sp.Float("1e-9", 40)
        ahead, behind = (
            sp.N(expr.subs(X, sp.Float(point, 40) + side * step), 40) for side in (1, -1)
        )
        exact_slope = float((ahead - behind) / (2 * step))
        assert math.isclose(tangent, exact_slope, rel_tol=1e-6, abs_tol=1e-10)


@pytest.mark.parametrize("name", ["j0", "j1", "y0", "y1"])
def test_bessel_functions_have_14_digits_near_and_far(name: str) -> None:
    # Around 5 and 20, where torch's own have 7 digits, and where two methods meet.
    x = torch.cat([torch.linspace(1e-3, 60, 2999), torch.logspace(-9, 4, 200)]).double()
    expected = getattr(scipy.special, name)(x.numpy())
    error = (functions.get(name).torch(x).numpy() - expected) / (1 + abs(expected))
    assert abs(error).max() < 1e-14


@pytest.mark.parametrize("name", ALL_NAMES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@settings(max_examples=20)
@given(points=st.lists(finite, min_size=1, max_size=20))
def test_value_and_slope_are_finite_for_every_finite_input(
    name: str, dtype: torch.dtype, points: list[float]
) -> None:
    special = [0.0, -0.0, 1.0, -1.0, -2.0, 5e-324, 1e-45, 1e-16, 88.8, 710.0, 1e300, -1e300]
    x = torch.tensor([*points, *special], dtype=torch.float64).to(dtype)
    x = x[x.isfinite()]
    y, slope = value_and_slope(name, x)
    assert y.dtype == dtype
    assert y.isfinite().all()
    assert slope.isfinite().all()


@pytest.mark.parametrize("name", ALL_NAMES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_value_and_slope_are_finite_around_every_end_of_a_domain(
    name: str, dtype: torch.dtype
) -> None:
    low_and_high = torch.tensor([-math.inf, math.inf], dtype=dtype)
    ends = torch.tensor([-2.0, -1.0, -1 / math.e, 0.0, 1.0, 103.3, 709.0], dtype=dtype)
    beside = torch.nextafter(ends[:, None], low_and_high).flatten()
    far = torch.tensor([-1e4, 1e4, -3e38, 3e38], dtype=dtype)
    y, slope = value_and_slope(name, torch.cat([ends, beside, 1000 * beside, far]))
    assert y.isfinite().all()
    assert slope.isfinite().all()


@pytest.mark.parametrize("name", ALL_NAMES)
def test_no_slope_outside_the_domain(name: str) -> None:
    x = torch.tensor([-1e3, -5.0, -2.0, -1.0, 0.0, 1.0, 2.0, 1e3], dtype=torch.float64)
    outside = x[~functions.get(name).inside(x)]
    _, slope = value_and_slope(name, outside)
    assert (slope == 0).all()


@pytest.mark.parametrize(
    ("name", "at", "value"),
    [
        ("x^0.5", -4, 0),
        ("arcsin", 3, math.pi / 2),
        ("arccosh", 0, 0),
        ("log", -2, math.log(torch.finfo(torch.float64).tiny)),
        ("y0", -2, 0),
        ("1/x", 0, 0),
    ],
)
def test_value_outside_is_that_of_the_nearest_end_or_zero_at_a_pole(
    name: str, at: float, value: float
) -> None:
    assert float(functions.get(name).torch(torch.tensor(float(at)).double())) == value


@pytest.mark.parametrize("name", functions.names())
def test_a_nan_stays_visible(name: str) -> None:
    y = functions.get(name).torch(torch.tensor([math.nan]))
    assert name in {"0", "sgn", "heaviside"} or bool(y.isnan().all())


@pytest.mark.parametrize("name", ALL_NAMES)
def test_a_row_is_found_by_name_and_alias(name: str) -> None:
    row = functions.get(name)
    assert row.name == name
    assert all(functions.get(alias) is row for alias in row.aliases)


@pytest.mark.parametrize("name", [name for name in ALL_NAMES if name not in {"0", "x"}])
def test_sympy_leads_back_to_the_name(name: str) -> None:
    # sympy takes whole numbers out of floor and ceil.
    inner = X if name in {"floor", "ceil"} else 2 * X + 1
    assert functions.match(functions.get(name).sympy(inner)) == (name, inner)


def test_from_sympy_knows_classes_and_applied_functions() -> None:
    assert functions.from_sympy(sp.asin) == "arcsin"
    assert functions.from_sympy(sp.sign) == "sgn"
    assert functions.from_sympy(sp.besselj(1, X)) == "j1"
    assert functions.from_sympy(sp.besselj(2, X)) is None
    assert functions.from_sympy(sp.zeta) is None


@pytest.mark.parametrize(
    ("exponent", "name"),
    [
        (1, "x"),
        (-1, "1/x"),
        (sp.Integer(7), "x^7"),
        (sp.Rational(1, 2), "x^0.5"),
        (1.5, "x^1.5"),
        (-0.5, "1/x^0.5"),
        (sp.Rational(-5, 2), "1/x^(5/2)"),
        (2.5, "x^(5/2)"),
        (sp.Float(2.71828), "x^2.71828"),
        (sp.Rational(271828, 100000), "x^2.71828"),
        (sp.Float(3.0), "x^3"),
        (sp.pi, "x^3.141592653589793"),
    ],
)
def test_one_exponent_has_one_name(exponent: object, name: str) -> None:
    assert functions.power_name(exponent) == name
    assert functions.get(name).name == name


@given(
    st.one_of(
        st.integers(-1000, 1000),
        st.fractions(-1000, 1000, max_denominator=10**6),
        st.floats(-1000, 1000),
    ).filter(bool)
)
def test_power_names_parse_back(exponent: int | Fraction | float) -> None:
    name = functions.power_name(exponent)
    row = functions.get(name)
    assert row.name == name
    assert math.isclose(float(row.exponent), float(exponent), rel_tol=1e-15)
    assert functions.power_name(row.exponent) == name


@pytest.mark.parametrize("spelling", ["x^-2", "1/x^2", "1/x^2.0", "x^(-2)"])
def test_other_spellings_of_a_power(spelling: str) -> None:
    assert functions.get(spelling).name == "1/x^2"


def test_unknown_names_suggest_the_nearest() -> None:
    with pytest.raises(UnknownFunctionError, match=r"unknown function sine: did you mean sin\?"):
        functions.get("sine")
    with pytest.raises(KanStudioError, match="x\\^0 is the constant 1"):
        functions.power_name(0)
    for wrong in ("x^0", "x^", "x^1001", "1/x^(1/0)", "x^nan", "x^(1/2", "x" * 500, ""):
        with pytest.raises(KanStudioError):
            functions.get(wrong)


def test_latex_brackets_only_where_needed() -> None:
    square = functions.get("x^2")
    assert square.to_latex() == "x^{2}"
    assert square.to_latex("x+1") == r"\left(x+1\right)^{2}"
    assert functions.get("sin").to_latex(r"\theta_{1}") == r"\sin\left(\theta_{1}\right)"


def test_heads_work_with_lambdify_and_derivatives() -> None:
    for name in ("sigmoid", "softplus", "silu", "relu", "gaussian", "cbrt"):
        expr = functions.get(name).sympy(X)
        number = float(sp.lambdify(X, expr)(0.7))
        assert math.isclose(number, float(sp.N(expr.doit().subs(X, 0.7))), rel_tol=1e-12)
        assert math.isclose(
            float(sp.N(sp.diff(expr, X).subs(X, 0.7))),
            float(value_and_slope(name, torch.tensor([0.7], dtype=torch.float64))[1]),
            rel_tol=1e-12,
        )


def test_safe_functions_survive_second_derivatives() -> None:
    x = torch.tensor([-1.0, 0.0, 1e-300, 2.0], dtype=torch.float64, requires_grad=True)
    for name in ("x^0.5", "log", "1/x", "arcsin", "x^(1/3)", "j1", "cbrt"):
        (slope,) = torch.autograd.grad(functions.get(name).torch(x).sum(), x, create_graph=True)
        (bend,) = torch.autograd.grad(slope.sum(), x)
        assert not bend.isnan().any()
