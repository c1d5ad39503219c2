"""Special functions with all their derivatives; values from scipy, in float64.

Derivatives: the NIST Digital Library of Mathematical Functions, chapters 4 to 10 and 19.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from scipy import special
from torch import Tensor

from kanstudio.functions.domain import TensorMap
from kanstudio.functions.rule import in_numpy, with_slope

LEAST_AIRY = -1e5
"""Below, scipy has no value; the phase, 2/3 |x|^(3/2), is rounded there to 1e-9."""
# -1/e, where LambertW branches, as a sum of two float64.
_BRANCH = -0.36787944117144233
_BRANCH_REST = 1.2428753672788364e-17


def _known(name: str, slope: TensorMap) -> TensorMap:
    return with_slope(in_numpy(getattr(special, name)), slope)


def _over_x(function: TensorMap, limit: float) -> TensorMap:
    """function(x)/x, with its limit at 0."""

    def quotient(x: Tensor) -> Tensor:
        small = x.abs() < torch.finfo(x.dtype).eps
        return torch.where(small, limit, function(x) / torch.where(small, 1.0, x))

    return quotient


# Gamma and its family.


def _digamma_value(x: Any) -> Any:
    """scipy's, but by reflection with the exact distance to the nearest pole below 0."""
    negative = x < 0
    distance = np.where(negative, x - np.round(x), 0.25)
    reflected = special.digamma(np.where(negative, 1 - x, 1.0)) - np.pi / np.tan(np.pi * distance)
    return np.where(negative, reflected, special.digamma(x))


@lru_cache(maxsize=16)
def polygamma(order: int) -> TensorMap:
    """The derivative of digamma of an order, 0 for digamma itself."""

    def value(x: Any) -> Any:
        return _digamma_value(x) if order == 0 else special.polygamma(order, x)

    def slope(x: Tensor) -> Tensor:
        return polygamma(order + 1)(x)

    return with_slope(in_numpy(value), slope)


digamma = polygamma(0)
loggamma = with_slope(torch.lgamma, digamma)
gamma: TensorMap = _known("gamma", lambda x: gamma(x) * digamma(x))

# Bessel functions.

j0: TensorMap = _known("j0", lambda x: -j1(x))
j1: TensorMap = _known("j1", lambda x: j0(x) - _over_x(j1, 0.5)(x))
y0: TensorMap = _known("y0", lambda x: -y1(x))
y1: TensorMap = _known("y1", lambda x: y0(x) - y1(x) / x)
k0: TensorMap = _known("k0", lambda x: -k1(x))
k1: TensorMap = _known("k1", lambda x: -k0(x) - k1(x) / x)


@lru_cache(maxsize=4)
def _airy(which: int) -> TensorMap:
    """Ai, Ai', Bi and Bi' for 0 to 3; Ai'' = x Ai."""

    def value(x: Any) -> Any:
        # Beyond 200 scipy has no value either; there Ai is 0 in float64.
        return special.airy(np.clip(x, LEAST_AIRY, 200.0))[which]

    def slope(x: Tensor) -> Tensor:
        return x * _airy(which - 1)(x) if which % 2 else _airy(which + 1)(x)

    return with_slope(in_numpy(value), slope)


airy_ai, airy_bi = _airy(0), _airy(2)

# Integrals.


def erfi_slope(x: Tensor) -> Tensor:
    return 2 / math.sqrt(math.pi) * torch.exp(x * x)


erfi = _known("erfi", erfi_slope)


def sinc(x: Tensor) -> Tensor:
    """sin(x)/x, by its series near 0, where the quotient's derivative cancels."""
    small = x.abs() < 1e-2  # The next term of the series is below 1e-20
    near = torch.where(small, x, 0.0)
    away = torch.where(small, 1.0, x)
    square = near * near
    series = 1 - square / 6 * (1 - square / 20 * (1 - square / 42 * (1 - square / 72)))
    return torch.where(small, series, torch.sin(away) / away)


sine_integral = with_slope(in_numpy(lambda x: special.sici(x)[0]), sinc)
cosine_integral = with_slope(in_numpy(lambda x: special.sici(x)[1]), lambda x: torch.cos(x) / x)
exponential_integral = _known("expi", lambda x: torch.exp(x) / x)


def _elliptic_d_slope(m: Tensor) -> Tensor:
    """Of D = (K - E) / m; by its series near 0, where the quotient cancels."""
    small = m.abs() < 1e-4
    away = torch.where(small, 0.5, m)
    series = math.pi / 2 * (3 / 16 + m * (15 / 64 + m * (525 / 2048)))
    d = _elliptic_d(away)
    quotient = (elliptic_k(away) - 2 * d + away * d) / (2 * away * (1 - away))
    return torch.where(small, series, quotient)


_elliptic_d = with_slope(
    in_numpy(lambda m: special.elliprd(0.0, 1 - m, 1.0) / 3), _elliptic_d_slope
)
elliptic_k: TensorMap = _known("ellipk", lambda m: (elliptic_k(m) - _elliptic_d(m)) / (2 * (1 - m)))
elliptic_e = _known("ellipe", lambda m: -_elliptic_d(m) / 2)

# Lambert's W.


# Of the series in p = sqrt(2 (e x + 1)): Corless et al. (1996), On the Lambert W function.
_AT_BRANCH = (
    -1, 1, -1 / 3, 11 / 72, -43 / 540, 769 / 17280, -221 / 8505, 680863 / 43545600,
    -1963 / 204120, 226287557 / 37623398400,
)  # fmt: skip


def _lambert_w_value(x: Any, added: float = 0.0) -> Any:
    """The principal branch plus 0 or 1; by its series where scipy cancels."""
    square = 2 * np.e * ((x - _BRANCH) - _BRANCH_REST)
    series = (_AT_BRANCH[0] + added, *_AT_BRANCH[1:])
    near = np.polynomial.polynomial.polyval(np.sqrt(np.clip(square, 0.0, 1e-3)), series)
    far = special.lambertw(np.where(square < 1e-3, 1.0, x)).real + added
    return np.where(square < 1e-3, near, far)


def _lambert_w_slope(x: Tensor) -> Tensor:
    above = _lambert_w_above(x)
    return torch.exp(1 - above) / above


_lambert_w_above = with_slope(in_numpy(lambda x: _lambert_w_value(x, 1.0)), _lambert_w_slope)
lambert_w = with_slope(in_numpy(_lambert_w_value), _lambert_w_slope)
LEAST_LAMBERT = math.nextafter(_BRANCH, 0.0)
