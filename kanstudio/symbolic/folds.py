"""Max, Min, atan2 and Piecewise, found in the sums that stand for them in a network.

The compiler writes max(a, b) as a + relu(b - a), and a condition a > b as the indicator
sgn(relu(a - b)), which is 1 where it holds and 0 elsewhere. All that is done here is an
identity for real numbers. A Piecewise matters for more than looks: a branch that is not
taken need not have a value.
"""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from kanstudio.functions.heads import relu
from kanstudio.symbolic.arithmetic import Number, add, again, multiply

_MOST_BRANCHES = 200
_HALF_PI = sp.pi / 2
ZERO, ONE, MINUS_ONE = sp.Integer(0), sp.Integer(1), sp.Integer(-1)


def folded(expression: sp.Expr, number: Number) -> sp.Expr:
    """The same function, with Max, Min, atan2 and Piecewise where a network has sums."""
    if not any(isinstance(node, relu | sp.sign) for node in sp.preorder_traversal(expression)):
        return expression
    values: dict[sp.Basic, sp.Expr] = {}
    for node in sp.postorder_traversal(expression):
        if node not in values:
            made = again(node, [values[part] for part in node.args], number)
            values[node] = _angles(_maxima(made)) if isinstance(made, sp.Add) else made
    return _Branches(number).folded(values[expression])


# Max and Min


def _coefficients(expression: sp.Expr) -> dict[sp.Expr, sp.Expr]:
    """From each term without its number to the number; the constant stands under 1."""
    terms = (term.as_coeff_Mul() for term in sp.Add.make_args(expression))
    return {rest: number for number, rest in terms}


def _maxima(total: sp.Expr) -> sp.Expr:
    """a + relu(b - a) is Max(a, b)."""
    while isinstance(total, sp.Add):
        folded_once = _one_maximum(_coefficients(total))
        if folded_once is None:
            return total
        total = folded_once
    return total


def _one_maximum(terms: Mapping[sp.Expr, sp.Expr]) -> sp.Expr | None:
    for ramp, scale in terms.items():
        if not isinstance(ramp, relu):
            continue
        # scale * (a + relu(b - a)): a is what the sum and -(b - a) have in common.
        difference = _coefficients(ramp.args[0])
        common = [
            (rest, -number)
            for rest, number in difference.items()
            if rest in terms and terms[rest] == -scale * number
        ]
        if not common:
            continue
        first = add([multiply([number, rest]) for rest, number in common])
        second = add([first, ramp.args[0]])
        taken = {rest for rest, _ in common} | {ramp}
        others = [multiply([n, rest]) for rest, n in terms.items() if rest not in taken]
        return add([*others, multiply([scale, _larger(first, second)])])
    return None


def _larger(first: sp.Expr, second: sp.Expr) -> sp.Expr:
    """Max, or the negative Min of the negatives where both have a minus."""
    if all(number.is_negative for part in (first, second) for number in _signs(part)):
        negatives = [multiply([MINUS_ONE, part]) for part in (first, second)]
        return multiply([MINUS_ONE, _lattice(sp.Min, negatives)])
    return _lattice(sp.Max, [first, second])


def _signs(part: sp.Expr) -> list[sp.Expr]:
    return list(_coefficients(part).values())


def _lattice(head: type[sp.Expr], parts: list[sp.Expr]) -> sp.Expr:
    flat = [item for part in parts for item in (part.args if isinstance(part, head) else [part])]
    distinct = list(dict.fromkeys(flat))
    return distinct[0] if len(distinct) == 1 else head(*distinct, evaluate=False)


# atan2


def _step(argument: sp.Expr) -> sp.Expr:
    """1 where argument > 0, else 0, as the compiler writes it."""
    return sp.sign(relu(argument, evaluate=False), evaluate=False)


def _angles(total: sp.Expr) -> sp.Expr:
    """atan(y/x) with the terms that turn it by pi is atan2(y, x)."""
    if not isinstance(total, sp.Add):
        return total
    terms = _coefficients(total)
    for angle, scale in terms.items():
        if not isinstance(angle, sp.atan):
            continue
        for x, y in _legs(total):
            if multiply([y, sp.Pow(x, MINUS_ONE)]) != angle.args[0]:
                continue
            turned = _coefficients(multiply([scale, add([angle, *_turns(y, x)])]))
            if all(terms.get(rest) == number for rest, number in turned.items()):
                others = [multiply([n, rest]) for rest, n in terms.items() if rest not in turned]
                return add([*others, multiply([scale, sp.atan2(y, x, evaluate=False)])])
    return total


def _turns(y: sp.Expr, x: sp.Expr) -> list[sp.Expr]:
    below = add([ONE, multiply([sp.Integer(-2), _step(multiply([MINUS_ONE, y]))])])
    on_axis = add([ONE, multiply([MINUS_ONE, sp.Abs(_sign(x), evaluate=False)])])
    return [
        multiply([sp.pi, _step(multiply([MINUS_ONE, x])), below]),
        multiply([_HALF_PI, on_axis, _sign(y)]),
    ]


def _sign(argument: sp.Expr) -> sp.Expr:
    number, _ = argument.as_coeff_Mul()
    if number.is_negative:
        return multiply([MINUS_ONE, _sign(multiply([MINUS_ONE, argument]))])
    return sp.sign(argument, evaluate=False)


def _legs(total: sp.Expr) -> list[tuple[sp.Expr, sp.Expr]]:
    """What x and y of an atan2 in this sum can be: what its indicators are about."""
    found: dict[sp.Expr, None] = {}
    for term in total.args:
        if any(isinstance(factor, sp.atan) for factor in sp.Mul.make_args(term)):
            continue
        for node in sp.preorder_traversal(term):
            if isinstance(node, sp.sign) and isinstance(node.args[0], relu):
                found[multiply([MINUS_ONE, node.args[0].args[0]])] = None
    legs = list(found)[:8]
    return [(x, y) for x in legs for y in legs if x != y and not x.is_number]


# Piecewise


def _is_indicator(node: sp.Basic) -> bool:
    """1 where a condition holds and 0 elsewhere: sgn(relu(u)) of u > 0, |sgn(u)| of u != 0."""
    if isinstance(node, sp.sign):
        return isinstance(node.args[0], relu)
    return isinstance(node, sp.Abs) and isinstance(node.args[0], sp.sign)


def _indicators(factor: sp.Expr) -> list[sp.Expr]:
    """The indicators of a factor that is made of them and numbers alone, such as 1 - H."""
    found = []
    for term in sp.Add.make_args(factor):
        rest = term.as_coeff_Mul()[1]
        parts = sp.Mul.make_args(rest)
        if rest == 1:
            continue
        if not all(_is_indicator(part) for part in parts):
            return []
        found += parts
    return found


def _switches(term: sp.Expr) -> list[sp.Expr]:
    """The indicators that switch a whole term on and off."""
    return [found for factor in sp.Mul.make_args(term) for found in _indicators(factor)]


class _Branches:
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
            add([self.replaced(term, indicator, value) for term in inside]) for value in (ONE, ZERO)
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
            pairs = [(one, _positive(argument)), *pairs]
        chosen = sp.Piecewise(*pairs, evaluate=False)
        return add([self.folded(add(outside)), chosen]) if outside else chosen

    def replaced(self, term: sp.Expr, indicator: sp.Expr, value: sp.Expr) -> sp.Expr:
        values: dict[sp.Basic, sp.Expr] = {indicator: value}
        for node in sp.postorder_traversal(term):
            if node not in values:
                values[node] = again(node, [values[part] for part in node.args], self.number)
        return values[term]


def _sides(difference: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """(a, b) of a - b, without minus signs."""
    terms = _coefficients(difference)
    left = [multiply([n, rest]) for rest, n in terms.items() if not n.is_negative]
    right = [multiply([-n, rest]) for rest, n in terms.items() if n.is_negative]
    return (add(left) if left else ZERO), (add(right) if right else ZERO)


def _positive(difference: sp.Expr) -> sp.Expr:
    """The condition a > b for a - b, or b < a where a is a number."""
    left, right = _sides(difference)
    if left.is_number:
        return sp.StrictLessThan(right, left, evaluate=False)
    return sp.StrictGreaterThan(left, right, evaluate=False)
