"""Edges with whole formulas: what depends on one value alone becomes one function of it.

The value may be an input or any other: in ``(1 + v/c) / sqrt(1 - (v/c)**2)`` it is v/c.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import sympy

from kanstudio import functions
from kanstudio.compiler.interned import Interner, operands, postorder
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
from kanstudio.errors import KanStudioError
from kanstudio.formula import algebra, numbers

Join = Callable[[Iterable[sympy.Expr]], sympy.Expr]

_SLOT = sympy.Symbol("x")


def compacted(roots: Sequence[Affine]) -> list[Affine]:
    """The interned expressions with every function of one value in one piece."""
    work = _Compaction()
    for core in postorder(roots):
        work.settle(core)
    return Interner().roots([work.affine(root) for root in roots])


class _Compaction:
    """What each core is as a function of the one value that it depends on.

    waist: the lowest core that everything below a core goes through; a core of several
    values is its own. text: the core as an expression of its waist, called x.
    """

    def __init__(self) -> None:
        self.waist: dict[int, Core] = {}
        self.text: dict[int, sympy.Expr] = {}
        self.form: dict[int, Affine] = {}

    def settle(self, core: Core) -> None:
        waists = {id(self.waist[id(inner)]): self.waist[id(inner)] for inner in operands(core)}
        if isinstance(core, Variable) or len(waists) > 1:
            self.waist[id(core)], self.text[id(core)] = core, _SLOT
            self.form[id(core)] = self._partly(core)
            return
        (waist,) = waists.values()
        self.waist[id(core)] = waist
        self.text[id(core)] = self._expression(core)
        self.form[id(core)] = self._edge(core, waist)

    def affine(self, value: Affine) -> Affine:
        if value.core is None:
            return value
        form = self.form[id(value.core)]
        return add([(value.scale, form), (1.0, Affine(0.0, None, value.bias))])

    def _edge(self, core: Core, waist: Core) -> Affine:
        """The core as one function of its waist; as it is where that has no name."""
        inner = self.form[id(waist)]
        if isinstance(core, Apply) and core.argument.core is waist:
            return apply(core.function, self.affine(core.argument))
        try:
            name = functions.compose(self.text[id(core)], _SLOT)
            return apply(name, inner)
        except (KanStudioError, OverflowError):
            return self._partly(core)

    def _partly(self, core: Core) -> Affine:
        """A core of several values: the parts that share one value become one edge."""
        match core:
            case Variable():
                return Affine(1.0, core, 0.0)
            case Apply():
                return apply(core.function, self.affine(core.argument))
            case Sum():
                parts = [Affine(weight, term, 0.0) for weight, term in core.terms]
                return add([(1.0, part) for part in self._grouped(parts, algebra.add)])
            case Product():
                return multiply(self._grouped(list(core.factors), algebra.multiply))

    def _grouped(self, parts: list[Affine], join: Join) -> list[Affine]:
        """The parts, those with one waist in one."""
        groups: dict[int, list[Affine]] = {}
        for part in parts:
            assert part.core is not None
            groups.setdefault(id(self.waist[id(part.core)]), []).append(part)
        made: list[Affine] = []
        for group in groups.values():
            joined = self._joined(group, join) if len(group) > 1 else None
            made += [self.affine(part) for part in group] if joined is None else [joined]
        return made

    def _joined(self, group: list[Affine], join: Join) -> Affine | None:
        core = group[0].core
        assert core is not None
        texts = [self._affine_text(part) for part in group]
        try:
            return apply(functions.compose(join(texts), _SLOT), self.form[id(self.waist[id(core)])])
        except (KanStudioError, OverflowError):
            return None

    def _expression(self, core: Core) -> sympy.Expr:
        match core:
            case Sum():
                return algebra.add(
                    self._affine_text(Affine(weight, term, 0.0)) for weight, term in core.terms
                )
            case Product():
                return algebra.multiply(map(self._affine_text, core.factors))
            case Apply():
                argument = self._affine_text(core.argument)
                exponent = functions.get(core.function).exponent
                if exponent is None:
                    return functions.get(core.function).sympy(argument)
                return algebra.power(argument, sympy.sympify(exponent))
        raise AssertionError("a variable is its own waist")

    def _affine_text(self, value: Affine) -> sympy.Expr:
        scale, bias = numbers.tidy(value.scale), numbers.tidy(value.bias)
        inner = self.text[id(value.core)]
        return algebra.add([algebra.multiply([scale, inner]), bias])
