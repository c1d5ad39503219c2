"""Comparisons of what has cases itself, such as where(x > 0, x, 1) < y, case by case."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from kanstudio.formula.ast import Call, Compare, Node, Truth, children, with_children


def cases(node: Compare) -> list[tuple[Node, Compare]]:
    """The comparison with each value of its first `where` or `piecewise`, and when to take it.

    The first whose condition holds counts. Empty for a comparison without cases.
    """
    call = next((item for item in nodes(node) if _has_cases(item)), None)
    if call is None:
        return []
    *pairs, default = children(call)
    always = Truth(True, start=call.start, end=call.end)
    whens, values = [*pairs[::2], always], [*pairs[1::2], default]
    return [(when, _compared(node, call, value)) for when, value in zip(whens, values, strict=True)]


def nodes(node: Node) -> Iterator[Node]:
    """The node and all below it, parents first."""
    stack = [node]
    while stack:
        item = stack.pop()
        yield item
        stack.extend(reversed(children(item)))


def _has_cases(node: Node) -> bool:
    return isinstance(node, Call) and node.name in {"where", "piecewise"}


def _compared(node: Compare, call: Node, value: Node) -> Compare:
    left, right = (_with(side, call, value) for side in (node.left, node.right))
    return replace(node, left=left, right=right)


def _with(node: Node, old: Node, new: Node) -> Node:
    """The tree with a new node in place of one that is in it."""
    if node is old:
        return new
    below = children(node)
    found = tuple(_with(item, old, new) for item in below)
    if all(after is before for after, before in zip(found, below, strict=True)):
        return node
    return with_children(node, found)
