"""Conditions in sympy, compared and joined without being simplified."""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

RELATIONS: Mapping[str, type[sp.Rel]] = {
    "<": sp.StrictLessThan,
    "<=": sp.LessThan,
    ">": sp.StrictGreaterThan,
    ">=": sp.GreaterThan,
    "==": sp.Equality,
    "!=": sp.Unequality,
}
NEGATED: Mapping[str, str] = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}


def joined(head: type[sp.Basic], parts: list[sp.Basic]) -> sp.Basic:
    """And or Or of conditions, constants worked out, nothing else simplified."""
    deciding, idle = (sp.false, sp.true) if head is sp.And else (sp.true, sp.false)
    if deciding in parts:
        return deciding
    left = list(dict.fromkeys(part for part in parts if part is not idle))
    if len(left) < 2:
        return left[0] if left else idle
    return head(*left, evaluate=False)


def opposite(condition: sp.Basic) -> sp.Basic:
    """The condition that holds where this one does not."""
    if isinstance(condition, sp.And | sp.Or):
        return sp.Not(condition, evaluate=False)
    return condition.negated if isinstance(condition, sp.Rel) else sp.Not(condition)
