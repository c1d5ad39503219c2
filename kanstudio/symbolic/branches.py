"""Piecewise, found in the sums of switched terms that stand for it in a network.

The compiler writes a condition a > b as the indicator sgn(relu(a - b)), which is 1 where it
holds and 0 elsewhere. A Piecewise matters for more than looks: a branch that is not taken
need not have a value.
"""

from __future__ import annotations

import sympy as sp

from kanstudio.functions.heads import relu
from kanstudio.symbolic.arithmetic import Number, add, again, coefficients, multiply, replaced

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
        terms = sp.Add.make_args(expression)
        switched = [(term, _switches(term)) for term in terms]
        counts: dict[sp.Expr, int] = {}
        for _, found in switched:
            for indicator in dict.fromkeys(found):
                counts[indicator] = counts.get(indicator, 0) + 1
        if counts and self.left > 0:
            self.left -= 1
            chosen = max(counts, key=lambda indicator: counts[indicator])
            inside = [term for term, found in switched if chosen in found]
            outside = [term for term, found in switched if chosen not in found]
            return self.split(chosen, inside, outside)
        if counts or not expression.args:
            return expression
        return again(expression, [self.folded(part) for part in expression.args], self.number)

    def split(self, indicator: sp.Expr, inside: list[sp.Expr], outside: list[sp.Expr]) -> sp.Expr:
        """The sum of all terms, those inside as one Piecewise."""
        one, other = (
            add([replaced(term, {indicator: value}, self.number) for term in inside])
            for value in (ONE, ZERO)
        )
        if other == 0:
            # 2 - 2*H + H*(x + 1): the 2 belongs to both branches.
            numbers = [term for term in outside if term.is_number]
            outside = [term for term in outside if not term.is_number]
            one, other = add([one, *numbers]), add([other, *numbers])
        one, other = self.folded(one), self.folded(other)
        pairs = list(other.args) if isinstance(other, sp.Piecewise) else [(other, sp.true)]
        argument = indicator.args[0].args[0]
        if isinstance(indicator, sp.Abs):
            pairs = [(other, sp.Eq(*_sides(argument), evaluate=False)), (one, sp.true)]
        else:
            pairs = _joined(one, _positive(argument), other, pairs)
        chosen = sp.Piecewise(*pairs, evaluate=False)
        return add([self.folded(add(outside)), chosen]) if outside else chosen


def _joined(
    one: sp.Expr, condition: sp.Basic, other: sp.Expr, pairs: list[tuple[sp.Expr, sp.Basic]]
) -> list[tuple[sp.Expr, sp.Basic]]:
    """The pairs of ``one`` under a condition, before the pairs of ``other``; and, or as such."""
    if isinstance(one, sp.Piecewise) and len(one.args) == 2 and one.args[1][0] == other:
        inner = one.args[0][1]
        condition, one = _both(sp.And, condition, inner), one.args[0][0]
    if len(pairs) > 1 and pairs[0][0] == one:
        return [(one, _both(sp.Or, condition, pairs[0][1])), *pairs[1:]]
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
