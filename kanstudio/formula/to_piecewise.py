"""From `where` and `piecewise` to sympy's Piecewise, nothing evaluated by sympy."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NoReturn

import sympy as sp

from kanstudio.formula.ast import Call, Compare, Logic, Node, Truth
from kanstudio.formula.cases import cases, nodes
from kanstudio.formula.coverage import compare
from kanstudio.formula.limits import MAX_NODES, refuse
from kanstudio.formula.sympy_logic import NEGATED, RELATIONS, joined, opposite


@dataclass(frozen=True, slots=True)
class Built:
    """A sympy expression; value in float64 where it is constant; its number of nodes."""

    expr: sp.Expr
    value: float | None
    size: int


class PiecewiseBuilder(ABC):
    """Builds cases; `build` makes everything else."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.n_written = 0  # nodes of comparisons that are written out case by case

    @abstractmethod
    def build(self, node: Node) -> Built: ...

    def refuse(self, message: str, node: Node, hint: str = "") -> NoReturn:
        refuse(message, self.text, node.start, node.end, hint)

    def piecewise(self, node: Call) -> Built:
        pieces: list[tuple[sp.Expr, sp.Basic]] = []
        size = 1
        for item, value in zip(node.arguments[:-1:2], node.arguments[1::2], strict=True):
            condition, count = self.condition(item, holds=True)
            if condition is sp.false:
                continue
            then = self.build(value)
            if condition is sp.true:
                return self.with_default(pieces, then, size)
            size += count + then.size
            pieces.append((then.expr, condition))
        return self.with_default(pieces, self.build(node.arguments[-1]), size)

    def condition(self, node: Node, holds: bool) -> tuple[sp.Basic, int]:
        """The condition, or its opposite, and the number of nodes; true or false if constant."""
        match node:
            case Truth():
                return (sp.true if node.value == holds else sp.false), 1
            case Compare():
                operator = node.operator if holds else NEGATED[node.operator]
                return self.comparison(node, operator)
            case Logic(operator="not"):
                return self.condition(node.items[0], not holds)
            case Logic():
                parts = [self.condition(item, True) for item in node.items]
                head = sp.And if node.operator == "and" else sp.Or
                size = 1 + sum(count for _, count in parts)
                whole = joined(head, [part for part, _ in parts])
                return (whole if holds else opposite(whole)), size
        raise AssertionError(node)

    def comparison(self, node: Compare, operator: str) -> tuple[sp.Basic, int]:
        if found := cases(node):
            return self.compared_by_cases(node, operator, found)
        left, right = self.build(node.left), self.build(node.right)
        size = left.size + right.size
        if left.value is not None and right.value is not None:
            return (sp.true if compare(operator, left.value, right.value) else sp.false), size
        return RELATIONS[operator](left.expr, right.expr, evaluate=False), size

    def compared_by_cases(
        self, node: Compare, operator: str, found: list[tuple[Node, Compare]]
    ) -> tuple[sp.Basic, int]:
        """As and and or: sympy has no condition about a Piecewise."""
        elsewhere: list[sp.Basic] = []
        parts: list[sp.Basic] = []
        size = 1
        for when, compared in found:
            self.n_written += sum(1 for _ in nodes(compared))
            self.check_written(self.n_written, node)
            holds, count = self.comparison(compared, operator)
            chosen, n_chosen = self.condition(when, True)
            parts.append(joined(sp.And, [*elsewhere, chosen, holds]))
            elsewhere.append(opposite(chosen))
            # A condition is written for its own case and for each that follows.
            size += count + n_chosen * (len(found) - len(elsewhere) + 1)
            self.check_written(size, node)
        return joined(sp.Or, parts), size

    def check_written(self, size: int, node: Node) -> None:
        if size > MAX_NODES:
            self.refuse(f"written out, more than {MAX_NODES} operations", node)

    def with_default(self, pieces: list[tuple[sp.Expr, sp.Basic]], last: Built, size: int) -> Built:
        if not pieces:
            return last
        expr = sp.Piecewise(*pieces, (last.expr, sp.true), evaluate=False)
        return Built(expr, None, size + last.size)
