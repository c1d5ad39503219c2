"""Rewriting sums and products: equal forms that may need fewer edges.

Each rule takes a core and yields forms that equal it wherever it has a real value. They
are algebra of sums, products and integer powers; nothing needs a sign to be known.
"""

from __future__ import annotations

from collections.abc import Iterator

from kanstudio.compiler import exact
from kanstudio.compiler.monomial import (
    Base,
    Exponent,
    Monomial,
    Powers,
    monomial,
    terms_of,
    total,
)
from kanstudio.compiler.normal import (
    Affine,
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
"""Terms that a distributed product may have."""
_FARTHEST = 1e6
"""Shifts up to here may be taken out of a quotient: beyond, too many digits are lost."""
_NEAREST = 0.01


def factored(core: Core) -> Iterator[Affine]:
    """``a*b + a*c -> a*(b + c)``, for each thing that several terms have in common."""
    if not isinstance(core, Sum):
        return
    terms = terms_of(core)
    for base in {base: None for term in terms for base in term.powers}:
        having = [term for term in terms if base in term.powers]
        if len(having) < 2:
            continue
        others = [term for term in terms if base not in term.powers]
        exponents = [term.powers[base] for term in having]
        ends = {min(exponents, key=float): None, max(exponents, key=float): None}
        if min(exponents, key=float) > 0:
            ends = {min(exponents, key=float): None}
        for exponent in ends:
            yield _pulled({base: exponent}, having, others)
        common = _common(having)
        if len(common) > 1:
            yield _pulled(common, having, others)


def _pulled(common: Powers, having: list[Monomial], others: list[Monomial]) -> Affine:
    inner = total(term.without(common) for term in having)
    outer = multiply([Monomial(1.0, common).affine, inner])
    return add([(1.0, outer), (1.0, total(others))])


def _common(terms: list[Monomial]) -> Powers:
    """What all terms have: the exponent nearest to 0 where all have one sign."""
    result: dict[Base, Exponent] = {}
    for base in terms[0].powers:
        exponents = [term.powers.get(base, 0) for term in terms]
        if all(exponent > 0 for exponent in exponents):
            result[base] = min(exponents, key=float)
        elif all(exponent < 0 for exponent in exponents):
            result[base] = max(exponents, key=float)
    return result


def distributed(core: Core) -> Iterator[Affine]:
    """``a*(b + c) -> a*b + a*c``, for each factor that is a sum."""
    if not isinstance(core, Product):
        return
    for index, factor in enumerate(core.factors):
        if isinstance(factor.core, Sum) or factor.bias != 0:
            others = [other for i, other in enumerate(core.factors) if i != index]
            rest = monomial(others)
            expanded = _expanded(rest, factor)
            if expanded is not None:
                yield expanded
            if isinstance(factor.core, Sum):
                yield from _half_expanded(rest, factor, factor.core)


def _expanded(rest: Monomial, factor: Affine) -> Affine | None:
    core = factor.core
    assert core is not None
    inner = terms_of(core) if isinstance(core, Sum) else [monomial([Affine(1.0, core, 0.0)])]
    if len(inner) > _LONGEST:
        return None
    terms = [
        monomial([rest.affine, Affine(factor.scale, None, factor.scale), term.affine])
        for term in inner
    ]
    if factor.bias:
        terms.append(Monomial(rest.coefficient * factor.bias, rest.powers))
    return total(terms)


def _half_expanded(rest: Monomial, factor: Affine, core: Sum) -> Iterator[Affine]:
    """``a*(b + c + d*e) -> a*(b + c) + a*d*e``: what is an edge each stays together."""
    near = [(w, term) for w, term in core.terms if edge_height(term) == 0]
    far = [(w, term) for w, term in core.terms if edge_height(term) > 0]
    if not far or len(near) < 2 or len(far) > _LONGEST:
        return
    kept = add([
        *((factor.scale * w, Affine(1.0, term, 0.0)) for w, term in near),
        (1.0, constant(factor.bias)),
    ])  # fmt: skip
    parts = [monomial([rest.affine, Affine(factor.scale * w, term, 0.0)]) for w, term in far]
    yield add([(1.0, multiply([rest.affine, kept])), (1.0, total(parts))])


def absorbed(core: Core) -> Iterator[Affine]:
    """``a**n * s**n -> (a*s)**n`` for inputs a and a sum s, and then ``a*s`` written out.

    Only for exponents of one sign: ``a/s -> 1/(s/a)`` would be equal too, but with a pole
    at a = 0 that the formula does not have.
    """
    if not isinstance(core, Product):
        return
    whole = monomial(core.factors)
    for base, exponent in whole.powers.items():
        if isinstance(base.core, Variable) or not isinstance(exponent, int) or exponent == 1:
            continue
        chosen = {
            other: int(e) // exponent
            for other, e in whole.powers.items()
            if isinstance(other.core, Variable)
            and isinstance(e, int)
            and e % exponent == 0
            and e * exponent > 0
        }
        if not chosen:
            continue
        taken = {base: exponent} | {b: e * exponent for b, e in chosen.items()}
        left, inner = whole.without(taken).affine, Monomial(1.0, chosen)
        name = power_name(exponent)
        yield multiply([left, apply(name, multiply([inner.affine, base.affine]))])
        expanded = _expanded(inner, base.affine)
        if expanded is not None:
            yield multiply([left, apply(name, expanded)])


def divided(core: Core, lifted: bool) -> Iterator[Affine]:
    """``(x + p) / (x + q) -> 1 + (p - q) / (x + q)``; x may be a product.

    lifted: a constant is added to the core wherever it is used. Without, p = 0 is left
    alone: near x = 0 the difference would have no digits.
    """
    if not isinstance(core, Product):
        return
    whole = monomial(core.factors)
    for bottom, down in whole.powers.items():
        if down != -1 or not 0 < abs(bottom.shift) < _FARTHEST:
            continue
        fraction = apply("1/x", bottom.affine)
        for top, up in whole.powers.items():
            near = lifted or abs(top.shift) > _NEAREST * abs(bottom.shift)
            if top.core is bottom.core and up == 1 and near:
                quotient = add([(top.shift - bottom.shift, fraction), (1.0, constant(1.0))])
                yield multiply([whole.without({top: 1, bottom: -1}).affine, quotient])
        if lifted and isinstance(bottom.core, Product):
            below = monomial(bottom.core.factors)
            if _contains(whole.powers, below.powers):
                # The product itself is core / coefficient of what the factors give.
                quotient = add([(-bottom.shift, fraction), (1.0, constant(1.0))])
                rest = whole.without({**below.powers, bottom: -1})
                yield multiply(
                    [constant(exact.quotient(1, below.coefficient)), rest.affine, quotient]
                )


def _contains(powers: Powers, part: Powers) -> bool:
    """Does the monomial have the part as a factor, with exponents of the same signs?"""
    return all(
        base in powers
        and float(powers[base]) * float(exponent) > 0
        and abs(float(powers[base])) >= abs(float(exponent))
        for base, exponent in part.items()
    )


def powered(core: Core, products: list[Product]) -> Iterator[Affine]:
    """``v**2 / c**2 -> (v/c)**2`` where v/c is there anyway.

    Not ``v -> sqrt(v)**2``, which has no value for negative v.
    """
    if not isinstance(core, Product):
        return
    whole = monomial(core.factors)
    for other in products:
        root = monomial(other.factors)
        if other is core or root.powers.keys() != whole.powers.keys() or not root.powers:
            continue
        if any(
            isinstance(e, int) > isinstance(root.powers[b], int) for b, e in whole.powers.items()
        ):
            continue
        ratios = {float(whole.powers[base]) / float(root.powers[base]) for base in root.powers}
        ratio = ratios.pop()
        if ratios or ratio != int(ratio) or abs(ratio) < 2:
            continue
        inner = Affine(1.0, other, 0.0)
        scale = exact.quotient(whole.coefficient, exact.power(root.coefficient, int(ratio)))
        yield multiply([constant(scale), apply(power_name(int(ratio)), inner)])
