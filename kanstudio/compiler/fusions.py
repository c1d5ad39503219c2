"""Rewriting functions of functions: equal forms with fewer functions.

Each rule takes a core and yields forms that equal it wherever it has a real value
(Abramowitz and Stegun 1964, chapters 4.3 to 4.6).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from kanstudio import functions
from kanstudio.compiler.monomial import Exponent, monomial, power_of
from kanstudio.compiler.normal import (
    Affine,
    Apply,
    Core,
    Product,
    Sum,
    add,
    apply,
    constant,
    multiply,
)

_RECIPROCALS = {
    "cosh": "sech", "sinh": "csch", "tanh": "coth", "cos": "sec", "sin": "csc", "tan": "cot",
}  # fmt: skip
_RATIOS = {("sin", "cos"): "tan", ("cos", "sin"): "cot", ("sinh", "cosh"): "tanh"}
_FARTHEST = 1e3
"""A square or an angle is completed if that moves the argument no farther: digits are lost."""


def fused(core: Core) -> Iterator[Affine]:
    """``1/cosh(u) -> sech(u)``, ``sin(u)**2 -> (1 - cos(2u)) / 2`` and their like."""
    if not isinstance(core, Apply):
        return
    inner = core.argument.core
    found = power_of(core)
    if isinstance(inner, Apply):
        if found is not None:
            yield from _power_of_function(found[0], core.argument, inner)
        elif core.function == "exp" and inner.function == "log":
            yield _exp_of_log(core.argument, inner)
        elif core.function == "abs" and _is_even_power(inner) and core.argument.bias == 0:
            yield Affine(abs(core.argument.scale), inner, 0.0)


def _power_of_function(exponent: Exponent, argument: Affine, inner: Apply) -> Iterator[Affine]:
    scale, bias, u = argument.scale, argument.bias, inner.argument
    if inner.function == "exp" and exponent == -1 and bias != 0:
        yield from _logistic(scale, bias, u)
    if bias != 0:
        return
    if exponent == -1 and inner.function in _RECIPROCALS:
        yield multiply([constant(1 / scale), apply(_RECIPROCALS[inner.function], u)])
    elif exponent == 2 and inner.function in {"sin", "cos"}:
        sign = -1.0 if inner.function == "sin" else 1.0
        twice = apply("cos", add([(2.0, u)]))
        yield add([(scale**2 * sign / 2, twice), (scale**2 / 2, constant(1.0))])
    elif inner.function == "exp" and (isinstance(exponent, int) or scale > 0):
        power = float(exponent)
        yield multiply([constant(scale**power), apply("exp", add([(power, u)]))])
    elif exponent == 0.5 and inner.function == "x^2" and scale > 0:
        yield multiply([constant(math.sqrt(scale)), apply("abs", u)])
    elif isinstance(exponent, int) and exponent % 2 == 0 and inner.function == "abs":
        name = functions.power_name(exponent)
        yield multiply([constant(scale**exponent), apply(name, u)])


def _logistic(scale: float, bias: float, u: Affine) -> Iterator[Affine]:
    """``1 / (scale * e**u + bias)`` as one sigmoid, or as one coth."""
    shifted = add([(1.0, u), (1.0, constant(math.log(abs(scale / bias))))])
    if scale * bias > 0:
        yield multiply([constant(1 / bias), apply("sigmoid", add([(-1.0, shifted)]))])
    else:
        half = apply("coth", add([(0.5, shifted)]))
        yield add([(-0.5 / bias, half), (0.5 / bias, constant(1.0))])


def _exp_of_log(argument: Affine, inner: Apply) -> Affine:
    """``exp(p * log(u) + q) -> e**q * u**p``."""
    name = functions.power_name(argument.scale)
    return multiply([constant(math.exp(argument.bias)), apply(name, inner.argument)])


def _is_even_power(core: Apply) -> bool:
    exponent = functions.get(core.function).exponent
    return isinstance(exponent, int) and exponent % 2 == 0


def joined(core: Core) -> Iterator[Affine]:
    """``sin(u)*cos(u) -> sin(2u)/2``, ``sin(u)/cos(u) -> tan(u)``, ``e**u * e**v -> e**(u+v)``."""
    if not isinstance(core, Product):
        return
    whole = monomial(core.factors)
    pairs = [
        (base, exponent, base.core)
        for base, exponent in whole.powers.items()
        if base.shift == 0 and isinstance(base.core, Apply)
    ]
    for first, up, left in pairs:
        for second, down, right in pairs:
            if first == second or not _same(left.argument, right.argument):
                continue
            rest = whole.without({first: up, second: down})
            names, u = (left.function, right.function), left.argument
            if names == ("sin", "cos") and (up, down) == (1, 1):
                twice = apply("sin", add([(2.0, u)]))
                yield multiply([rest.affine, constant(0.5), twice])
            elif names in _RATIOS and (up, down) == (1, -1):
                yield multiply([rest.affine, apply(_RATIOS[names], u)])
    exponentials = {b: e for b, e, c in pairs if c.function == "exp"}
    if len(exponentials) > 1:
        inner = add(
            [
                (float(e), b.core.argument)
                for b, e in exponentials.items()
                if isinstance(b.core, Apply)
            ]
        )
        yield multiply([whole.without(exponentials).affine, apply("exp", inner)])


def collected(core: Core) -> Iterator[Affine]:
    """``e**u + e**-u -> 2 cosh(u)``, ``a sin(u) + b cos(u)``, ``a u**2 + b u``: one function."""
    if not isinstance(core, Sum):
        return
    terms = core.terms
    for i, (weight, left) in enumerate(terms):
        for j, (other, right) in enumerate(terms):
            merged = None if i == j else _collected(weight, left, other, right)
            if merged is not None:
                rest = [
                    (w, Affine(1.0, c, 0.0)) for k, (w, c) in enumerate(terms) if k not in (i, j)
                ]
                yield add([(1.0, merged), *rest])


def _collected(a: float, left: Core, b: float, right: Core) -> Affine | None:
    if not isinstance(left, Apply):
        return None
    u = left.argument
    if left.function == "x^2":
        return _square(a, u, b, right)
    if not isinstance(right, Apply):
        return None
    names = (left.function, right.function)
    if names == ("exp", "exp") and _opposite(u, right.argument) and abs(a) == abs(b) and a > 0:
        return multiply([constant(2 * a), apply("cosh" if b > 0 else "sinh", u)])
    if names == ("sin", "cos") and _same(u, right.argument):
        shifted = add([(1.0, u), (1.0, constant(math.atan2(b, a)))])
        return multiply([constant(math.hypot(a, b)), apply("sin", shifted)])
    return None


def _square(a: float, u: Affine, b: float, right: Core) -> Affine | None:
    """``a*u**2 + b*v`` where v is what u is an affine map of."""
    if right is not u.core:
        return None
    shift = b / (2 * a * u.scale)  # a*u**2 + (b/s)*(u - t), for u = s*v + t
    if abs(shift) > _FARTHEST or abs(u.bias) > _FARTHEST:
        return None
    square = apply("x^2", add([(1.0, u), (1.0, constant(shift))]))
    return add([(a, square), (-a * shift * (shift + 2 * u.bias), constant(1.0))])


def _same(u: Affine, v: Affine) -> bool:
    return (u.core, u.scale, u.bias) == (v.core, v.scale, v.bias)


def _opposite(u: Affine, v: Affine) -> bool:
    return (u.core, u.scale, u.bias) == (v.core, -v.scale, -v.bias)
