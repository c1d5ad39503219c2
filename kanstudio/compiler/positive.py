"""Rewriting where signs are known: of inputs by their ranges, of others by what they are.

Each rule takes a core and bounds, and yields forms that equal the core wherever it has a real
value within the bounds. None has a pole where the core has a value: ``a/s -> 1/(s/a)`` is
yielded only where a keeps away from 0, or where value and slope are 0 at a = 0 as they should
be (``a**2 / s**2 -> (s/a)**-2``; the reciprocal of 0 is 0 in a network).
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from kanstudio.compiler import exact
from kanstudio.compiler.bounds import Bounds
from kanstudio.compiler.fusions import RECIPROCALS
from kanstudio.compiler.monomial import (
    Base,
    Exponent,
    Monomial,
    Powers,
    monomial,
    power,
    power_of,
)
from kanstudio.compiler.normal import (
    Affine,
    Apply,
    Core,
    Product,
    Sum,
    Variable,
    add,
    apply,
    constant,
    edge_height,
    multiply,
)
from kanstudio.functions import power_name

_LONGEST = 6
_MOST_COPIES = 4


def taken_in(core: Core, bounds: Bounds) -> Iterator[Affine]:
    """``a * s**p -> (a**(1/p) * s)**p``: one edge for what else waits beside s for a level."""
    if not isinstance(core, Product | Apply):
        return
    whole = monomial([Affine(1.0, core, 0.0)])
    for base, e in whole.powers.items():
        found = power_of(base.core) if e == 1 and base.shift == 0 else None
        exponent, inside = found or (e, base.affine)
        if exponent == 1 or isinstance(inside.core, Variable):
            continue
        for pulled, inner in _insides(inside, exponent, bounds):
            outer = Monomial(1.0, {b: e * exponent for b, e in pulled.items()})
            rest = monomial([whole.without({base: e}).affine, outer.affine])
            yield from _taken(rest, inner, exponent, bounds)


def _insides(inside: Affine, outer: Exponent, bounds: Bounds) -> Iterator[tuple[Powers, Affine]]:
    """What a power is of, as a product of powers of inputs and something else; several ways."""
    yield {}, inside
    parts = _parts(inside)
    for part in parts:
        pulled = {b: e for b, e in part.powers.items() if isinstance(b.core, Variable)}
        for chosen in [{b: e} for b, e in pulled.items()] + ([pulled] if len(pulled) > 1 else []):
            if all(_may_leave(b, e, outer, bounds) for b, e in chosen.items()):
                yield chosen, add([(1.0, part.without(chosen).affine) for part in parts])


def _may_leave(base: Base, e: Exponent, outer: Exponent, bounds: Bounds) -> bool:
    """Is ``(base**e * s)**outer`` equal to ``base**(e * outer) * s**outer``, without a new pole?"""
    if not isinstance(outer, int) and e * outer % 2 != 0 and not bounds.are_positive(base.affine):
        return False
    return e < 0 or bounds.are_nonzero(base.affine, inside=True)


def _parts(value: Affine) -> list[Monomial]:
    """A sum as monomials."""
    core = value.core
    terms = core.terms if isinstance(core, Sum) else ((1.0, core),)
    parts = [monomial([Affine(value.scale * weight, term, 0.0)]) for weight, term in terms]
    if value.bias:
        parts.append(Monomial(value.bias, {}))
    return parts if 1 < len(parts) <= _LONGEST else []


def _taken(rest: Monomial, inner: Affine, exponent: Exponent, bounds: Bounds) -> Iterator[Affine]:
    chosen: dict[Base, Exponent] = {}
    for base, e in rest.powers.items():
        root = _over(e, exponent)
        if root is not None and _may_go(base, e, exponent, root, bounds):
            chosen[base] = root
    if not chosen:
        return
    name = power_name(exponent)
    left = rest.without({b: rest.powers[b] for b in chosen}).affine
    yield multiply([left, apply(name, multiply([Monomial(1.0, chosen).affine, inner]))])


def _over(e: Exponent, exponent: Exponent) -> Exponent | None:
    if isinstance(e, float) or isinstance(exponent, float):
        return None
    found = Fraction(e) / Fraction(exponent)
    return int(found) if found.denominator == 1 else found


def _may_go(base: Base, e: Exponent, outer: Exponent, root: Exponent, bounds: Bounds) -> bool:
    """Is ``(base ** root * s) ** outer`` equal to ``base ** e * s ** outer``?"""
    if not _is_near(base.core):
        return False
    whole = all(isinstance(number, int) for number in (e, root, outer))
    # A power that is no whole one is of something positive, and so is all that it is taken of.
    even = e % 2 == 0 == root % 2
    known = whole or even or not isinstance(e, int) or bounds.are_positive(base.affine)
    # Above the first power value and slope are 0 at 0, in a network with a pole there too.
    return known and (not e > 0 > root or e > 1 or bounds.are_nonzero(base.affine, inside=True))


def _is_near(core: Core) -> bool:
    """Is the core an input, or one edge from an input?"""
    return isinstance(core, Variable) or (isinstance(core, Apply) and edge_height(core) == 0)


def shared_out(core: Core, bounds: Bounds) -> Iterator[Affine]:
    """``a * (s**p + t) -> (a**(1/p) * s)**p + a*t``."""
    if not isinstance(core, Product):
        return
    whole = monomial(core.factors)
    for base, exponent in whole.powers.items():
        if not isinstance(base.core, Sum) or exponent != 1 or len(base.core.terms) > _LONGEST:
            continue
        rest = whole.without({base: 1}).affine
        parts = [multiply([rest, term.affine]) for term in _parts(base.affine)]
        best = [min(_all_in(part, bounds), key=_n_factors) for part in parts]
        if any(new is not old for new, old in zip(best, parts, strict=True)):
            yield add([(1.0, part) for part in best])


def _all_in(part: Affine, bounds: Bounds) -> list[Affine]:
    if part.core is None or part.bias:
        return [part]
    return [part, *(add([(part.scale, made)]) for made in taken_in(part.core, bounds))]


def _n_factors(value: Affine) -> int:
    return len(value.core.factors) if isinstance(value.core, Product) else 1


def split(core: Core, bounds: Bounds) -> Iterator[Affine]:
    """``sqrt(x*y) -> sqrt(x) * sqrt(y)``, ``log(x*y) -> log(x) + log(y)`` for positive x."""
    if not isinstance(core, Apply) or core.argument.core is None:
        return
    whole = monomial([core.argument])
    found = power_of(core)
    is_power = found is not None and not isinstance(found[0], int)
    if (core.function != "log" and not is_power) or core.argument.bias != 0:
        return
    taken = {b: e for b, e in whole.powers.items() if bounds.are_positive(b.affine)}
    rest = whole.without(taken)
    if not taken or (not rest.powers and rest.coefficient <= 0) or taken == {}:
        return
    if found is not None:
        outer = [power(b, _times(e, found[0])) for b, e in taken.items()]
        yield multiply([*outer, apply(core.function, rest.affine)])
    elif len(whole.powers) > 1 or next(iter(taken.values())) != 1:
        parts = [(float(e), apply("log", b.affine)) for b, e in taken.items()]
        yield add([*parts, (1.0, _log(rest))])


def _log(rest: Monomial) -> Affine:
    return apply("log", rest.affine) if rest.powers else constant(exact.log(rest.coefficient))


def _times(one: Exponent, other: Exponent) -> Exponent:
    found = Fraction(one) * Fraction(other)
    return int(found) if found.denominator == 1 else found


def opened(core: Core, bounds: Bounds) -> Iterator[Affine]:
    """``a * (1 + f*g) -> a * f * (g + 1/f)``: no product of its own, if f is never 0."""
    if not isinstance(core, Product):
        return
    whole = monomial(core.factors)
    for base, exponent in whole.powers.items():
        if not isinstance(base.core, Product) or base.shift == 0:
            continue
        part = monomial([Affine(1.0, base.core, 0.0)])
        for factor, e in part.powers.items():
            if bounds.are_nonzero(factor.affine) and isinstance(exponent, int):
                taken = {factor: e}
                inner = add([
                    (1.0, part.without(taken).affine),
                    (base.shift, Monomial(1.0, {factor: -e}).affine),
                ])  # fmt: skip
                outer = Monomial(1.0, {factor: e * exponent})
                rest = whole.without({base: exponent})
                yield multiply([rest.affine, outer.affine, apply(power_name(exponent), inner)])


def spread(core: Core) -> Iterator[Affine]:
    """``f(u)**2 -> f(u) * f(u)`` in a product: two edges from u, and no node between."""
    if not isinstance(core, Product):
        return
    whole = monomial(core.factors)
    for base, exponent in whole.powers.items():
        if not isinstance(exponent, int) or not 2 <= abs(exponent) <= _MOST_COPIES:
            continue
        if isinstance(base.core, Apply) and base.shift == 0:
            rest = whole.without({base: exponent}).affine
            for once in _once(base, exponent):
                yield multiply([rest, *[once] * abs(exponent)])


def _once(base: Base, exponent: int) -> Iterator[Affine]:
    assert isinstance(base.core, Apply)
    if exponent > 0:
        yield base.affine
    elif base.core.function in RECIPROCALS:
        yield apply(RECIPROCALS[base.core.function], base.core.argument)


def sampled(core: Core) -> Iterator[Affine]:
    """``sin(u) / u -> sinc(u)``, if u is a product; powers of both too."""
    if not isinstance(core, Product):
        return
    whole = monomial(core.factors)
    for base, exponent in whole.powers.items():
        if not (isinstance(base.core, Apply) and base.core.function == "sin" and base.shift == 0):
            continue
        u = base.core.argument
        if u.bias != 0 or not isinstance(exponent, int) or not 0 < exponent <= _MOST_COPIES:
            continue
        inner = monomial([u])
        if not any(float(whole.powers.get(b, 0)) * float(e) < 0 for b, e in inner.powers.items()):
            continue
        grown = Monomial(
            exact.power(inner.coefficient, exponent),
            {b: e * exponent for b, e in inner.powers.items()},
        )
        rest = monomial([whole.without({base: exponent}).affine, grown.affine])
        sinc = apply("sinc", u)
        yield multiply([rest.affine, *[sinc] * exponent])
        yield multiply([rest.affine, apply(power_name(exponent), sinc)])


def doubled(core: Core, bounds: Bounds) -> Iterator[Affine]:
    """``sin(u)**2 -> (1 - cos(2*u)) / 2``, ``1/(e**u - 1) -> (coth(u/2) - 1) / 2``.

    One function instead of two. Where the value is nearly 0 its last digits are lost, so it is
    done where all ranges are known, and the numbers on them are compared.
    """
    found = power_of(core)
    if not bounds.are_known or found is None or not isinstance(core, Apply):
        return
    exponent, argument = found
    inner = argument.core
    if not isinstance(inner, Apply) or not isinstance(exponent, int) or abs(exponent) > 2:
        return
    u = inner.argument
    if exponent == 2 and argument.bias == 0 and inner.function in ("sin", "cos"):
        sign = -1.0 if inner.function == "sin" else 1.0
        cosine = apply("cos", add([(2.0, u)]))
        half = exact.quotient(exact.power(argument.scale, 2), 2.0)
        yield multiply([constant(half), add([(sign, cosine), (1.0, constant(1.0))])])
    if exponent == -1 and inner.function == "exp" and argument.scale * argument.bias < 0:
        shift = constant(exact.log(exact.quotient(-argument.scale, argument.bias)))
        half_u = add([(0.5, u), (0.5, shift)])
        size = constant(exact.quotient(-0.5, argument.bias))
        yield multiply([size, add([(1.0, apply("coth", half_u)), (1.0, constant(-1.0))])])
        yield multiply([size, apply("csch", half_u), apply("exp", add([(-1.0, half_u)]))])
