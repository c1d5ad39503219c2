"""Max, Min, Mod and atan2, found in the sums and products that stand for them in a network.

The compiler writes max(a, b) as a + relu(b - a) or with a Heaviside step, and mod(a, b) as
b * frac(a / b). All that is done here is an identity for real numbers.
"""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from kanstudio.functions.heads import relu
from kanstudio.symbolic.arithmetic import (
    Number,
    add,
    again,
    coefficients,
    multiply,
    power,
    replaced,
)
from kanstudio.symbolic.branches import Branches

_HALF_PI = sp.pi / 2
_MARKS = (relu, sp.sign, sp.Heaviside, sp.frac)
ONE, MINUS_ONE = sp.Integer(1), sp.Integer(-1)


def folded(expression: sp.Expr, number: Number) -> sp.Expr:
    """The same function, with Max, Min, atan2 and Piecewise where a network has sums."""
    if not any(isinstance(node, _MARKS) for node in sp.preorder_traversal(expression)):
        return expression
    values: dict[sp.Basic, sp.Expr] = {}
    for node in sp.postorder_traversal(expression):
        if node not in values:
            parts = [values[part] for part in node.args]
            changed = any(new is not old for new, old in zip(parts, node.args, strict=True))
            made = again(node, parts, number) if changed else node
            if isinstance(made, sp.Add):
                made = _angles(_chosen(_maxima(made), number))
            values[node] = _remainder(made, number) if isinstance(made, sp.Mul) else made
    return Branches(number).folded(values[expression])


# Max and Min


def _maxima(total: sp.Expr) -> sp.Expr:
    """a + relu(b - a) is Max(a, b)."""
    while isinstance(total, sp.Add):
        folded_once = _one_maximum(coefficients(total))
        if folded_once is None:
            return total
        total = folded_once
    return total


def _one_maximum(terms: Mapping[sp.Expr, sp.Expr]) -> sp.Expr | None:
    for ramp, scale in terms.items():
        if not isinstance(ramp, relu):
            continue
        # scale * (a + relu(b - a)): a is what the sum and -(b - a) have in common.
        difference = coefficients(ramp.args[0])
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
    return list(coefficients(part).values())


def _lattice(head: type[sp.Expr], parts: list[sp.Expr]) -> sp.Expr:
    flat = [item for part in parts for item in (part.args if isinstance(part, head) else [part])]
    distinct = list(dict.fromkeys(flat))
    return distinct[0] if len(distinct) == 1 else head(*distinct, evaluate=False)


def _chosen(total: sp.Expr, number: Number) -> sp.Expr:
    """b*H(b - a) + a*(1 - H(b - a)) is Max(a, b); with H(a - b) it is Min(a, b)."""
    steps = dict.fromkeys(part for term in sp.Add.make_args(total) for part in _steps(term))
    for step in steps:
        terms = sp.Add.make_args(total)
        inside = [term for term in terms if step in _steps(term)]
        outside = [term for term in terms if step not in _steps(term)]
        one, other = (
            add([replaced(term, {step: value}, number) for term in inside])
            for value in (ONE, sp.Integer(0))
        )
        difference = add([one, multiply([MINUS_ONE, other])])
        larger = difference == step.args[0]
        if not larger and difference != multiply([MINUS_ONE, step.args[0]]):
            continue
        if other == 0:
            # 3 - 3*H + x*H: the 3 belongs to both.
            numbers = [term for term in outside if term.is_number]
            outside = [term for term in outside if not term.is_number]
            one, other = add([one, *numbers]), add(numbers) if numbers else other
        total = add([*outside, _lattice(sp.Max if larger else sp.Min, [one, other])])
    return total


def _steps(term: sp.Expr) -> list[sp.Expr]:
    """The Heaviside functions H that are factors of a term, as H or as 1 - H."""
    parts = [part for factor in sp.Mul.make_args(term) for part in sp.Add.make_args(factor)]
    return [part for part in (p.as_coeff_Mul()[1] for p in parts) if isinstance(part, sp.Heaviside)]


# Mod


def _remainder(product: sp.Expr, number: Number) -> sp.Expr:
    """b*frac(a/b) is Mod(a, b), where that takes divisions away."""
    for part in product.args:
        if not isinstance(part, sp.frac):
            continue
        others = [factor for factor in product.args if factor is not part]
        constant = multiply([factor for factor in others if factor.is_number] or [ONE])
        for modulus in (_denominator(part.args[0], number), constant):
            value = multiply([modulus, part.args[0]])
            outside = multiply([*others, power(modulus, MINUS_ONE, number)])
            if modulus != 1 and _denominator(value, number) == _denominator(outside, number) == 1:
                return multiply([outside, sp.Mod(value, modulus, evaluate=False)])
    return product


def _denominator(expression: sp.Expr, number: Number) -> sp.Expr:
    """What the first term with a division is divided by; 1 if there is none."""
    for term in sp.Add.make_args(expression):
        scale, rest = term.as_coeff_Mul()
        below = [sp.Integer(scale.q)] if scale.is_Rational else []
        for factor in sp.Mul.make_args(rest):
            base, exponent = factor.as_base_exp()
            if exponent.is_Rational and exponent.is_negative:
                below.append(power(base, -exponent, number))
        found = multiply(below) if below else ONE
        if found != 1:
            return found
    return ONE


# atan2


def _step(argument: sp.Expr) -> sp.Expr:
    """1 where argument > 0, else 0, as the compiler writes it."""
    return sp.sign(relu(argument, evaluate=False), evaluate=False)


def _angles(total: sp.Expr) -> sp.Expr:
    """atan(y/x) with the terms that turn it by pi is atan2(y, x)."""
    if not isinstance(total, sp.Add):
        return total
    terms = coefficients(total)
    for angle, scale in terms.items():
        if not isinstance(angle, sp.atan):
            continue
        for x, y in _legs(total):
            if multiply([y, sp.Pow(x, MINUS_ONE)]) != angle.args[0]:
                continue
            turned = coefficients(multiply([scale, add([angle, *_turns(y, x)])]))
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
