"""Rewriting functions of functions: equal forms with fewer functions.

Each rule takes a core and yields forms that equal it wherever it has a real value
(Abramowitz and Stegun 1964, chapters 4.3 to 4.6), in digits too: ``sin(u)**2`` as
``(1 - cos(2u)) / 2`` would be one function, but nothing of it is left near u = 0.
"""

from __future__ import annotations

from collections.abc import Iterator

from kanstudio import functions
from kanstudio.compiler import exact
from kanstudio.compiler.monomial import Base, Exponent, Monomial, monomial, power, power_of
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

RECIPROCALS = {
    "cosh": "sech", "sinh": "csch", "tanh": "coth", "cos": "sec", "sin": "csc", "tan": "cot",
}  # fmt: skip
_RATIOS = {("sin", "cos"): "tan", ("cos", "sin"): "cot", ("sinh", "cosh"): "tanh"}


def fused(core: Core) -> Iterator[Affine]:
    """``1/cosh(u) -> sech(u)``, ``1/(1 + e**u) -> sigmoid(-u)`` and their like."""
    if not isinstance(core, Apply):
        return
    inner = core.argument.core
    found = power_of(core)
    if isinstance(inner, Apply):
        if found is not None:
            yield from _power_of_function(found[0], core.argument, inner)
        elif core.function == "exp" and inner.function == "log":
            yield _exp_of_log(core.argument, inner)
        elif core.function == "exp" and inner.function == "x^2" and core.argument.scale < 0:
            yield _gaussian(core.argument, inner)
        elif core.function == "abs" and _is_even_power(inner) and core.argument.bias == 0:
            yield Affine(abs(core.argument.scale), inner, 0.0)


def _power_of_function(exponent: Exponent, argument: Affine, inner: Apply) -> Iterator[Affine]:
    scale, bias, u = argument.scale, argument.bias, inner.argument
    if inner.function == "exp" and exponent == -1 and scale * bias > 0:
        shifted = add([(-1.0, u), (1.0, constant(exact.log(exact.quotient(bias, scale))))])
        yield multiply([constant(exact.quotient(1, bias)), apply("sigmoid", shifted)])
    if bias != 0:
        return
    if exponent == -1 and inner.function in RECIPROCALS:
        yield multiply([constant(exact.quotient(1, scale)), apply(RECIPROCALS[inner.function], u)])
    elif inner.function == "exp" and (isinstance(exponent, int) or scale > 0):
        power = float(exponent)
        yield multiply([constant(exact.power(scale, exponent)), apply("exp", add([(power, u)]))])
    elif exponent == 0.5 and inner.function == "x^2" and scale > 0:
        yield multiply([constant(exact.power(scale, 0.5)), apply("abs", u)])
    elif isinstance(exponent, int) and exponent % 2 == 0 and inner.function == "abs":
        name = functions.power_name(exponent)
        yield multiply([constant(exact.power(scale, exponent)), apply(name, u)])


def _exp_of_log(argument: Affine, inner: Apply) -> Affine:
    """``exp(p * log(u) + q) -> e**q * u**p``."""
    name = functions.power_name(argument.scale)
    return multiply([constant(exact.exp(argument.bias)), apply(name, inner.argument)])


def _gaussian(argument: Affine, inner: Apply) -> Affine:
    """``exp(q - p * u**2) -> e**q * gaussian(sqrt(p) * u)``."""
    root = exact.power(-argument.scale, 0.5)
    bell = apply("gaussian", add([(root, inner.argument)]))
    return multiply([constant(exact.exp(argument.bias)), bell])


def _is_even_power(core: Apply) -> bool:
    exponent = functions.get(core.function).exponent
    return isinstance(exponent, int) and exponent % 2 == 0


def unpacked(core: Core) -> Iterator[Affine]:
    """``log(c*e**u*v) -> u + log(c*v)``, ``sqrt(c*x**2*v) -> abs(x)*sqrt(c*v)`` and back.

    What comes out of a logarithm or a root is never negative, whatever the rest is.
    """
    if not isinstance(core, Apply) or core.argument.bias != 0:
        return
    inner, scale = core.argument.core, core.argument.scale
    found = power_of(core)
    if core.function == "log" and isinstance(inner, Product):
        whole = monomial(inner.factors)
        logs = {b: e for b, e in whole.powers.items() if _is_exp(b)}
        if logs:
            rest = multiply([constant(scale), whole.without(logs).affine])
            parts = [
                (float(e), b.core.argument) for b, e in logs.items() if isinstance(b.core, Apply)
            ]
            yield add([*parts, (1.0, apply("log", rest))])
    elif found is not None and isinstance(inner, Product) and not isinstance(found[0], int):
        yield from _out_of_root(found[0], scale, monomial(inner.factors))


def _is_exp(base: Base) -> bool:
    return base.shift == 0 and isinstance(base.core, Apply) and base.core.function == "exp"


def _out_of_root(exponent: Exponent, scale: float, whole: Monomial) -> Iterator[Affine]:
    taken: dict[Base, Exponent] = {}
    out: list[Affine] = []
    for base, inner in whole.powers.items():
        product = inner * exponent
        if isinstance(inner, int) and inner % 2 == 0 and product in (1, int(product)):
            size = base.affine if product % 2 == 0 else apply("abs", base.affine)
            out.append(size if product == 1 else apply(functions.power_name(product), size))
        elif not isinstance(inner, int) or _is_exp(base):
            out.append(power(base, product))
        else:
            continue
        taken[base] = inner
    if out:
        rest = multiply([constant(scale), whole.without(taken).affine])
        name = functions.power_name(exponent)
        if rest.core is not None or rest.bias > 0:
            yield multiply([*out, apply(name, rest)])


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
    """``e**u + e**-u -> 2 cosh(u)``, ``a sin(u) + b cos(u) -> hypot(a, b) sin(u + phase)``."""
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
    if not (isinstance(left, Apply) and isinstance(right, Apply)):
        return None
    u = left.argument
    names = (left.function, right.function)
    if names == ("exp", "exp") and _opposite(u, right.argument) and abs(a) == abs(b) and a > 0:
        return multiply([constant(2 * a), apply("cosh" if b > 0 else "sinh", u)])
    if names == ("sin", "cos") and _same(u, right.argument):
        size, phase = exact.polar(a, b)
        return multiply([constant(size), apply("sin", add([(1.0, u), (1.0, constant(phase))]))])
    return None


def _same(u: Affine, v: Affine) -> bool:
    return (u.core, u.scale, u.bias) == (v.core, v.scale, v.bias)


def _opposite(u: Affine, v: Affine) -> bool:
    return (u.core, u.scale, u.bias) == (v.core, -v.scale, -v.bias)
