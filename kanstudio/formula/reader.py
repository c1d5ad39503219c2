"""What every part of the parser needs: the next token, errors, and nodes within limits."""

from __future__ import annotations

from fractions import Fraction
from typing import NoReturn, TypeVar

from kanstudio.formula.ast import Call, Negative, Node, Number, Power
from kanstudio.formula.limits import MAX_DEPTH, MAX_NODES, refuse
from kanstudio.formula.tokens import Token

N = TypeVar("N", bound=Node)

CLOSING = {"(": ")", "[": "]", "{": "}", "|": "|", "lfloor": "rfloor", "lceil": "rceil"}
SHOWN = {"lfloor": "⌊", "rfloor": "⌋", "lceil": "⌈", "rceil": "⌉", "frac": r"\frac"}
COMPARISONS = frozenset({"<", ">", "<=", ">="})


class TokenReader:
    """Walks through the tokens of one statement.

    notes: how the text was read where that could be doubted.
    groups: the kinds of the brackets that are open, innermost last.
    """

    def __init__(self, text: str, tokens: list[Token], notes: dict[str, None]) -> None:
        self.text = text
        self.tokens = tokens
        self.notes = notes
        self.at = 0
        self.level = 0
        self.n_nodes = 0
        self.groups: list[str] = []

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
                self.fail(f"{SHOWN.get(self.groups[-1], self.groups[-1])} is never closed", token)
            self.fail("the formula ends early", token)
        if kind in COMPARISONS:
            self.fail("a comparison stands only in where(x > 0, a, b) or piecewise", token)
        if kind == "=":
            hint = "write y = ... to name an output"
            self.fail("= stands only after the name of an output", token, hint)
        if kind == ",":
            near = self.tokens[self.at - 1].kind, self.tokens[self.at + 1].kind
            comma = near == ("number", "number")
            hint = "write a decimal point" if comma else "separate outputs with ;"
            self.fail("a comma stands only between arguments", token, hint)
        if kind in CLOSING.values():
            opened = f", but {self.groups[-1]} is open" if self.groups else ""
            self.fail(f"{shown} closes nothing{opened}", token)
        self.fail(f"{shown} cannot stand here", token)

    # Nodes

    def made(self, node: N) -> N:
        self.n_nodes += 1
        if self.n_nodes > MAX_NODES:
            refuse(f"more than {MAX_NODES} operations", self.text, node.start, node.end)
        if node.depth > MAX_DEPTH:
            self.too_deep(node.start, node.end)
        return node

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

    def note(self, text: str) -> None:
        self.notes.setdefault(text)
