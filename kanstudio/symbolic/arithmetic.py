"""Sums, products and calls as formula.algebra makes them, and what networks need besides.

A network writes x**y as exp(y * log(x)), and holds functions whose sympy form is more
than one call. Numbers are folded as the network would: with the function table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import sympy as sp
import torch

from kanstudio import functions
from kanstudio.formula import algebra

Number = Callable[[float], sp.Expr]
_LARGEST_BASE = 1000


def add(terms: Sequence[sp.Expr]) -> sp.Expr:
    """The sum; quick where there is nothing to add."""
    kept = [term for term in terms if term != 0]
    return kept[0] if len(kept) == 1 else algebra.add(kept)


def multiply(factors: Sequence[sp.Expr]) -> sp.Expr:
    """The product; quick where there is nothing to multiply."""
    kept = [factor for factor in factors if factor != 1]
    return kept[0] if len(kept) == 1 else algebra.multiply(kept)


def coefficients(expression: sp.Expr) -> dict[sp.Expr, sp.Expr]:
    """From each term without its number to the number; the constant stands under 1."""
    terms = (term.as_coeff_Mul() for term in sp.Add.make_args(expression))
    return {rest: number for number, rest in terms}


def power(base: sp.Expr, exponent: sp.Expr, number: Number) -> sp.Expr:
    """base**exponent; what a network computes where a number has no such power."""
    if base.is_number and exponent.is_number and not base.is_positive:
        return call(functions.power_name(exponent), base, number)
    return algebra.power(base, exponent)


def call(name: str, argument: sp.Expr, number: Number) -> sp.Expr:
    """A function of the table; of a constant, ``number`` of what a network computes."""
    if name == "x":
        return argument
    row = functions.get(name)
    if argument.is_number:
        value = row.torch(torch.tensor(float(argument), dtype=torch.float64))
        return number(float(value))
    if row.exponent is not None:
        slot = sp.Dummy()
        return power(argument, row.sympy(slot).as_base_exp()[1], number)
    if name == "exp":
        return exponential(argument, number)
    if functions.from_sympy(row.sympy(sp.Dummy())) != name:
        return rebuilt(row.sympy, argument, number)
    return algebra.apply(name, argument)


def rebuilt(body: Callable[[sp.Expr], sp.Expr], argument: sp.Expr, number: Number) -> sp.Expr:
    """A function that is more than one call, of an argument: its body, made here again."""
    slot = sp.Dummy()
    return replaced(body(slot), {slot: argument}, number)


def again(node: sp.Basic, arguments: Sequence[sp.Expr], number: Number) -> sp.Expr:
    """A node of an expression with other arguments, in canonical form."""
    if not node.args:
        return node
    if isinstance(node, sp.Add | sp.Mul):
        return add(arguments) if isinstance(node, sp.Add) else multiply(arguments)
    if isinstance(node, sp.Pow) and not isinstance(node, sp.exp):
        return power(arguments[0], arguments[1], number)
    if isinstance(node, sp.Mod) and all(a.is_number for a in arguments) and arguments[1] != 0:
        return number(float(arguments[0]) % float(arguments[1]))
    found = functions.match(node)
    if found is not None:
        return call(found[0], arguments[node.args.index(found[1])], number)
    return remade(node, arguments)


def remade(node: sp.Basic, arguments: Sequence[sp.Basic]) -> sp.Basic:
    """A node with other arguments as it stands: sympy's rules may take minutes."""
    if tuple(arguments) == node.args:
        return node
    if isinstance(node, sp.Add | sp.Mul):
        return node.func._from_args(list(arguments))
    if isinstance(node, sp.Function | sp.Pow | sp.Max | sp.Min | sp.core.relational.Relational):
        return node.func(*arguments, evaluate=False)
    return node.func(*arguments)


def replaced(expression: sp.Expr, mapping: Mapping[sp.Expr, sp.Expr], number: Number) -> sp.Expr:
    """The expression with other parts in place of some, in canonical form."""
    values: dict[sp.Basic, sp.Expr] = dict(mapping)
    for node in sp.postorder_traversal(expression):
        if node not in values:
            parts = [values[part] for part in node.args]
            changed = any(new is not old for new, old in zip(parts, node.args, strict=True))
            values[node] = again(node, parts, number) if changed else node
    return values[expression]


def exponential(argument: sp.Expr, number: Number) -> sp.Expr:
    """exp, or the power that it stands for: x**y of y*log(x), x*y of log(x) + log(y)."""
    if argument.is_number:
        return number(float(sp.exp(argument)))
    terms = sp.Add.make_args(argument)
    powers = [_base_and_exponent(term) for term in terms]
    if all(powers):
        # 10^(x - 400) has no factor 1e-400 among the floats.
        with suppress(OverflowError, FloatingPointError):
            return multiply([power(pair[0], pair[1], number) for pair in powers if pair])
    return algebra.apply("exp", argument)


def _base_and_exponent(term: sp.Expr) -> tuple[sp.Expr, sp.Expr] | None:
    """(u, c) of c*log(u); None for another term."""
    factors = sp.Mul.make_args(term)
    logarithms = [factor for factor in factors if isinstance(factor, sp.log)]
    if len(logarithms) != 1:
        return None
    base = logarithms[0].args[0]
    rest = list(factors)
    rest.remove(logarithms[0])
    exponent = multiply(rest) if rest else algebra.ONE
    if base.is_Integer:
        # exp(2*log(2)*x) is 4**x, as it was before log(4) became a float.
        scale, inner = exponent.as_coeff_Mul()
        if scale.is_Integer and 1 < scale < 10 and base**scale <= _LARGEST_BASE:
            return base**scale, inner
    return base, exponent


def with_numbers(expression: sp.Expr, change: Callable[[sp.Expr], sp.Expr]) -> sp.Expr:
    """The same expression with other Rationals and Floats, nothing else worked out."""
    made: dict[sp.Basic, sp.Basic] = {}
    for node in sp.postorder_traversal(expression):
        if node.is_Rational or node.is_Float:
            made[node] = change(node)
        elif node not in made:
            made[node] = remade(node, [made[part] for part in node.args])
    return made[expression]
