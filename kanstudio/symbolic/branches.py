"""Piecewise, found in the sums of switched terms that stand for it in a network.

The compiler writes a condition a > b as the indicator sgn(relu(a - b)), which is 1 where it
holds and 0 elsewhere. A Piecewise matters for more than looks: a branch that is not taken
need not have a value.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import sympy as sp

from kanstudio.formula.sympy_logic import opposite
from kanstudio.functions.heads import relu
from kanstudio.symbolic.arithmetic import Number, add, again, coefficients, multiply, replaced

Pair: TypeAlias = tuple[sp.Expr, sp.Basic]

_MOST_BRANCHES = 200
ZERO, ONE, MINUS_ONE = sp.Integer(0), sp.Integer(1), sp.Integer(-1)


def _is_indicator(node: sp.Basic) -> bool:
    """1 where a condition holds and 0 elsewhere: sgn(relu(u)) of u > 0, |sgn(u)| of u != 0."""
    if isinstance(node, sp.sign):
        return isinstance(node.args[0], relu)
    return isinstance(node, sp.Abs) and isinstance(node.args[0], sp.sign)


def _indicators(factor: sp.Expr) -> list[sp.Expr]:
    """The indicators of a factor that is made of them and numbers alone, such as 1 - H."""
    found: list[sp.Expr] = []
    for term in sp.Add.make_args(factor):
        rest = term.as_coeff_Mul()[1]
        if rest == 1:
            continue
        for part in sp.Mul.make_args(rest):
            inner = [part] if _is_indicator(part) else _indicators(part) if part.is_Add else []
            if not inner:
                return []
            found += inner
    return found


def _switches(term: sp.Expr) -> list[sp.Expr]:
    """The indicators that switch a whole term on and off."""
    return [found for factor in sp.Mul.make_args(term) for found in _indicators(factor)]


class Branches:
    """Turns indicators into conditions."""

    def __init__(self, number: Number) -> None:
        self.number = number
        self.left = _MOST_BRANCHES

    def folded(self, expression: sp.Expr) -> sp.Expr:
        if not any(_is_indicator(node) for node in sp.preorder_traversal(expression)):
            return expression
        if isinstance(expression, sp.Piecewise):
            return _piecewise([(self.folded(value), when) for value, when in expression.args])
        terms = sp.Add.make_args(expression)
        counts: dict[sp.Expr, int] = {}
        for term in terms:
            for indicator in dict.fromkeys(_switches(term)):
                counts[indicator] = counts.get(indicator, 0) + 1
        if counts and self.left > 0:
            self.left -= 1
            chosen = _innermost(max(counts, key=lambda indicator: counts[indicator]))
            inside = [term for term in terms if term.has(chosen)]
            outside = [term for term in terms if not term.has(chosen)]
            split = self.cases if isinstance(chosen, sp.Piecewise) else self.split
            return split(chosen, inside, outside)
        if counts or not expression.args:
            return expression
        return again(expression, [self.folded(part) for part in expression.args], self.number)

    def split(self, indicator: sp.Expr, inside: list[sp.Expr], outside: list[sp.Expr]) -> sp.Expr:
        """The sum of all terms, those inside as one Piecewise."""
        one, other = (
            self.folded(add([replaced(term, {indicator: value}, self.number) for term in inside]))
            for value in (ONE, ZERO)
        )
        shared = [term for term in outside if _belongs(term, one, other)]
        if shared:
            outside = [term for term in outside if term not in shared]
            one, other = (_plus(value, shared) for value in (one, other))
        argument = indicator.args[0].args[0]
        if isinstance(indicator, sp.Abs):
            pairs = [(other, sp.Eq(*_sides(argument), evaluate=False)), (one, sp.true)]
        else:
            pairs = _joined(one, _positive(argument), other)
        chosen = _piecewise(pairs)
        return add([self.folded(add(outside)), chosen]) if outside else chosen

    def cases(self, chosen: sp.Piecewise, inside: list[sp.Expr], outside: list[sp.Expr]) -> sp.Expr:
        """The sum of all terms, those inside once for each case of a Piecewise in them."""
        pairs = [
            (
                self.folded(add([replaced(term, {chosen: value}, self.number) for term in inside])),
                when,
            )
            for value, when in chosen.args
        ]
        return add([self.folded(add(outside)), _piecewise(pairs)])


def _innermost(indicator: sp.Expr) -> sp.Expr:
    """An indicator or a Piecewise on which this indicator depends, and which depends on none.

    sympy has no condition about a Piecewise, so what a condition depends on is chosen first.
    """
    while inner := [
        node
        for node in sp.preorder_traversal(indicator.args[0])
        if _is_indicator(node) or isinstance(node, sp.Piecewise)
    ]:
        indicator = inner[0]
        if isinstance(indicator, sp.Piecewise):
            break
    return indicator


def _belongs(term: sp.Expr, one: sp.Expr, other: sp.Expr) -> bool:
    """Is a term beside a Piecewise of two values rather a part of both?

    In 2 - 2*H + H*(x + 1) the 2 is; so is a in a + H*(b - a), since where H is 1 that is b,
    even where a has no value.
    """
    number, rest = term.as_coeff_Mul()
    leaves = [*_leaves(one), *_leaves(other)]
    cancels = any(coefficients(leaf).get(rest) == -number for leaf in leaves)
    numbers = other == 0 or all(leaf.is_number for leaf in leaves)
    return cancels or bool(numbers and term.is_number)


def _leaves(value: sp.Expr) -> list[sp.Expr]:
    """The values of all cases; of what has no cases, itself."""
    if not isinstance(value, sp.Piecewise):
        return [value]
    return [leaf for case, _ in value.args for leaf in _leaves(case)]


def _cases(value: sp.Expr) -> list[Pair]:
    """The values and conditions, those of a Piecewise in the last case too."""
    if not isinstance(value, sp.Piecewise):
        return [(value, sp.true)]
    *pairs, (last, _) = value.args
    return [*pairs, *_cases(last)]


def _plus(value: sp.Expr, terms: Sequence[sp.Expr]) -> sp.Expr:
    """The sum, in each case."""
    if not isinstance(value, sp.Piecewise):
        return add([value, *terms])
    return _piecewise([(_plus(case, terms), when) for case, when in value.args])


def _piecewise(pairs: Sequence[Pair]) -> sp.Expr:
    if len({value for value, _ in pairs}) == 1:
        return pairs[0][0]
    return sp.Piecewise(*pairs, evaluate=False)


def _joined(one: sp.Expr, condition: sp.Basic, other: sp.Expr) -> list[Pair]:
    """The cases of ``one`` where the condition holds and ``other`` elsewhere, as few as may be."""
    pairs = _cases(other)
    if isinstance(one, sp.Piecewise) and len(one.args) == 2 and one.args[1][0] == other:
        inner = one.args[0][1]
        condition, one = _both(sp.And, condition, inner), one.args[0][0]
    if len(pairs) > 1 and pairs[0][0] == one:
        return [(one, _both(sp.Or, condition, pairs[0][1])), *pairs[1:]]
    if len(pairs) == 2 and pairs[1][0] == one:
        return [(pairs[0][0], _both(sp.And, opposite(condition), pairs[0][1])), (one, sp.true)]
    return [(one, condition), *pairs]


def _both(head: type[sp.Basic], first: sp.Basic, second: sp.Basic) -> sp.Basic:
    parts = [p for part in (first, second) for p in (part.args if part.func is head else [part])]
    return head(*parts, evaluate=False)


def _sides(difference: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """(a, b) of a - b, without minus signs before variables; x against -1, not x + 1 against 0."""
    terms = coefficients(difference)
    constant = terms.pop(ONE, ZERO)
    left = [multiply([n, rest]) for rest, n in terms.items() if not n.is_negative]
    right = [multiply([-n, rest]) for rest, n in terms.items() if n.is_negative]
    beside_left = constant.is_positive if left and right else not left
    if constant != 0 and beside_left:
        left.append(constant)
    elif constant != 0:
        right.append(multiply([MINUS_ONE, constant]))
    return (add(left) if left else ZERO), (add(right) if right else ZERO)


def _positive(difference: sp.Expr) -> sp.Expr:
    """The condition a > b for a - b, or b < a where a is a number."""
    left, right = _sides(difference)
    if left.is_number:
        return sp.StrictLessThan(right, left, evaluate=False)
    return sp.StrictGreaterThan(left, right, evaluate=False)
