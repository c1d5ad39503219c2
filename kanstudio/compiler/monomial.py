"""Products as exponents: what rewriting looks at.

A base is an affine ``core + shift``; a monomial is a coefficient times powers of bases.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from kanstudio import functions
from kanstudio.compiler import exact
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


@dataclass(frozen=True, slots=True, eq=False)
class Base:
    """``core + shift``; equal if the core is the same one and the shift equal."""

    core: Core
    shift: float = 0.0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Base) and self.core is other.core and self.shift == other.shift

    def __hash__(self) -> int:
        return hash((id(self.core), self.shift))

    @property
    def affine(self) -> Affine:
        return Affine(1.0, self.core, self.shift)


Exponent = int | Fraction | float
Powers = Mapping[Base, Exponent]


@dataclass(frozen=True, slots=True)
class Monomial:
    """``coefficient * product of base ** exponent``."""

    coefficient: float
    powers: Powers

    @property
    def affine(self) -> Affine:
        """The normal form."""
        factors = [power(base, exponent) for base, exponent in self.powers.items()]
        return multiply([constant(self.coefficient), *factors])

    def without(self, powers: Powers) -> Monomial:
        return Monomial(self.coefficient, _merged([self.powers, negated(powers)]))


def negated(powers: Powers) -> Powers:
    return {base: -exponent for base, exponent in powers.items()}


def power(base: Base, exponent: Exponent) -> Affine:
    if exponent == 1:
        return base.affine
    return apply(functions.power_name(exponent), base.affine)


def power_of(core: Core) -> tuple[Exponent, Affine] | None:
    """(p, argument) where the core is ``argument ** p``."""
    if not isinstance(core, Apply):
        return None
    exponent = functions.get(core.function).exponent
    return None if exponent is None else (exponent, core.argument)


def monomial(factors: Iterable[Affine]) -> Monomial:
    """The product of affine factors, equal bases collected."""
    coefficient = 1.0
    parts: list[Powers] = []
    for factor in factors:
        if factor.core is None:
            coefficient *= factor.bias
            continue
        found = power_of(factor.core) if factor.bias == 0 else None
        if found is not None:
            exponent, inner = found
            scale = _real_power(inner.scale, exponent)
            if scale is not None and inner.core is not None:
                coefficient *= factor.scale * scale
                parts.append({Base(inner.core, exact.quotient(inner.bias, inner.scale)): exponent})
                continue
        if factor.bias == 0 and isinstance(factor.core, Product):
            inside = monomial(factor.core.factors)
            coefficient *= factor.scale * inside.coefficient
            parts.append(inside.powers)
            continue
        coefficient *= factor.scale
        parts.append({Base(factor.core, exact.quotient(factor.bias, factor.scale)): 1})
    return Monomial(coefficient, _merged(parts))


def terms_of(core: Sum) -> list[Monomial]:
    return [monomial([Affine(weight, term, 0.0)]) for weight, term in core.terms]


def total(terms: Iterable[Monomial], bias: float = 0.0) -> Affine:
    """The sum of monomials."""
    return add([*((1.0, term.affine) for term in terms), (1.0, constant(bias))])


def _merged(parts: Iterable[Powers]) -> Powers:
    result: dict[Base, Exponent] = {}
    for part in parts:
        for base, exponent in part.items():
            result[base] = result.get(base, 0) + exponent
    return {base: _tidy(exponent) for base, exponent in result.items() if exponent != 0}


def _tidy(exponent: Exponent) -> Exponent:
    return int(exponent) if exponent == int(exponent) else exponent


def _real_power(scale: float, exponent: Exponent) -> float | None:
    """``scale ** exponent`` where the same holds for all that it multiplies."""
    if scale < 0 and not isinstance(exponent, int):
        return None
    return exact.power(scale, exponent)
