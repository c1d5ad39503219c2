"""Calls: f(x), f x, f^2(x), f^-1 x, log_2 x, and which arguments a function takes."""

from __future__ import annotations

from abc import abstractmethod
from fractions import Fraction

from kanstudio.formula.ast import Condition, Constant, Node, Number, Variable
from kanstudio.formula.conditions import ConditionReader
from kanstudio.formula.coverage import rational
from kanstudio.formula.limits import MAX_ARGUMENTS, refuse
from kanstudio.formula.reader import CLOSING
from kanstudio.formula.symbols import INVERSES, arity, own_name
from kanstudio.formula.tokens import Token

_NO_ARGUMENT = frozenset(CLOSING.values()) | {"end", "row", "column", ","}


class CallReader(ConditionReader):
    """Reads a function and its arguments; what they are made of, the parser knows."""

    @abstractmethod
    def signed(self) -> Node: ...

    @abstractmethod
    def tight(self) -> Node: ...

    @abstractmethod
    def atom(self) -> Node: ...

    @abstractmethod
    def group(self, token: Token) -> Node: ...

    @abstractmethod
    def superscript(self, token: Token) -> Node: ...

    @abstractmethod
    def starts_operand(self, token: Token) -> bool: ...

    @abstractmethod
    def check_juxtaposition(self, before: Node) -> None: ...

    @abstractmethod
    def factors(self, factors: list[Node], divided: list[bool]) -> Node: ...

    def function(self, token: Token) -> Node:
        """f(x), f x, f^2(x), f^-1 x, log_2 x."""
        base = self.base_in_braces()
        exponent = self.function_power(token)
        opening = self.token
        if exponent is None and opening.kind in {"(", "["} and token.text == "piecewise":
            return self.piecewise(token)
        if opening.kind in {"(", "[", "{"}:
            arguments = self.arguments(token)
        elif opening.kind in {"|", "lbar"}:
            arguments = [self.group(self.take())]
        else:
            arguments = [self.bare_argument(token)]
        if base is not None and len(arguments) > 1:
            self.fail("log has a base already", token, "write log(x, b)")
        arguments += [] if base is None else [base]
        node = self.applied(token, arguments, inverse=exponent == "inverse")
        return self.power(node, exponent) if isinstance(exponent, Node) else node

    def base_in_braces(self) -> Node | None:
        r"""The base of \log_{2n} x."""
        if self.token.kind != "base":
            return None
        self.take()
        return self.group(self.take())

    def applied(self, token: Token, arguments: list[Node], inverse: bool) -> Node:
        word = token.text
        if word.startswith("log_"):
            base = word.removeprefix("log_")
            arguments = [*arguments, self.base_of_logarithm(base, token)]
            word = "log"
        name = own_name(word)
        if name == "log" and len(arguments) == 1 and word == "log":
            self.note("log is the natural logarithm")
        if inverse:
            self.note(f"{name}^-1 is the inverse function {INVERSES[name]}, not 1/{name}")
            name = INVERSES[name]
        least, most = arity(word)
        if not least <= len(arguments) <= most:
            wanted = f"{least}" if least == most else f"{least} to {most}"
            plural = "" if wanted == "1" else "s"
            message = f"{word} takes {wanted} argument{plural}, not {len(arguments)}"
            self.fail(message, token, self.hint_for(name, arguments))
        if len(arguments) == 2 and self.text[token.start : token.end] == "Log":
            self.fail("Log[b, x] and log(x, b) differ", token, "write log(x, b): the base last")
        return self.call(name, token.start, *arguments)

    def hint_for(self, name: str, arguments: list[Node]) -> str:
        """What is meant perhaps by a call with too many or too few arguments."""
        if name == "arctan" and len(arguments) == 2:
            return "write atan2(y, x)"
        if name == "heaviside":
            return "its value at 0 is 1/2"
        if len(arguments) == 2 and all(isinstance(item, Number) for item in arguments):
            return "write a decimal point, not a comma"
        return ""

    def piecewise(self, token: Token) -> Node:
        """piecewise(condition, value, ..., default) or piecewise((value, condition), ...)."""
        opening = self.take()
        self.groups.append(opening.kind)
        if self.at_pairs():
            node = self.pairs(token, CLOSING[opening.kind])
            self.close(opening)
            return node
        self.groups.pop()
        self.at -= 1
        return self.applied(token, self.arguments(token), inverse=False)

    def base_of_logarithm(self, base: str, token: Token) -> Node:
        span = {"start": token.start, "end": token.end}
        if base.isdigit():
            return self.made(Number(Fraction(int(base)), base, **span))
        if base == "e":
            return self.made(Constant("e", **span))
        return self.made(Variable(base, **span))

    def function_power(self, token: Token) -> Node | str | None:
        """The power between a function and its argument; "inverse" for -1."""
        start = self.at
        if self.token.kind == "power":
            exponent = self.superscript(self.take())
        elif self.token.kind == "^":
            self.take()
            minus = self.token.kind == "-" and bool(self.take())
            sign = self.tokens[self.at - 1].start
            if self.token.kind not in {"number", "(", "{", "["}:
                name = token.text
                hint = f"write ({name}(x))^n"
                self.fail(f"the power of {name} itself must be a number", self.token, hint)
            exponent = self.atom()
            exponent = self.negative(exponent, sign) if minus else exponent
        else:
            return None
        if rational(exponent) is None:
            name = token.text
            self.at = start
            hint = f"write ({name}(x))^n"
            self.fail(f"the power of {name} itself must be a number", self.token, hint)
        if rational(exponent) != -1:
            return exponent
        name = token.text
        if name.startswith("log_") or own_name(name) not in INVERSES:
            self.fail(f"{name}^-1 has no reading", token, f"write 1/{name}(x) or its inverse")
        return "inverse"

    def arguments(self, function: Token) -> list[Node]:
        opening = self.take()
        closing = CLOSING[opening.kind]
        self.groups.append(opening.kind)
        if self.token.kind == closing:
            self.fail(f"{function.text} needs an argument", self.token)
        found = [self.expression()]
        while self.token.kind == ",":
            self.take()
            found.append(self.expression())
            if len(found) > MAX_ARGUMENTS:
                self.fail(f"more than {MAX_ARGUMENTS} arguments", function)
        self.close(opening)
        conditions = [isinstance(item, Condition) for item in found]
        self.check_arguments(function, found, conditions)
        return found

    def check_arguments(self, function: Token, found: list[Node], conditions: list[bool]) -> None:
        if function.text not in {"where", "piecewise"}:
            if any(conditions):
                where = found[conditions.index(True)]
                message = "a comparison stands only in where(x > 0, a, b) or piecewise"
                refuse(message, self.text, where.start, where.end)
            return
        wanted = [number % 2 == 0 for number in range(len(found) - 1)] + [False]
        if len(found) % 2 == 0 or conditions != wanted:
            form = "where(x > 0, a, b)"
            if function.text == "piecewise":
                form = "piecewise(x < 0, a, x < 1, b, c): conditions and values, then a default"
            self.fail(f"{function.text} needs other arguments", function, f"write {form}")

    def bare_argument(self, function: Token) -> Node:
        """The argument of sin 2x, sin -x, sin cos x: factors side by side."""
        if not (self.starts_operand(self.token) or self.token.kind in {"+", "-"}):
            hint = f"write {function.text}(x)" if self.token.kind not in _NO_ARGUMENT else ""
            self.fail(f"{function.text} needs an argument", function, hint)
        sign = self.token
        spaced = sign.kind in {"+", "-"} and self.text[sign.end : sign.end + 1] == " "
        if sign.kind == "+" or (spaced and self.text[sign.start - 1] == " "):
            self.fail(f"{function.text} needs an argument", function, "write it in brackets")
        self.enter()
        called = self.token.kind == "function"
        factors = [self.signed()]
        while not called and self.starts_operand(self.token) and self.token.kind != "function":
            token = self.token
            if token.kind in {"(", "[", "{", "|"}:
                name = function.text
                self.fail(f"where does the argument of {name} end?", token, f"write {name}(...)")
            self.check_juxtaposition(factors[-1])
            factors.append(self.tight())
        self.leave()
        if self.token.kind in {"*", "/"} and not called:
            read = self.text[function.start : factors[-1].end]
            self.note(f"{read} ends before {self.text[self.token.start : self.token.end]}")
        return self.factors(factors, [False] * len(factors))
