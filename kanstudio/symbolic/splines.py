"""Spline edges in a formula: named functions that can be evaluated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar
from weakref import WeakValueDictionary

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike

from kanstudio.network.grid import basis_matrix
from kanstudio.network.network import EdgeRef, FloatArray, Layer, Network


@dataclass(frozen=True)
class Curve:
    """``base * silu(x) + sum of coef * B-spline``: what the spline front of an edge computes.

    knots (K,) not decreasing, coef (K - degree - 1,); the edge's mask and scales are
    factored in.
    """

    knots: tuple[float, ...]
    coef: tuple[float, ...]
    base: float
    degree: int

    @property
    def domain(self) -> tuple[float, float]:
        """Where the B-splines sum to 1; outside, the spline fades to 0 and silu remains."""
        return self.knots[self.degree], self.knots[len(self.knots) - self.degree - 1]

    def values(self, x: ArrayLike) -> FloatArray:
        """The curve at numbers x, of any shape."""
        points = np.array(x, dtype=np.float64)
        flat = points.ravel()
        spline = basis_matrix(flat, np.array(self.knots), self.degree) @ np.array(self.coef)
        with np.errstate(over="ignore"):
            silu = flat / (1 + np.exp(-flat))
        total: FloatArray = (spline + self.base * silu).reshape(points.shape)
        return total


class SplineFunction(sp.Function):
    """A spline edge as a sympy function of one argument; prints by its name.

    Each edge has its own subclass, made by ``spline_function``, with the edge's curve.
    """

    nargs: ClassVar[Any] = (1,)
    curve: ClassVar[Curve]

    @classmethod
    def eval(cls, x: sp.Expr) -> sp.Expr | None:
        return sp.Float(cls._at(x)) if x.is_Number else None

    @classmethod
    def _at(cls, x: sp.Expr) -> float:
        return float(cls.curve.values(float(x)))

    def _eval_evalf(self, prec: int) -> sp.Expr | None:
        x = self.args[0].evalf(15)
        return sp.Float(self._at(x)) if x.is_Float else None

    def _eval_is_extended_real(self) -> bool | None:
        real: bool | None = self.args[0].is_extended_real
        return real


_made: WeakValueDictionary[tuple[str, Curve], type[SplineFunction]] = WeakValueDictionary()


def spline_function(name: str, curve: Curve) -> type[SplineFunction]:
    """The function of this name and curve: the same class for the same values."""
    made = _made.get((name, curve))
    if made is None:
        # _imp_ is where sympy's lambdify looks for the values of a function.
        made = type(name, (SplineFunction,), {"curve": curve, "_imp_": staticmethod(curve.values)})
        _made[name, curve] = made
    return made


@dataclass(frozen=True)
class SplineTerm:
    """A spline edge that a formula names.

    domain: (low, high) of its grid. edge: where it is now; edge_id: its name for life.
    """

    name: str
    function: type[SplineFunction]
    domain: tuple[float, float]
    edge: EdgeRef
    edge_id: str


def has_spline(layer: Layer, subnode: int, source: int) -> bool:
    """Does the spline front of an edge add anything?"""
    factors = layer.scale_base[subnode, source], layer.scale_sp[subnode, source]
    return bool(layer.spline_mask[subnode, source] != 0 and any(factors))


def spline_term(network: Network, edge: EdgeRef, name: str) -> SplineTerm:
    """The spline front of an edge under a name."""
    layer, at = network.layers[edge.layer], (edge.subnode, edge.source)
    mask = layer.spline_mask[at]
    coef = mask * layer.scale_sp[at] * layer.coef[at]
    curve = Curve(
        knots=tuple(layer.knots[edge.source].tolist()),
        coef=tuple(coef.tolist()),
        base=float(mask * layer.scale_base[at]),
        degree=network.degree,
    )
    low, high = curve.domain
    function = spline_function(name, curve)
    return SplineTerm(name, function, (low, high), edge, network.edge_id(edge))
