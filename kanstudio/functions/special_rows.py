"""Rows for the error functions, gamma and its family, Bessel, Airy and integrals."""

from __future__ import annotations

import math
from collections.abc import Callable

import sympy as sp
import torch

from kanstudio.functions import special
from kanstudio.functions.domain import (
    ALL,
    NONZERO,
    POSITIVE,
    UNIT_OPEN,
    Domain,
    Interval,
    TensorMap,
)
from kanstudio.functions.function import Function
from kanstudio.functions.row import near_pole, row, up_to_log, within_log


def error_functions() -> list[Function]:
    return [
        row("erf", sp.erf, torch.erf),
        row("erfc", sp.erfc, torch.erfc),
        row("erfi", sp.erfi, special.erfi, complexity=4, overflow=_within_root_of_log),
        row("erfinv", sp.erfinv, torch.erfinv, domain=UNIT_OPEN, complexity=4),
    ]


def gammas() -> list[Function]:
    poles = Domain(hole="nonpositive integers")
    return [
        row(
            "gamma", sp.gamma, special.gamma, r"\Gamma",
            domain=poles, complexity=4, overflow=_gamma_limits, hole_width=near_pole,
        ),
        row(
            "loggamma", sp.loggamma, special.loggamma, r"\log\Gamma",
            domain=POSITIVE, complexity=4, aliases=("lgamma",),
            overflow=lambda largest: (0.0, largest / 1e4),
        ),
        row(
            "digamma", sp.digamma, special.digamma, r"\psi",
            domain=poles, complexity=4, aliases=("psi",), hole_width=near_pole,
        ),
    ]  # fmt: skip


def bessels() -> list[Function]:
    """Of order 0 and 1."""
    return [
        _bessel("j0", sp.besselj, special.j0, ALL),
        _bessel("j1", sp.besselj, special.j1, ALL),
        _bessel("y0", sp.bessely, special.y0, POSITIVE),
        _bessel("y1", sp.bessely, special.y1, POSITIVE, _from_near_pole),
        _bessel("i0", sp.besseli, torch.special.i0, ALL, within_log),
        _bessel("i1", sp.besseli, torch.special.i1, ALL, within_log),
        _bessel("k0", sp.besselk, special.k0, POSITIVE),
        _bessel("k1", sp.besselk, special.k1, POSITIVE, _from_near_pole),
    ]


def _bessel(
    name: str,
    head: type[sp.Function],
    raw: TensorMap,
    domain: Domain,
    overflow: Callable[[float], Interval] | None = None,
) -> Function:
    order = int(name[1])
    return row(
        name, lambda x: head(order, x), raw, f"{name[0].upper()}_{{{order}}}",
        domain=domain, complexity=4, aliases=(f"bessel{name}",), overflow=overflow,
    )  # fmt: skip


def airy() -> list[Function]:
    return [
        row(
            "airyai", sp.airyai, special.airy_ai, r"\operatorname{Ai}",
            complexity=4, overflow=lambda largest: (special.LEAST_AIRY, math.inf),
        ),
        row(
            "airybi", sp.airybi, special.airy_bi, r"\operatorname{Bi}",
            complexity=4, overflow=_airy_limits,
        ),
    ]  # fmt: skip


def integrals() -> list[Function]:
    below_one = Domain(high=1.0, high_open=True)
    return [
        row("Si", sp.Si, special.sine_integral, complexity=4),
        row("Ci", sp.Ci, special.cosine_integral, domain=POSITIVE, complexity=4),
        row(
            "Ei", sp.Ei, special.exponential_integral,
            domain=NONZERO, complexity=4, overflow=up_to_log,
        ),
        row("ellipk", sp.elliptic_k, special.elliptic_k, "K", domain=below_one, complexity=4),
        row(
            "ellipe", sp.elliptic_e, special.elliptic_e, "E",
            domain=Domain(high=1.0), complexity=4, steep=True,
        ),
    ]  # fmt: skip


def lambert() -> list[Function]:
    return [
        row(
            "lambertw", sp.LambertW, special.lambert_w, "W",
            domain=Domain(low=special.LEAST_LAMBERT), complexity=4, aliases=("LambertW",),
            steep=True,
        ),
    ]  # fmt: skip


def _from_near_pole(largest: float) -> Interval:
    return near_pole(largest), math.inf


def _airy_limits(largest: float) -> Interval:
    """Bi grows like exp(2/3 x^(3/2)); scipy knows it up to exp(700)."""
    return special.LEAST_AIRY, (1.5 * min(math.log(largest) - 5.0, 690.0)) ** (2 / 3)


def _within_root_of_log(largest: float) -> Interval:
    """Where exp(x^2) is finite, and a little more."""
    most = math.sqrt(math.log(largest) - 5.0)
    return -most, most


def _gamma_limits(largest: float) -> Interval:
    """Above, the value or the derivative overflows; far below, the value is 0."""
    high = 1.0
    while math.lgamma(high + 1) + math.log(high + 1) < math.log(largest):
        high += 1.0
    return -math.inf, high
