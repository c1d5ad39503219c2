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
# A function of more cores, or of more in one another, has too long a name.
_LARGEST = 100
_DEEPEST = 24


def compacted(roots: Sequence[Affine]) -> list[Affine]:
    """The interned expressions with every function of one value in one piece.

    In several pieces where one would be too long to be a name.
    """
    work = _Compaction()
    for core in postorder(roots):
        work.settle(core)
    return Interner().roots([work.affine(root) for root in roots])


class _Compaction:
    """What each core is as a function of the one value that it depends on.

    waist: the lowest core that everything below a core goes through; a core of several
    values is its own, and so is one that takes too much to write. text: the core as an
    expression of its waist, called x, with so many cores, and so many in one another.
    """

    def __init__(self) -> None:
        self.waist: dict[int, Core] = {}
        self.text: dict[int, sympy.Expr] = {}
        self.size: dict[int, int] = {}
        self.depth: dict[int, int] = {}
        self.form: dict[int, Affine] = {}

    def settle(self, core: Core) -> None:
        """Find the waist of a core; those of its operands are known."""
        below = list(operands(core))
        waists = {id(self.waist[id(inner)]): self.waist[id(inner)] for inner in below}
        size = 1 + sum(self.size[id(inner)] for inner in below)
        depth = 1 + max((self.depth[id(inner)] for inner in below), default=0)
        if len(waists) == 1 and size <= _LARGEST and depth <= _DEEPEST:
            (self.waist[id(core)],) = waists.values()
            self.text[id(core)] = self._expression(core)
            self.size[id(core)], self.depth[id(core)] = size, depth
            return
        self.waist[id(core)], self.text[id(core)] = core, _SLOT
        self.size[id(core)], self.depth[id(core)] = 1, 0
        self.form[id(core)] = self._partly(core)

    def affine(self, value: Affine) -> Affine:
        """The value with its core in its new form."""
        if value.core is None:
            return value
        if id(value.core) not in self.form:
            self.form[id(value.core)] = self._edge(value.core, self.waist[id(value.core)])
        form = self.form[id(value.core)]
        return add([(value.scale, form), (1.0, Affine(0.0, None, value.bias))])

    def _edge(self, core: Core, waist: Core) -> Affine:
        """The core as one function of its waist; as it is where that has no name."""
        if isinstance(core, Apply) and core.argument.core is waist:
            return apply(core.function, self.affine(core.argument))
        try:
            name = functions.compose(self.text[id(core)], _SLOT)
            return apply(name, self.form[id(waist)])
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
        """The parts, those with one waist in one, or in few where that is too long."""
        groups: dict[int, list[list[Affine]]] = {}
        sizes: dict[int, int] = {}
        for part in parts:
            assert part.core is not None
            waist, size = id(self.waist[id(part.core)]), self.size[id(part.core)]
            sizes[waist] = sizes.get(waist, _LARGEST) + size
            if sizes[waist] > _LARGEST:
                groups.setdefault(waist, []).append([])
                sizes[waist] = size
            groups[waist][-1].append(part)
        made: list[Affine] = []
        for group in (group for several in groups.values() for group in several):
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
