"""Equal subexpressions become one: hash consing of the normal form.

Two sums or products that differ by a factor count as equal, and a function's parity is
used: x - y and y - x are one sum, their squares one function of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from kanstudio.compiler.exact import quotient
from kanstudio.compiler.normal import (
    Affine,
    Apply,
    Core,
    Product,
    Sum,
    Variable,
    add,
    apply,
    multiply,
)
from kanstudio.compiler.parity import EVEN, ODD


def operands(core: Core) -> list[Core]:
    """The cores right below."""
    match core:
        case Variable():
            return []
        case Sum():
            return [term for _, term in core.terms]
        case Product():
            return [factor.core for factor in core.factors if factor.core is not None]
        case Apply():
            return [core.argument.core] if core.argument.core is not None else []


def postorder(
    roots: Sequence[Affine], below: Callable[[Core], list[Core]] = operands
) -> Iterator[Core]:
    """Every core once, operands first; iterative, since chains may be long."""
    seen: set[int] = set()
    stack = [(root.core, False) for root in reversed(roots) if root.core is not None]
    while stack:
        core, ready = stack.pop()
        if ready:
            yield core
        elif id(core) not in seen:
            seen.add(id(core))
            stack.append((core, True))
            stack.extend((inner, False) for inner in reversed(below(core)))


class Interner:
    """Makes cores, each one once."""

    def __init__(self) -> None:
        self._cores: dict[object, Core] = {}

    def roots(
        self, roots: Sequence[Affine], replaced: Mapping[int, Affine] | None = None
    ) -> list[Affine]:
        """The same expressions with nothing in them twice.

        replaced: forms that take the place of the cores with these ids.
        """
        forms: dict[int, Affine] = {}
        other = replaced or {}

        def below(core: Core) -> list[Core]:
            new = other.get(id(core))
            if new is None:
                return operands(core)
            return [] if new.core is None else [new.core]

        kept = list(postorder(roots, below))  # keeps every core alive: ids stay unique
        for core in kept:
            new = other.get(id(core))
            if new is None:
                forms[id(core)] = self._form(core, forms)
            else:
                forms[id(core)] = scaled(new, forms[id(new.core)]) if new.core else new
        return [scaled(root, forms[id(root.core)]) if root.core else root for root in roots]

    def _form(self, core: Core, forms: dict[int, Affine]) -> Affine:
        match core:
            case Variable():
                return Affine(1.0, self._once(core.index, core), 0.0)
            case Sum():
                return self.sum([(weight, forms[id(term)]) for weight, term in core.terms])
            case Product():
                return self.product([
                    scaled(factor, forms[id(factor.core)]) for factor in core.factors
                ])  # fmt: skip
            case Apply():
                inner = core.argument
                return self.apply(core.function, scaled(inner, forms[id(inner.core)]))

    def sum(self, parts: Sequence[tuple[float, Affine]]) -> Affine:
        return self._interned(add(parts))

    def product(self, factors: Sequence[Affine]) -> Affine:
        return self._interned(multiply(factors))

    def apply(self, function: str, argument: Affine) -> Affine:
        sign = 1.0
        has_parity = function in EVEN or function in ODD
        if has_parity and argument.core and argument.bias == 0 and argument.scale < 0:
            sign = -1.0 if function in ODD else 1.0
            argument = Affine(-argument.scale, argument.core, 0.0)
        made = self._interned(apply(function, argument))
        return made if sign > 0 else Affine(-made.scale, made.core, -made.bias)

    def _interned(self, made: Affine) -> Affine:
        """The form with the core that was there before, if an equal one was."""
        key: object
        match made.core:
            case Sum():
                terms = made.core.terms
                first = min(terms, key=lambda term: id(term[1]))[0]
                key = frozenset((weight / first, id(term)) for weight, term in terms)
                core = self._once(("sum", key), made.core)
                assert isinstance(core, Sum)
                ratio = quotient(first, min(core.terms, key=lambda term: id(term[1]))[0])
            case Product():
                key = _factor_counts(made.core)
                core = self._once(("product", key), made.core)
                assert isinstance(core, Product)
                ratio = quotient(_weight(made.core), _weight(core))
            case Apply():
                argument = made.core.argument
                key = (made.core.function, argument.scale, id(argument.core), argument.bias)
                core, ratio = self._once(key, made.core), 1.0
            case _:
                return made
        return Affine(made.scale * ratio, core, made.bias)

    def _once(self, key: object, core: Core) -> Core:
        return self._cores.setdefault(key, core)


def scaled(outer: Affine, inner: Affine) -> Affine:
    """``outer`` with its core replaced by what ``inner`` says that core is."""
    return Affine(outer.scale * inner.scale, inner.core, outer.scale * inner.bias + outer.bias)


def _factor_counts(core: Product) -> frozenset[tuple[object, int]]:
    counts: dict[object, int] = {}
    for factor in core.factors:
        key = (id(factor.core), factor.bias / factor.scale)
        counts[key] = counts.get(key, 0) + 1
    return frozenset(counts.items())


def _weight(core: Product) -> float:
    weight = 1.0
    for factor in core.factors:
        weight *= factor.scale
    return weight
