"""Every row of the function table against mpmath, in float64 on the CPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from mpmath import mp, mpf
from torch.autograd import forward_ad

from kanstudio import functions
from kanstudio.functions import special

ORACLES: dict[str, Callable[[Any], Any]] = {
    "exp": mp.exp, "log": mp.log, "sin": mp.sin, "cos": mp.cos, "tan": mp.tan, "cot": mp.cot,
    "sec": mp.sec, "csc": mp.csc, "arcsin": mp.asin, "arccos": mp.acos, "arctan": mp.atan,
    "arccot": lambda x: mp.atan(1 / x) if x else mp.pi / 2, "arcsec": mp.asec,
    "arccsc": mp.acsc, "sinh": mp.sinh, "cosh": mp.cosh, "tanh": mp.tanh, "sech": mp.sech,
    "csch": mp.csch, "coth": mp.coth, "arcsinh": mp.asinh, "arccosh": mp.acosh,
    "arctanh": mp.atanh, "arccoth": mp.acoth, "arcsech": mp.asech, "arccsch": mp.acsch,
    "abs": abs, "sgn": mp.sign, "relu": lambda x: max(x, mpf(0)),
    "heaviside": lambda x: (mp.sign(x) + 1) / 2, "floor": mp.floor, "ceil": mp.ceil,
    "frac": lambda x: x - mp.floor(x), "cbrt": lambda x: mp.sign(x) * mp.cbrt(abs(x)),
    "gaussian": lambda x: mp.exp(-x * x), "sigmoid": lambda x: 1 / (1 + mp.exp(-x)),
    "softplus": lambda x: mp.log1p(mp.exp(-abs(x))) + max(x, mpf(0)),
    "silu": lambda x: x / (1 + mp.exp(-x)), "sinc": mp.sinc, "erf": mp.erf, "erfc": mp.erfc,
    "erfi": mp.erfi, "erfinv": mp.erfinv, "gamma": mp.gamma, "loggamma": mp.loggamma,
    "digamma": mp.digamma, "airyai": mp.airyai, "airybi": mp.airybi, "Si": mp.si,
    "Ci": lambda x: mp.ci(x).real, "Ei": lambda x: mp.ei(x).real, "ellipk": mp.ellipk,
    "ellipe": mp.ellipe, "lambertw": lambda x: mp.lambertw(x).real,
    "x^(1/3)": mp.cbrt, "1/x^(5/2)": lambda x: x ** mpf(-2.5), "x^3.141592653589793":
    lambda x: x ** mpf(np.pi), "x^0.001": lambda x: x ** mpf("0.001"), "1/x^7": lambda x: x**-7,
}  # fmt: skip
ORACLES |= {
    f"{kind}{order}": lambda x, order=order, bessel=bessel: bessel(order, x)
    for order in (0, 1)
    for kind, bessel in zip("jyik", (mp.besselj, mp.bessely, mp.besseli, mp.besselk), strict=True)
}
ORACLES |= {
    name: lambda x, n=row.exponent: x**n if isinstance(n, int) else x ** mpf(float(n))
    for name in functions.names()
    if (row := functions.get(name)).exponent is not None
}
# Nobody computes these with all digits far out: the phase of a wave is as inexact as its size.
WAVES = {"airyai", "airybi", "j0", "j1", "y0", "y1"}


def samples(name: str) -> list[float]:
    """Points inside the domain: everywhere, near its ends, and near 0."""
    rng = np.random.default_rng(0)
    near = 10.0 ** np.array([-12.0, -7.3, -4.1, -2.2])
    ends = [end + side * near for end in (-1, 0, 1) for side in (-1, 1)]
    far = [] if name in WAVES else [-1234.5, 1234.5, -2e4, 2e4]
    wide = rng.uniform(-60, 60, 10)
    close = (rng.uniform(-1, 1, 8), rng.uniform(-8, 8, 16), near - 1 / np.e, [0.0, 709.0, -709.0])
    x = torch.tensor(np.concatenate([*ends, *close, wide, far]), dtype=torch.float64)
    if name in WAVES:
        x = x[x.abs() < 60]
    found: list[float] = x[functions.get(name).inside(x)].tolist()
    return found


def test_every_row_has_an_oracle() -> None:
    assert set(functions.names()) - {"0"} <= set(ORACLES)


@pytest.mark.parametrize("name", sorted(ORACLES))
def test_values_have_thirteen_digits_and_slopes_twelve(name: str) -> None:
    points = samples(name)
    assert len(points) > 10
    x = torch.tensor(points, dtype=torch.float64, requires_grad=True)
    y = functions.get(name).torch(x)
    slopes = torch.zeros_like(x)
    if y.requires_grad:
        (slopes,) = torch.autograd.grad(y.sum(), x)
    steps = {"floor", "ceil", "frac", "abs", "sgn", "heaviside", "relu", "arccot", "cbrt"}
    with mpmath.workdps(45):
        for at, value, slope in zip(points, y.tolist(), slopes.tolist(), strict=True):
            exact = mp.re(ORACLES[name](mpf(at)))
            assert abs(value - exact) <= 1e-13 * abs(exact) + 3e-15, at
            if at.is_integer() and name in {*steps, "x^0.5", "x^1.5", "x^(1/3)", "x^0.001"}:
                continue  # no derivative, or none that is finite
            step = mpf("1e-20")
            ahead, behind = (mp.re(ORACLES[name](at + s * step)) for s in (1, -1))
            tangent = (ahead - behind) / (2 * step)
            assert abs(slope - tangent) <= 1e-12 * (1 + abs(tangent)), at


@pytest.mark.parametrize("name", sorted(ORACLES))
def test_derivatives_of_both_orders_are_those_of_the_value(name: str) -> None:
    row = functions.get(name)
    x = torch.tensor([-2.6, -1.3, -0.7, -0.31, 0.22, 0.45, 0.8, 1.4, 2.3], dtype=torch.float64)
    x = x[row.inside(x)].requires_grad_()
    assert len(x) >= 2
    assert torch.autograd.gradcheck(row.torch, (x,))
    assert torch.autograd.gradgradcheck(row.torch, (x,))


@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")  # torch's own
@pytest.mark.parametrize("name", ["gamma", "j1", "airyai", "lambertw", "arcsin", "ellipk"])
def test_functional_transforms_work(name: str) -> None:
    function = functions.get(name).torch
    x = torch.tensor([0.2, 0.4, 0.6], dtype=torch.float64)
    slopes = torch.func.vmap(torch.func.grad(function))(x)
    expected = x.clone().requires_grad_()
    (exact,) = torch.autograd.grad(function(expected).sum(), expected)
    torch.testing.assert_close(slopes, exact)
    with forward_ad.dual_level():
        dual = function(forward_ad.make_dual(x, torch.ones_like(x)))
        torch.testing.assert_close(forward_ad.unpack_dual(dual).tangent, exact)


def test_lambert_w_is_exact_at_its_branch_point() -> None:
    with mpmath.workdps(45):
        for distance in (1e-15, 1e-12, 1e-9, 1e-6, 3e-6, 1e-4):
            at = max(special.LEAST_LAMBERT, float(-mpf(1) / mp.e + distance))
            value = float(functions.get("lambertw").torch(torch.tensor(at, dtype=torch.float64)))
            assert abs(value - mp.lambertw(mpf(at)).real) < 1e-15


def test_arccot_is_that_of_sympy() -> None:
    """atan(1/x): odd but at 0, where it is pi/2."""
    x = torch.tensor([-1e-300, -0.0, 0.0, 1e-300, -np.inf, np.inf], dtype=torch.float64)
    y = functions.get("arccot").torch(x)
    assert y.tolist() == [-np.pi / 2, np.pi / 2, np.pi / 2, np.pi / 2, 0, 0]


@pytest.mark.gpu
def test_other_devices_give_the_same_values() -> None:
    for name in sorted(ORACLES):
        x = torch.tensor(samples(name), dtype=torch.float64)
        function = functions.get(name).torch
        torch.testing.assert_close(function(x.cuda()).cpu(), function(x), rtol=1e-12, atol=1e-14)
