"""Where values depend on conditions: where(...), piecewise(...), cases and x if c else y.

Every form ends as a call of "where" or "piecewise" with conditions and values in turn and
a default at the end.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from kanstudio.formula.ast import Condition, Node, Truth
from kanstudio.formula.coverage import covers
from kanstudio.formula.limits import MAX_ARGUMENTS, refuse
from kanstudio.formula.reader import CLOSING, COMPARISONS, TokenReader
from kanstudio.formula.tokens import Token

_STARTS_CONDITION = frozenset({"not", "!", "truth", "falsehood", "logic"})
_CONTINUES = COMPARISONS | {"=", "and", "or", "if", "|"}
_PAIR_OPENING = frozenset("([{")
_AFTER_PAIR = frozenset({",", ")", "]", "}"})
_OTHERWISE = r"end with: value & \text{otherwise}"


class ConditionReader(TokenReader, ABC):
    """Reads conditions, and what is made of conditions and values."""

    @abstractmethod
    def sum(self) -> Node:
        """A value; the parser of values knows how."""

    # Conditions

    def expression(self) -> Node:
        """A value, or a condition where one stands."""
        node = self.negation() if self.token.kind in _STARTS_CONDITION else self.sum()
        if self.token.kind not in _CONTINUES or (
            self.token.kind == "|" and not self.starts_or(node)
        ):
            return node
        if self.token.kind == "=" and not self.groups:
            return node
        node = self.disjunction(node)
        return self.ternary(node) if self.token.kind == "if" else node

    def disjunction(self, first: Node) -> Node:
        """Conditions joined by or; the first one's left side has been read."""
        items = [self.conjunction(first)]
        while self.starts_or(items[-1]):
            if self.take().kind == "|" and self.token.kind == "|":
                self.take()
            items.append(self.conjunction(None))
        return items[0] if len(items) == 1 else self.logic("or", items, items[0].start)

    def starts_or(self, before: Node) -> bool:
        """or, || and a bar behind a condition."""
        kind = self.token.kind
        inside_bars = bool(self.groups) and self.groups[-1] == "|"
        return kind == "or" or (kind == "|" and isinstance(before, Condition) and not inside_bars)

    def conjunction(self, first: Node | None) -> Node:
        items = [self.comparison(first)]
        while self.token.kind == "and":
            self.take()
            items.append(self.comparison(None))
        return items[0] if len(items) == 1 else self.logic("and", items, items[0].start)

    def comparison(self, first: Node | None) -> Node:
        """x < 1, or 0 < x < 1 where a chain may stand."""
        if first is None:
            first = self.negation() if self.token.kind in _STARTS_CONDITION else self.sum()
        found: list[Node] = []
        left = first
        while self.token.kind in COMPARISONS or self.token.kind == "=":
            if found and not self.chains:
                hint = "write 0 < x and x < 1"
                self.fail("a chained comparison", self.token, hint)
            operator = self.take().kind
            outer, self.comparing = self.comparing, len(self.groups)
            right = self.sum()
            self.comparing = outer
            found.append(self.compared("==" if operator == "=" else operator, left, right))
            left = right
        if not found:
            return first
        return found[0] if len(found) == 1 else self.logic("and", found, first.start)

    def negation(self) -> Node:
        """not c, and And(c, d)."""
        token = self.take()
        span = {"start": token.start, "end": token.end}
        if token.kind in {"truth", "falsehood"}:
            return self.made(Truth(token.kind == "truth", **span))
        self.enter()
        if token.kind == "logic":
            node = self.logic_call(token)
        else:
            node = self.logic("not", [self.comparison(None)], token.start)
        self.leave()
        return node

    def logic_call(self, token: Token) -> Node:
        opening = self.take()
        self.groups.append(opening.kind)
        items = [self.expression()]
        while self.token.kind == ",":
            self.take()
            items.append(self.expression())
        self.close(opening)
        if token.text == "not" and len(items) > 1:
            self.fail("Not takes 1 argument", token)
        return self.logic(token.text, items, token.start)

    @abstractmethod
    def close(self, opened: Token) -> None: ...

    # Values that depend on them

    def ternary(self, value: Node) -> Node:
        """value if condition else other."""
        self.check_value(value)
        self.enter()
        self.take()
        outer, self.chains = self.chains, True
        condition = self.expression()
        self.chains = outer
        if self.token.kind != "else":
            hint = "write where(x > 0, a, b)"
            self.fail("if stands only in: value if condition else value", self.token, hint)
        self.take()
        other = self.expression()
        self.leave()
        self.check_value(other)
        self.check_condition(condition)
        return self.call("where", value.start, condition, value, other)

    def check_condition(self, node: Node) -> None:
        if not isinstance(node, Condition):
            message = "a condition is expected here"
            refuse(message, self.text, node.start, node.end, "write one such as x > 0")

    def cases(self, opened: Token) -> Node:
        r"""\begin{cases} value & condition \\ ... \end{cases}, from behind its beginning."""
        self.groups.append("cases")
        outer, self.chains = self.chains, True
        pairs: list[tuple[Node, Node | None]] = []
        while self.token.kind != "end cases":
            pairs.append(self.case_row(opened))
            if self.token.kind == "row":
                self.take()
            elif self.token.kind != "end cases":
                self.close(opened)
        self.take()
        self.groups.pop()
        self.chains = outer
        return self.from_pairs(pairs, opened, _OTHERWISE)

    def case_row(self, opened: Token) -> tuple[Node, Node | None]:
        if self.token.kind == "row":
            self.fail("an empty row of cases", self.token)
        value = self.sum()
        self.check_value(value)
        condition: Node | None = None
        self.skip({",", "column", "if"})
        if self.token.kind in {"otherwise", "else"}:
            self.take()
        elif self.token.kind not in {"row", "end cases", "end"}:
            condition = self.expression()
            self.check_condition(condition)
        self.skip({","})
        return value, condition

    def skip(self, kinds: set[str]) -> None:
        while self.token.kind in kinds:
            self.take()

    def from_pairs(self, pairs: list[tuple[Node, Node | None]], token: Token, hint: str) -> Node:
        """The call for pairs of a value and its condition; None is otherwise."""
        if not pairs:
            self.fail("no cases", token)
        if 2 * len(pairs) > MAX_ARGUMENTS:
            self.fail(f"more than {MAX_ARGUMENTS // 2} cases", token)
        early = next((row for row, (_, when) in enumerate(pairs[:-1]) if when is None), None)
        if early is not None:
            value = pairs[early][0]
            message = "only the last case may lack a condition"
            refuse(message, self.text, value.start, value.end)
        value, last = pairs[-1]
        conditions = [when for _, when in pairs if when is not None]
        if last is not None:
            if not covers(conditions):
                self.fail("the cases leave some values out", token, hint)
            if last != Truth(True, start=0, end=0):
                self.note("the last case is read as: in all other places")
        if len(pairs) == 1:
            return value
        flat = [part for then, when in pairs[:-1] if when is not None for part in (when, then)]
        return self.call("piecewise", token.start, *flat, value)

    # piecewise((value, condition), ...), as sympy and Mathematica write it

    def at_pairs(self) -> bool:
        return self.at_list_of_pairs() or self.at_pair(self.at)

    def at_list_of_pairs(self) -> bool:
        return self.token.kind in {"[", "{"} and self.at_pair(self.at + 1)

    def at_pair(self, start: int) -> bool:
        """Does a bracket with two parts start there, and nothing but a comma follow it?"""
        depth, commas = 0, 0
        for at in range(start, len(self.tokens)):
            kind = self.tokens[at].kind
            if kind in _PAIR_OPENING:
                depth += 1
            elif kind in {")", "]", "}"}:
                depth -= 1
                if depth == 0:
                    return commas == 1 and self.tokens[at + 1].kind in _AFTER_PAIR
            elif kind == "," and depth == 1:
                commas += 1
            if depth == 0:
                break
        return False

    def pairs(self, function: Token, closing: str) -> Node:
        """The arguments, from behind the bracket to the closing one, not taken."""
        outer, self.chains = self.chains, True
        if not self.at_list_of_pairs():
            found = self.pair_list(closing)
        else:  # {{value, condition}, ...}, default
            opening = self.take()
            self.groups.append(opening.kind)
            found = self.pair_list(CLOSING[opening.kind])
            self.close(opening)
            if self.token.kind == ",":
                self.take()
                found.append((self.value(), None))
        self.chains = outer
        return self.from_pairs(found, function, "end with: (value, True)")

    def pair_list(self, closing: str) -> list[tuple[Node, Node | None]]:
        found: list[tuple[Node, Node | None]] = []
        while True:
            paired = self.at_pair(self.at)
            found.append(self.pair() if paired else (self.value(), None))
            if self.token.kind != ",":
                return found
            self.take()
            if self.token.kind == closing:
                return found

    def value(self) -> Node:
        node = self.sum()
        self.check_value(node)
        return node

    def pair(self) -> tuple[Node, Node | None]:
        opening = self.take()
        self.groups.append(opening.kind)
        value = self.expression()
        self.check_value(value)
        self.take()  # the comma that at_pair has seen
        if self.token.kind == "otherwise":
            self.take()
            condition: Node | None = None
        else:
            condition = self.expression()
            self.check_condition(condition)
        if self.token.kind != CLOSING[opening.kind]:
            self.unexpected(self.token)
        self.take()
        self.groups.pop()
        return value, condition
