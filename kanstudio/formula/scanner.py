"""Tokens, and how names and numbers are cut out of the text."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fractions import Fraction

from kanstudio.formula.limits import MAX_NUMERAL, refuse
from kanstudio.formula.spelling import MODULES, VULGAR_FRACTIONS
from kanstudio.formula.symbols import SUBSCRIPTS, SUPERSCRIPTS, greek_name

OPENING = frozenset({"(", "[", "{", "lfloor", "lceil", "cases"})
ENDING = frozenset({")", "]", "}", "rfloor", "rceil", "end cases"})

_NUMBER = re.compile(r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_NUMBER_BEFORE_DOT = re.compile(r"\d+(?=\.[*/^])|" + _NUMBER.pattern, re.ASCII)
_HEXADECIMAL = re.compile(r"0[xX][0-9a-fA-F]*\d[0-9a-fA-F]*")
_GROUPED = re.compile(r"\d{1,3}(?:,\d{3})+(?!\d)", re.ASCII)
_MODULE_DOT = re.compile(r"\.(?=[A-Za-z])")
_AFTER_SYMBOL = re.compile(r"\d*", re.ASCII)
_LETTER_OR_DIGIT = r"(?:[A-Za-z0-9]|\\?_)"
_SUBSCRIPT = re.compile(
    r"_\s*(?:([A-Za-z0-9]+)|\{\s*\\?([A-Za-z0-9]+)\s*\}"
    rf"|\{{\s*\\(?:text|mathrm)\s*\{{\s*({_LETTER_OR_DIGIT}+)\s*\}}\s*\}}"
    rf"|\\(?:text|mathrm)\s*\{{\s*({_LETTER_OR_DIGIT}+)\s*\}}|\\([A-Za-z]+))",
    re.ASCII,
)
# The base of a logarithm that is more than a number or a letter: the brace comes next.
_BASE = re.compile(r"_\s*(?=\{(?!\s*(?:\d+|[A-Za-z])\s*\}))", re.ASCII)
_DIGIT = re.compile(r"\d", re.ASCII)
_RAISED = re.compile(r"\d+|[a-z]|[-+()/]")
_MAX_RAISED = 40


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of text[start:end].

    symbol: a word that is one Greek letter or LaTeX name, never to be split.
    glued: the word before it was typed together with it, and was split.
    upright: a word from \\mathrm{} or the like, which is one name even in LaTeX.
    """

    kind: str
    text: str
    start: int
    end: int
    symbol: bool = False
    glued: bool = False
    upright: bool = False


class Scanner:
    """A place in the text, and the tokens that were found before it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.tokens: list[Token] = []
        self.open_brackets = 0

    @property
    def last_kind(self) -> str:
        return self.tokens[-1].kind if self.tokens else ""

    def add(self, kind: str, end: int, text: str = "", symbol: bool = False) -> None:
        self.tokens.append(Token(kind, text or kind, self.at, end, symbol))
        if kind in OPENING:
            self.open_brackets += 1
        elif kind in ENDING:
            self.open_brackets = max(0, self.open_brackets - 1)
        self.at = end

    # Numbers

    def number(self) -> bool:
        """Take a numeral, if one starts here."""
        text, start = self.text, self.at
        match = _NUMBER_BEFORE_DOT.match(text, start)
        if match is None:
            return False
        end = match.end()
        if _HEXADECIMAL.match(text, start):
            refuse("hexadecimal numbers are not read", text, start, end, "write it in decimal")
        if end - start > MAX_NUMERAL:
            refuse(f"a number of more than {MAX_NUMERAL} characters", text, start, end)
        if end < len(text) and text[end] == "." and text[end + 1 : end + 2] not in {"*", "/", "^"}:
            refuse("a number with two decimal points", text, start, end + 1)
        if not self.open_brackets and (grouped := _GROUPED.match(text, start)):
            hint = f"write {grouped[0].replace(',', '')} without commas, or a decimal point"
            refuse("a comma inside a number", text, start, grouped.end(), hint)
        # \frac12 and \frac1x: without braces, an argument is one digit.
        earlier = self.tokens[-2] if len(self.tokens) > 1 else None
        second = self.last_kind == "number" and earlier is not None and earlier.kind == "frac"
        first = self.last_kind in {"frac", "binomial"}
        if first or (second and self.tokens[-1].end - self.tokens[-1].start == 1):
            match = _DIGIT.match(text, start) or match
        self.add("number", match.end(), match[0])
        return True

    def vulgar_fraction(self) -> None:
        """½, and 2½ with the whole number before it."""
        self.fraction(VULGAR_FRACTIONS[self.text[self.at]], self.at + 1)

    def fraction(self, value: Fraction, end: int) -> None:
        last = self.tokens[-1] if self.tokens else None
        if last and last.kind == "number" and last.end == self.at and last.text.isdigit():
            value += int(last.text)
            self.at = self.tokens.pop().start
        self.add("fraction", end, f"{value.numerator}/{value.denominator}")

    # Names

    def word(self, name: str, end: int, upright: bool = False) -> None:
        r"""A run of letters and digits, with a subscript if one follows.

        upright: from \mathrm{} or the like, where log_{2n} is a name.
        """
        dot = _MODULE_DOT.match(self.text, end) if name in MODULES else None
        if dot:  # np.sin: only where a name comes from
            self.at = dot.end()
            return
        if len(name) > 1 and self.one_letter_each():
            name, end = name[0], self.at + 1
        if name == "log" and not upright and (brace := _BASE.match(self.text, end)):
            self.add("word", end, name)
            self.add("base", brace.end())
            return
        while True:
            subscript, after = self.subscript(end)
            if not subscript:
                break
            name, end = f"{name}_{subscript}", after
        self.add("word", end, name)

    def one_letter_each(self) -> bool:
        r"""\frac ab: without braces, an argument is one letter."""
        if self.last_kind == "word" and len(self.tokens) > 1:
            last = self.tokens[-1]
            return self.tokens[-2].kind == "frac" and last.end - last.start == 1
        return self.last_kind == "frac"

    def symbol(self, name: str, end: int) -> None:
        """A Greek letter or LaTeX name: digits and a subscript belong to it, letters do not."""
        digits = _AFTER_SYMBOL.match(self.text, end)
        if digits and digits[0]:
            name, end = name + digits[0], digits.end()
        subscript, after = self.subscript(end)
        if subscript:
            name, end = f"{name}_{subscript}", after
        self.add("word", end, name, symbol=True)

    def subscript(self, at: int) -> tuple[str, int]:
        """The subscript that starts at a position, and where it ends; ("", at) for none."""
        text = self.text
        small = at
        while small < len(text) and text[small] in SUBSCRIPTS:
            small += 1
        if small > at:
            return "".join(SUBSCRIPTS[char] for char in text[at:small]), small
        if at >= len(text) or text[at] != "_":
            return "", at
        if at + 1 < len(text) and (name := greek_name(text[at + 1])):
            return name, at + 2
        match = _SUBSCRIPT.match(text, at)
        if match is None:
            hint = "write x_1 or x_max"
            if text[at + 1 : at + 2] == "{":
                hint = "write x_1 or x_max, and x_12 for x_{1,2}"
            refuse("a subscript is a plain name or number", text, at, at + 1, hint)
        return next(filter(None, match.groups())).replace("\\", ""), match.end()

    def powered_word(self) -> int | None:
        """Where the word of x^2 or x^{2n} is among the tokens, if that ends here."""
        at = len(self.tokens) - 1
        if at < 1 or self.tokens[at].end != self.at:
            return None
        if self.last_kind == "}":
            depth = 0
            while at >= 0:
                depth += (self.tokens[at].kind == "}") - (self.tokens[at].kind == "{")
                if depth == 0:
                    break
                at -= 1
        at -= 1 if self.last_kind == "power" else 2
        raised = self.last_kind == "power" or (at >= 0 and self.tokens[at + 1].kind == "^")
        word = at >= 0 and raised and self.tokens[at].kind == "word"
        return at if word and "_" not in self.tokens[at].text else None

    def late_subscript(self, at: int) -> None:
        """LaTeX lets the subscript stand behind the power: x^{2}_{1} is x_1^2."""
        word = self.tokens[at]
        subscript, self.at = self.subscript(self.at)
        self.tokens[at] = replace(word, text=f"{word.text}_{subscript}")

    # Superscripts

    def superscript(self) -> None:
        """x², x⁻¹, eˣ, x⁽ⁿ⁺¹⁾ and the ¹⁄₂ that is a fraction."""
        text, start = self.text, self.at
        end = start
        while end < len(text) and self._raised(end):
            end += 1
        raised = "".join(SUPERSCRIPTS.get(char, "/") for char in text[start:end])
        below = end + 1
        while below < len(text) and text[below] in SUBSCRIPTS:
            below += 1
        if text[end : end + 1] == "⁄" and below > end + 1 and raised.isdigit():
            under = "".join(SUBSCRIPTS[char] for char in text[end + 1 : below])
            if not under.isdigit() or int(under) == 0 or below - start > MAX_NUMERAL:
                refuse("a fraction that cannot be read", text, start, below)
            self.fraction(Fraction(int(raised), int(under)), below)
        elif re.fullmatch(r"[+-]?\d{1,6}", raised):
            self.add("power", end, raised)
        elif end - start > _MAX_RAISED or not re.search("[a-z0-9]", raised):
            refuse("an exponent that cannot be read", text, start, end)
        else:
            self.raised_formula(raised, end)

    def _raised(self, at: int) -> bool:
        text = self.text
        slash = text[at] == "⁄" and text[at + 1 : at + 2] in SUPERSCRIPTS
        return text[at] in SUPERSCRIPTS or (slash and at + 1 < len(text))

    def raised_formula(self, raised: str, end: int) -> None:
        """Superscripts with letters are a power with an exponent in brackets."""
        start = self.at
        for kind in ("^", "("):
            self.add(kind, start)
        for piece in _RAISED.finditer(raised):
            self.at = start + piece.start()
            kind = "number" if piece[0].isdigit() else "word" if piece[0].isalpha() else piece[0]
            self.add(kind, start + piece.end(), piece[0])
        self.add(")", end)
