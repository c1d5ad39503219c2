"""Do some conditions hold everywhere, taken together?

Decided exactly where they compare one expression with numbers, and for a condition with
its opposite. Everything else counts as no.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from fractions import Fraction

from kanstudio.formula.ast import Compare, Logic, Negative, Node, Number, Product, Truth

_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
_OPPOSITE = {"<": ">=", ">=": "<", ">": "<=", "<=": ">", "==": "!=", "!=": "=="}


def covers(conditions: Sequence[Node]) -> bool:
    """Does at least one of the conditions hold, whatever the values of the variables?"""
    if any(isinstance(item, Truth) and item.value for item in conditions):
        return True
    found = [part for item in conditions for part in _comparisons(item)]
    subjects = {_split(item)[0] for item in found}
    if found and len(subjects) == 1 and None not in subjects:
        return all(any(_holds(item, at) for item in conditions) for at in _probes(found))
    if len(conditions) != 2:
        return False
    first, second = conditions
    return isinstance(first, Compare) and isinstance(second, Compare) and _opposite(first, second)


def rational(node: Node) -> Fraction | None:
    """The value of a rational constant written with numbers only; None for the rest."""
    match node:
        case Number():
            return node.value
        case Negative():
            value = rational(node.item)
            return None if value is None else -value
        case Product(factors=(top, bottom), divided=(False, True)):
            over, under = rational(top), rational(bottom)
            return over / under if over is not None and under else None
    return None


def _comparisons(node: Node) -> Iterator[Compare]:
    if isinstance(node, Compare):
        yield node
    elif isinstance(node, Logic):
        for item in node.items:
            yield from _comparisons(item)


def _split(item: Compare) -> tuple[Node | None, str, Fraction]:
    """(x, ">", 2) for x > 2 and for 2 < x; (None, ...) where no side is a number."""
    left, right = rational(item.left), rational(item.right)
    if right is not None and left is None:
        return item.left, item.operator, right
    if left is not None and right is None:
        return item.right, _MIRRORED[item.operator], left
    return None, item.operator, Fraction(0)


def _probes(found: Sequence[Compare]) -> list[Fraction]:
    """Every number that is compared with, one between any two, and one beyond each end."""
    limits = sorted({_split(item)[2] for item in found})
    between = [(low + high) / 2 for low, high in itertools.pairwise(limits)]
    return [limits[0] - 1, *limits, *between, limits[-1] + 1]


def _holds(node: Node, at: Fraction) -> bool:
    match node:
        case Truth():
            return node.value
        case Compare():
            _, operator, limit = _split(node)
            return compare(operator, at, limit)
        case Logic(operator="and"):
            return all(_holds(item, at) for item in node.items)
        case Logic(operator="or"):
            return any(_holds(item, at) for item in node.items)
        case Logic():
            return not _holds(node.items[0], at)
    raise AssertionError(node)


def compare(operator: str, left: float | Fraction, right: float | Fraction) -> bool:
    """Does left < right hold, for an operator < <= > >= == or !=?"""
    if operator in {"==", "!="}:
        return (left == right) == (operator == "==")
    if operator in {"<", "<="}:
        return left < right or (operator == "<=" and left == right)
    return left > right or (operator == ">=" and left == right)


def _opposite(first: Compare, second: Compare) -> bool:
    same = (second.left, second.right) == (first.left, first.right)
    turned = (second.right, second.left) == (first.left, first.right)
    wanted = _OPPOSITE[first.operator]
    return (same and second.operator == wanted) or (turned and second.operator == _MIRRORED[wanted])
