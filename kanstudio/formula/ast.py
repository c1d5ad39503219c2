"""The syntax tree of a formula: immutable, with flat sums and products."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Node:
    """Something that text[start:end] says; depth is 1 for a leaf."""

    start: int = field(kw_only=True, compare=False)
    end: int = field(kw_only=True, compare=False)
    depth: int = field(kw_only=True, compare=False, default=1)


@dataclass(frozen=True, slots=True)
class Number(Node):
    """A numeral: its exact value and how it was written."""

    value: Fraction
    text: str


@dataclass(frozen=True, slots=True)
class Constant(Node):
    """ "pi" or "e"."""

    name: str


@dataclass(frozen=True, slots=True)
class Variable(Node):
    name: str


@dataclass(frozen=True, slots=True)
class Negative(Node):
    item: Node


@dataclass(frozen=True, slots=True)
class Sum(Node):
    """At least two terms; a difference has a Negative term."""

    terms: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Product(Node):
    """At least two factors from left to right; divided[i] says that factor i divides."""

    factors: tuple[Node, ...]
    divided: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Power(Node):
    base: Node
    exponent: Node


@dataclass(frozen=True, slots=True)
class Call(Node):
    """A function by its own name: 'arcsin' for asin(x), 'abs' for |x|, 'log' with a base."""

    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Compare(Node):
    """A condition, which only `where` and `piecewise` take.

    operator is <, <=, >, >=, == or !=.
    """

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Logic(Node):
    """Conditions joined by "and" or "or", or the "not" of a single one."""

    operator: str
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Truth(Node):
    """A condition that always holds, or never."""

    value: bool


Condition = Compare | Logic | Truth


def children(node: Node) -> tuple[Node, ...]:
    """The nodes right below."""
    match node:
        case Negative():
            return (node.item,)
        case Sum():
            return node.terms
        case Product():
            return node.factors
        case Power():
            return (node.base, node.exponent)
        case Call():
            return node.arguments
        case Compare():
            return (node.left, node.right)
        case Logic():
            return node.items
    return ()


def with_children(node: Node, found: tuple[Node, ...]) -> Node:
    """The node with others right below, as many as it has."""
    match node:
        case Negative():
            return replace(node, item=found[0])
        case Sum():
            return replace(node, terms=found)
        case Product():
            return replace(node, factors=found)
        case Power():
            return replace(node, base=found[0], exponent=found[1])
        case Call():
            return replace(node, arguments=found)
        case Compare():
            return replace(node, left=found[0], right=found[1])
        case Logic():
            return replace(node, items=found)
    return node
