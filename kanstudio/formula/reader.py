"""What every part of the parser needs: the next token, errors, and nodes within limits."""

from __future__ import annotations

from fractions import Fraction
from typing import NoReturn, TypeVar

from kanstudio.formula.ast import (
    Call,
    Compare,
    Condition,
    Constant,
    Logic,
    Negative,
    Node,
    Number,
    Power,
    Product,
    children,
)
from kanstudio.formula.limits import MAX_DEPTH, MAX_NODES, refuse
from kanstudio.formula.tokens import Token

N = TypeVar("N", bound=Node)

CLOSING = {
    "(": ")", "[": "]", "{": "}", "|": "|", "lbar": "rbar", "lfloor": "rfloor",
    "lceil": "rceil", "cases": "end cases",
}  # fmt: skip
# These close wherever they stand; a plain bar may open too.
CLOSES = frozenset(CLOSING.values()) - {"|"}
SHOWN = {
    "lfloor": "⌊", "rfloor": "⌋", "lceil": "⌈", "rceil": "⌉", "frac": r"\frac", "lbar": r"\left|",
    "rbar": r"\right|", "cases": r"\begin{cases}", "end cases": r"\end{cases}", "row": r"\\",
}  # fmt: skip
COMPARISONS = frozenset({"<", ">", "<=", ">=", "==", "!="})
_EXPECTED = "a number, name or bracket is expected"
_WHERE = "a comparison stands only in where(x > 0, a, b) or piecewise"


class TokenReader:
    """Walks through the tokens of one statement.

    notes: how the text was read where that could be doubted.
    groups: the kinds of the brackets that are open, innermost last.
    chains: may comparisons be chained here? comparing: how many brackets were open when
    the comparison began whose right side is being read.
    """

    def __init__(self, text: str, tokens: list[Token], notes: dict[str, None]) -> None:
        self.text = text
        self.tokens = tokens
        self.notes = notes
        self.at = 0
        self.level = 0
        self.n_nodes = 0
        self.groups: list[str] = []
        self.chains = False
        self.comparing = -1

    # Tokens

    @property
    def token(self) -> Token:
        return self.tokens[self.at]

    def take(self) -> Token:
        token = self.tokens[self.at]
        if token.kind != "end":
            self.at += 1
        return token

    def fail(self, message: str, token: Token, hint: str = "") -> NoReturn:
        refuse(message, self.text, token.start, max(token.end, token.start + 1), hint)

    def unexpected(self, token: Token) -> NoReturn:
        """Say why this token cannot stand here."""
        kind = token.kind
        shown = SHOWN.get(kind, self.text[token.start : token.end])
        if kind == "end":
            if self.groups:
                opened = self.groups[-1]
                hint = f"{SHOWN.get(CLOSING[opened], CLOSING[opened])} is missing"
                self.fail(f"{SHOWN.get(opened, opened)} is never closed", token, hint)
            self.fail("the formula ends early", token, _EXPECTED)
        if self.lacks_operand(token):
            self.fail(f"something is missing before {shown}", token, _EXPECTED)
        if kind in {"==", "!="}:
            self.fail(_WHERE, token, "write y = ... to name an output")
        if kind in COMPARISONS:
            self.fail(_WHERE, token)
        if kind in {"=", ":="}:
            hint = "write y = ... to name an output"
            self.fail("= stands only after the name of an output", token, hint)
        if kind in {"and", "or", "not", "truth", "falsehood", "logic"}:
            hint = "write where(x > 0 and y > 0, a, b)"
            if shown == "~":
                hint = "write - for a minus sign"
            self.fail(f"{shown} stands only in a condition", token, hint)
        if kind in {"if", "else", "otherwise"}:
            self.fail(f"{shown} cannot stand here", token, "write where(x > 0, a, b)")
        if kind == ",":
            near = self.tokens[self.at - 1].kind, self.tokens[self.at + 1].kind
            comma = near == ("number", "number")
            hint = "write a decimal point" if comma else "separate outputs with ;"
            self.fail("a comma stands only between arguments", token, hint)
        if kind in CLOSING.values():
            opened = f", but {self.groups[-1]} is open" if self.groups else ""
            self.fail(f"{shown} closes nothing{opened}", token)
        self.fail(f"{shown} cannot stand here", token, self.hint(token))

    def lacks_operand(self, token: Token) -> bool:
        """max(x,,y), max(x,), where(> 0, 1, 2): is a comma or bracket where a value belongs?"""
        before = self.tokens[self.at - 1].kind if self.at else ""
        opened = before in CLOSING or before in {",", *COMPARISONS, "and", "or", "+", "-", "*", "/"}
        closes = bool(self.groups) and token.kind == CLOSING[self.groups[-1]]
        compares = bool(self.groups) and token.kind in COMPARISONS
        return opened and (closes or compares or (bool(self.groups) and token.kind == ","))

    def hint(self, token: Token) -> str:
        """What is expected where a token cannot stand."""
        before = self.tokens[self.at - 1] if self.at else None
        operators = {"+", "-", "*", "/", "^"}
        if token.kind in operators:
            if before is not None and before.kind in operators:
                signs = self.text[before.start : token.end]
                return f"{signs} has one sign too many: {_EXPECTED}"
            return f"{_EXPECTED} before it"
        return ""

    # Nodes

    def made(self, node: N) -> N:
        self.n_nodes += 1
        if self.n_nodes > MAX_NODES:
            refuse(f"more than {MAX_NODES} operations", self.text, node.start, node.end)
        if node.depth > MAX_DEPTH:
            self.too_deep(node.start, node.end)
        if not isinstance(node, Number):
            self.check_operands(node)
        return node

    def check_operands(self, node: Node) -> None:
        """Conditions are joined by logic, and everything else takes values."""
        if isinstance(node, Logic):
            for item in node.items:
                if not isinstance(item, Condition):
                    verb = "takes a condition" if node.operator == "not" else "joins conditions"
                    message = f"{node.operator} {verb}, and this is none"
                    refuse(message, self.text, item.start, item.end, "write x > 0 and y > 0")
        elif not (isinstance(node, Call) and node.name in {"where", "piecewise"}):
            for item in children(node):
                self.check_value(item)

    def check_value(self, node: Node) -> None:
        if isinstance(node, Condition):
            equal = isinstance(node, Compare) and node.operator == "=="
            hint = "write where(x > 0, 1, 0) for 1 where it holds and 0 elsewhere"
            if equal and not self.groups:
                hint = "write y = ... to name an output"
            refuse(_WHERE, self.text, node.start, node.end, hint)

    def too_deep(self, start: int, end: int) -> NoReturn:
        refuse(f"nested more than {MAX_DEPTH} deep", self.text, start, end)

    def enter(self) -> None:
        self.level += 1
        if self.level > MAX_DEPTH:
            self.too_deep(self.token.start, self.token.end)

    def leave(self) -> None:
        self.level -= 1

    def call(self, name: str, start: int, *arguments: Node) -> Node:
        depth = 1 + max(item.depth for item in arguments)
        end = self.tokens[self.at - 1].end
        return self.made(Call(name, arguments, start=start, end=end, depth=depth))

    def power(self, base: Node, exponent: Node) -> Node:
        depth = 1 + max(base.depth, exponent.depth)
        end = max(base.end, exponent.end)
        return self.made(Power(base, exponent, start=base.start, end=end, depth=depth))

    def negative(self, item: Node, start: int) -> Node:
        return self.made(Negative(item, start=start, end=item.end, depth=item.depth + 1))

    def number(self, token: Token) -> Node:
        text = token.text
        mantissa, _, exponent = text.lower().partition("e")
        # Before the value: a Fraction of 1e999999999 has as many digits.
        if exponent and (len(exponent) > 5 or abs(int(exponent)) > 400):
            self.fail(f"{text} is beyond 1e300", token)
        value = Fraction(mantissa) * Fraction(10) ** int(exponent or 0)
        return self.made(Number(value, text, start=token.start, end=token.end))

    def rational(self, value: str, start: int, end: int) -> Node:
        """The quotient that a text like 5/2 says."""
        parts = [
            self.made(Number(Fraction(part), part, start=start, end=end))
            for part in value.split("/")
        ]
        return self.made(Product(tuple(parts), (False, True), start=start, end=end, depth=2))

    def degrees(self, node: Node, token: Token) -> Node:
        """30° is 30*pi/180."""
        span = {"start": token.start, "end": token.end}
        half_turn = self.made(Number(Fraction(180), "180", **span))
        factors = (node, self.made(Constant("pi", **span)), half_turn)
        self.note("a degree is read as pi/180")
        flags = (False, False, True)
        span["start"] = node.start
        return self.made(Product(factors, flags, depth=1 + node.depth, **span))

    def compared(self, operator: str, left: Node, right: Node) -> Node:
        self.check_value(left)
        self.check_value(right)
        depth = 1 + max(left.depth, right.depth)
        span = {"start": left.start, "end": right.end}
        return self.made(Compare(operator, left, right, depth=depth, **span))

    def logic(self, operator: str, items: list[Node], start: int) -> Node:
        depth = 1 + max(item.depth for item in items)
        span = {"start": start, "end": items[-1].end}
        return self.made(Logic(operator, tuple(items), depth=depth, **span))

    def note(self, text: str) -> None:
        self.notes.setdefault(text)
