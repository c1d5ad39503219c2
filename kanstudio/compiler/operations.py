"""What sympy's classes mean as numpy and as torch functions."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import scipy.special
import sympy
import torch
from sympy.functions.elementary.piecewise import ExprCondPair

from kanstudio.functions import heads


def _sum(*terms: Any) -> Any:
    return functools.reduce(lambda a, b: a + b, terms)


def _product(*factors: Any) -> Any:
    return functools.reduce(lambda a, b: a * b, factors)


def _power(base: Any, exponent: Any) -> Any:
    """Real power, NaN at a pole: 1/0 is no value, though numpy calls it inf."""
    return np.where((base == 0) & (exponent < 0), np.nan, np.power(base, exponent))


def _reciprocal(x: Any) -> Any:
    return _power(x, -1.0)


def _log(x: Any) -> Any:
    return np.where(x == 0, np.nan, np.log(x))


def _arctanh(x: Any) -> Any:
    return np.where(np.abs(x) < 1, np.arctanh(x), np.nan)


def _angle(y: Any, x: Any) -> Any:
    """atan2, NaN at the origin; numpy's sign of zero means nothing here."""
    return np.where((x == 0) & (y == 0), np.nan, np.arctan2(y + 0.0, x + 0.0))


def _gamma(x: Any) -> Any:
    """Gamma, NaN at its poles."""
    return np.where((x <= 0) & (x == np.floor(x)), np.nan, scipy.special.gamma(x))


def _lambert_w(x: Any) -> Any:
    """The principal branch, NaN below -1/e."""
    value = scipy.special.lambertw(x)
    return np.where(value.imag == 0, value.real, np.nan)


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def _fraction(x: Any) -> Any:
    return x - np.floor(x)


def _digamma(order: Any, x: Any) -> Any:
    value = scipy.special.polygamma(int(order), x)
    return np.where((x <= 0) & (x == np.floor(x)), np.nan, value)


def _piecewise(*pairs: Any) -> Any:
    """The value of the first pair whose condition holds; NaN where none does."""
    shape = np.broadcast_shapes(*(np.shape(part) for pair in pairs for part in pair))
    result = np.full(shape, np.nan)
    for value, condition in reversed(pairs):
        result = np.where(condition, value, result)
    return result


NUMPY_OPERATIONS: Mapping[type, Callable[..., Any]] = {
    sympy.Add: _sum,
    sympy.Mul: _product,
    sympy.Pow: _power,
    # Values are real: sympy writes |exp(x)| as exp(re(x)) when it can't know.
    sympy.re: lambda x: x,
    sympy.im: lambda x: 0.0 * x,
    sympy.conjugate: lambda x: x,
    sympy.exp: np.exp,
    sympy.log: _log,
    sympy.Abs: np.abs,
    sympy.sign: np.sign,
    sympy.sin: np.sin,
    sympy.cos: np.cos,
    sympy.tan: np.tan,
    sympy.cot: lambda x: _reciprocal(np.tan(x)),
    sympy.sec: lambda x: _reciprocal(np.cos(x)),
    sympy.csc: lambda x: _reciprocal(np.sin(x)),
    sympy.asin: np.arcsin,
    sympy.acos: np.arccos,
    sympy.atan: np.arctan,
    sympy.acot: lambda x: np.where(x == 0, np.pi / 2, np.arctan(_reciprocal(x))),
    sympy.asec: lambda x: np.arccos(_reciprocal(x)),
    sympy.acsc: lambda x: np.arcsin(_reciprocal(x)),
    sympy.atan2: _angle,
    sympy.sinh: np.sinh,
    sympy.cosh: np.cosh,
    sympy.tanh: np.tanh,
    sympy.coth: lambda x: _reciprocal(np.tanh(x)),
    sympy.sech: lambda x: _reciprocal(np.cosh(x)),
    sympy.csch: lambda x: _reciprocal(np.sinh(x)),
    sympy.asinh: np.arcsinh,
    sympy.acosh: np.arccosh,
    sympy.atanh: _arctanh,
    sympy.acoth: lambda x: _arctanh(_reciprocal(x)),
    sympy.asech: lambda x: np.arccosh(_reciprocal(x)),
    sympy.acsch: lambda x: np.arcsinh(_reciprocal(x)),
    sympy.sinc: lambda x: np.sinc(x / np.pi),
    sympy.erf: scipy.special.erf,
    sympy.erfc: scipy.special.erfc,
    sympy.erfi: scipy.special.erfi,
    sympy.gamma: _gamma,
    sympy.factorial: lambda x: _gamma(x + 1),
    sympy.loggamma: lambda x: np.where(x > 0, scipy.special.gammaln(x), np.nan),
    sympy.LambertW: _lambert_w,
    sympy.floor: np.floor,
    sympy.ceiling: np.ceil,
    sympy.frac: _fraction,
    sympy.Heaviside: np.heaviside,
    sympy.erfinv: lambda x: np.where(np.abs(x) < 1, scipy.special.erfinv(x), np.nan),
    sympy.erfcinv: lambda x: np.where((x > 0) & (x < 2), scipy.special.erfcinv(x), np.nan),
    sympy.erf2: lambda x, y: scipy.special.erf(y) - scipy.special.erf(x),
    sympy.binomial: scipy.special.binom,
    sympy.beta: scipy.special.beta,
    sympy.RisingFactorial: scipy.special.poch,
    sympy.FallingFactorial: lambda x, k: scipy.special.poch(x - k + 1, k),
    sympy.arg: lambda x: np.where(x == 0, np.nan, np.where(x < 0, np.pi, 0.0)),
    sympy.UnevaluatedExpr: lambda x: x,
    sympy.polygamma: _digamma,
    sympy.besselj: scipy.special.jv,
    sympy.bessely: lambda order, x: np.where(x > 0, scipy.special.yv(order, x), np.nan),
    sympy.besseli: scipy.special.iv,
    sympy.besselk: lambda order, x: np.where(x > 0, scipy.special.kv(order, x), np.nan),
    # Beyond 200 scipy has no value; there Ai is 0 in float64.
    sympy.airyai: lambda x: scipy.special.airy(np.minimum(x, 200.0))[0],
    sympy.airybi: lambda x: scipy.special.airy(x)[2],
    sympy.Si: lambda x: scipy.special.sici(x)[0],
    sympy.Ci: lambda x: np.where(x > 0, scipy.special.sici(x)[1], np.nan),
    sympy.Ei: lambda x: np.where(x == 0, np.nan, scipy.special.expi(x)),
    sympy.elliptic_k: lambda m: np.where(m < 1, scipy.special.ellipk(m), np.nan),
    sympy.elliptic_e: scipy.special.ellipe,
    heads.sigmoid: _sigmoid,
    heads.softplus: lambda x: np.logaddexp(x, 0.0),
    heads.silu: lambda x: x * _sigmoid(x),
    heads.relu: lambda x: np.maximum(x, 0.0),
    heads.gaussian: lambda x: np.exp(-(x * x)),
    heads.cbrt: np.cbrt,
    sympy.Max: lambda *x: functools.reduce(np.maximum, x),
    sympy.Min: lambda *x: functools.reduce(np.minimum, x),
    sympy.Mod: np.mod,
    sympy.Piecewise: _piecewise,
    ExprCondPair: lambda value, condition: (value, condition),
    sympy.And: lambda *x: functools.reduce(np.logical_and, x),
    sympy.Or: lambda *x: functools.reduce(np.logical_or, x),
    sympy.Not: np.logical_not,
    sympy.Xor: lambda *x: functools.reduce(np.logical_xor, x),
    sympy.Implies: lambda a, b: np.logical_or(np.logical_not(a), b),
    sympy.Equivalent: lambda *x: functools.reduce(lambda a, b: a & b, [y == x[0] for y in x]),
    sympy.ITE: np.where,
    sympy.Lt: np.less,
    sympy.Le: np.less_equal,
    sympy.Gt: np.greater,
    sympy.Ge: np.greater_equal,
    sympy.Eq: np.equal,
    sympy.Ne: np.not_equal,
}
"""Functions of numpy arrays, in float64; NaN outside the domain."""


TORCH_OPERATIONS: Mapping[type, Callable[..., Any]] = {
    sympy.Add: _sum,
    sympy.Mul: _product,
    sympy.Pow: torch.pow,
    sympy.re: lambda x: x,
    sympy.im: lambda x: 0.0 * x,
    sympy.conjugate: lambda x: x,
    sympy.exp: torch.exp,
    sympy.log: torch.log,
    sympy.Abs: torch.abs,
    sympy.sign: torch.sign,
    sympy.sin: torch.sin,
    sympy.cos: torch.cos,
    sympy.tan: torch.tan,
    sympy.asin: torch.asin,
    sympy.acos: torch.acos,
    sympy.atan: torch.atan,
    sympy.sinh: torch.sinh,
    sympy.cosh: torch.cosh,
    sympy.tanh: torch.tanh,
    sympy.asinh: torch.asinh,
    sympy.acosh: torch.acosh,
    sympy.atanh: torch.atanh,
    sympy.erf: torch.erf,
}
"""Functions of tensors, differentiable; NaN outside the domain."""
