"""Rewriting by addition theorems: products and quotients that are functions of a sum.

Each rule takes a core and bounds, and yields forms that equal the core wherever it has a real
value within the bounds (Abramowitz and Stegun 1964, chapters 4.3 to 4.6).
"""

from __future__ import annotations

from collections.abc import Iterator

from kanstudio.compiler import exact
from kanstudio.compiler.bounds import Bounds
from kanstudio.compiler.monomial import (
    Base,
    Exponent,
    Monomial,
    Powers,
    monomial,
    power_of,
    terms_of,
    total,
)
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
from kanstudio.functions import power_name


def balanced(core: Core, bounds: Bounds) -> Iterator[Affine]:
    """``c*(t + 1/t) -> 2*c*cosh(log(t))`` for products t of what is positive.

    In a product with powers of t, these become exponentials of the same logarithm.
    """
    if isinstance(core, Sum):
        for made, _, _ in _balanced(core, bounds):
            yield made
    elif isinstance(core, Product):
        whole = monomial(core.factors)
        for base, exponent in whole.powers.items():
            if not isinstance(base.core, Sum) or exponent != 1:
                continue
            for made, t, logarithm in _balanced(base.core, bounds):
                rest = whole.without({base: 1})
                share = _share(rest.powers, t)
                if share:
                    left = rest.without({b: e * share for b, e in t.items()})
                    grown = apply("exp", add([(float(share), logarithm)]))
                    inner = add([(1.0, made), (1.0, constant(base.shift))])
                    yield multiply([left.affine, grown, inner])


def _balanced(core: Sum, bounds: Bounds) -> Iterator[tuple[Affine, Powers, Affine]]:
    """The sum with two of its terms as one cosh, what t is, and its logarithm."""
    terms = terms_of(core)
    for i, one in enumerate(terms):
        for j, other in enumerate(terms[:i]):
            inverse = {b: -e for b, e in other.powers.items()}
            if one.coefficient != other.coefficient or one.powers != inverse:
                continue
            if not all(bounds.are_positive(base.affine) for base in one.powers):
                continue
            parts = [(float(e), apply("log", b.affine)) for b, e in one.powers.items()]
            logarithm = add(parts)
            both = multiply([constant(2 * one.coefficient), apply("cosh", logarithm)])
            rest = [term for k, term in enumerate(terms) if k not in (i, j)]
            yield add([(1.0, both), (1.0, total(rest))]), one.powers, logarithm


def _share(powers: Powers, t: Powers) -> int:
    """How many times the powers have t as a factor; 0 if not a whole number of times."""
    shares = {float(powers.get(base, 0)) / float(e) for base, e in t.items()}
    only = shares.pop()
    return int(only) if not shares and only == int(only) else 0


def parted(core: Core, bounds: Bounds) -> Iterator[Affine]:
    """``(b - t**2)**p -> (sqrt(b) - t)**p * (sqrt(b) + t)**p``; both are positive for a root."""
    if not isinstance(core, Product | Apply):
        return
    whole = monomial([Affine(1.0, core, 0.0)])
    for base, e in whole.powers.items():
        found = power_of(base.core) if e == 1 and base.shift == 0 else None
        exponent, inside = found or (e, base.affine)
        root = _root(inside)
        if exponent == 1 or root is None:
            continue
        size = exact.power(inside.bias, 0.5)
        sides = [add([(sign, root), (1.0, constant(size))]) for sign in (1.0, -1.0)]
        if isinstance(exponent, int) or all(map(bounds.are_positive, sides)):
            name = power_name(exponent)
            rest = whole.without({base: e}).affine
            yield multiply([rest, *(apply(name, side) for side in sides)])


def _root(inside: Affine) -> Affine | None:
    """t of ``b - t**2`` for a product t."""
    if not (inside.bias > 0 > inside.scale and isinstance(inside.core, Product)):
        return None
    square = monomial([Affine(-inside.scale, inside.core, 0.0)])
    halves: dict[Base, Exponent] = {
        b: e // 2 for b, e in square.powers.items() if isinstance(e, int) and e % 2 == 0
    }
    if not square.coefficient > 0 or len(halves) < len(square.powers):
        return None
    return Monomial(exact.power(square.coefficient, 0.5), halves).affine


def gathered(core: Core) -> Iterator[Affine]:
    """``s**p * s**q -> s**(p + q)``."""
    if isinstance(core, Product):
        whole = monomial(core.factors)
        if len(whole.powers) < len(core.factors):
            yield whole.affine
