"""The table of univariate functions; everything else reads it."""

from __future__ import annotations

import sympy as sp
import torch
from torch import Tensor

from kanstudio.functions import elementary, heads, special, special_rows
from kanstudio.functions.function import Function
from kanstudio.functions.powers import make_power
from kanstudio.functions.row import row


def rows() -> list[Function]:
    """Every named function, plain powers first; other powers are made on demand."""
    powers = [make_power(n) for n in (1, 2, 3, 4, 5, 6, -1, -2, -3, -4, -5, 0.5, 1.5, -0.5)]
    zero = Function("0", lambda x: sp.S.Zero, torch.zeros_like, "0", complexity=0)
    return [
        zero,
        *powers,
        *elementary.exponentials(),
        *elementary.trigonometric(),
        *elementary.inverse_trigonometric(),
        *elementary.hyperbolic(),
        *elementary.inverse_hyperbolic(),
        *_steps(),
        *_smooth_steps(),
        *special_rows.error_functions(),
        *special_rows.gammas(),
        *special_rows.bessels(),
        *special_rows.airy(),
        *special_rows.integrals(),
        *special_rows.lambert(),
    ]


def _steps() -> list[Function]:
    ceiling = r"\left\lceil {x}\right\rceil"
    return [
        row("abs", sp.Abs, torch.abs, r"\left|{x}\right|", aliases=("Abs",)),
        row("sgn", sp.sign, torch.sign, aliases=("sign",)),
        row("relu", heads.relu, torch.relu),
        row("heaviside", sp.Heaviside, _heaviside, r"\Theta", aliases=("Heaviside",)),
        row("floor", sp.floor, torch.floor, r"\left\lfloor {x}\right\rfloor"),
        row("ceil", sp.ceiling, torch.ceil, ceiling, aliases=("ceiling",)),
        row("frac", sp.frac, lambda x: x - torch.floor(x)),
        row("cbrt", heads.cbrt, _cbrt, r"\sqrt[3]{{x}}"),
    ]


def _smooth_steps() -> list[Function]:
    return [
        row("gaussian", heads.gaussian, _gaussian, r"e^{-{(x)}^{2}}"),
        row("sigmoid", heads.sigmoid, torch.sigmoid, r"\sigma", aliases=("logistic",)),
        row("softplus", heads.softplus, lambda x: torch.logaddexp(x, torch.zeros_like(x))),
        row("silu", heads.silu, lambda x: x * torch.sigmoid(x), aliases=("swish",)),
        row("sinc", sp.sinc, special.sinc),
    ]


def _gaussian(x: Tensor) -> Tensor:
    # Beyond 40 the value is 0 in every dtype, and the square cannot overflow.
    return torch.exp(-torch.square(x.clamp(-40.0, 40.0)))


def _heaviside(x: Tensor) -> Tensor:
    # At 0 sympy says 1/2.
    return (torch.sign(x) + 1) / 2


def _cbrt(x: Tensor) -> Tensor:
    # The derivative at 0 is infinite: the gradient there is 0, as at every steep end.
    tiny = x.abs() < torch.finfo(x.dtype).tiny
    safe = torch.where(tiny, 1.0, x)
    return torch.where(tiny, 0.0, torch.sign(safe) * safe.abs().pow(1 / 3))
