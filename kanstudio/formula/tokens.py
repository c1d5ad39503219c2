"""From text to tokens: ASCII, Unicode mathematics and pasted LaTeX become the same ones.

The kinds: "number", "word", "power" (superscript digits), "separator" (newline or
semicolon), "end", "frac", "root", "radical", "cube radical", "lfloor", "rfloor", "lceil",
"rceil", and for every operator and bracket its own text. Blanks, $ signs, comments after
# and newlines inside brackets leave no token.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from kanstudio.formula.limits import (
    MAX_CHARACTERS,
    MAX_NUMERAL,
    MAX_TOKENS,
    character_name,
    refuse,
    show,
)
from kanstudio.formula.symbols import (
    BLANK_COMMANDS,
    BLANK_ESCAPES,
    CALLABLE,
    CHARACTERS,
    COMMANDS,
    GREEK_COMMANDS,
    NAME_COMMANDS,
    SUBSCRIPTS,
    SUPERSCRIPTS,
    greek_name,
    twin,
)
from kanstudio.functions import suggest


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of text[start:end].

    symbol: a word that is one Greek letter or LaTeX name, never to be split.
    glued: the word before it was typed together with it, and was split.
    """

    kind: str
    text: str
    start: int
    end: int
    symbol: bool = False
    glued: bool = False


_NUMBER = re.compile(r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_HEXADECIMAL = re.compile(r"0[xX][0-9a-fA-F]*\d[0-9a-fA-F]*")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9]*")
_AFTER_SYMBOL = re.compile(r"\d*", re.ASCII)
_SUBSCRIPT = re.compile(
    r"_\s*(?:([A-Za-z0-9]+)|\{\s*\\?([A-Za-z0-9]+)\s*\}"
    r"|\{\s*\\(?:text|mathrm)\s*\{([A-Za-z0-9]+)\}\s*\}"
    r"|\\(?:text|mathrm)\s*\{([A-Za-z0-9]+)\}|\\([A-Za-z]+))",
    re.ASCII,
)
_PLAIN_NAME = re.compile(r"\s*\{\s*([A-Za-z][A-Za-z0-9]*)\s*\}", re.ASCII)
_COMMAND = re.compile(r"\\([A-Za-z]+)\*?")
_DIGIT = re.compile(r"\d", re.ASCII)
_TWO_CHARACTER = ("**", "<=", ">=", "==", "!=", "//", ":=", "&&", "||")
_OPERATORS = frozenset("+-*/^!()[]{}|,=<>")
# A line that ends with one of these goes on in the next line.
_GOES_ON = frozenset("+-*/^=,<>") | {"<=", ">=", "frac", "root", "radical"}
_HINTS = {
    "%": "write mod(x, 2)", "&": "", ":": "", ".": "a dot stands only inside a number",
    "'": "", '"': "", "@": "write * for a product", "_": "a name starts with a letter",
    "~": "write a minus sign", "?": "write where(condition, a, b)", "∞": "",
}  # fmt: skip


def tokenize(text: str) -> list[Token]:
    """The tokens of text, the last one of kind "end"; raises FormulaError."""
    if len(text) > MAX_CHARACTERS:
        refuse(
            f"the formula has {len(text)} characters; the limit is {MAX_CHARACTERS}",
            text,
            MAX_CHARACTERS,
            len(text),
        )
    return _Tokenizer(text).run()


class _Tokenizer:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.tokens: list[Token] = []
        self.open_brackets = 0

    def run(self) -> list[Token]:
        while self.at < len(self.text):
            self.step()
            if len(self.tokens) > MAX_TOKENS:
                refuse(f"more than {MAX_TOKENS} symbols", self.text, self.at, len(self.text))
        self.tokens.append(Token("end", "", len(self.text), len(self.text)))
        return self.tokens

    def step(self) -> None:
        char = self.text[self.at]
        if char in " \t\r\u00a0\u2009\u202f$":
            self.at += 1
        elif char in "\n;":
            self.separator(char)
        elif char == "#":
            end = self.text.find("\n", self.at)
            self.at = len(self.text) if end < 0 else end
        elif char in "0123456789." and (number := _NUMBER.match(self.text, self.at)):
            self.number(number)
        elif char.isascii() and char.isalpha():
            match = _WORD.match(self.text, self.at)
            assert match is not None
            self.word(match[0], match.end())
        elif char == "\\":
            self.command()
        elif char in _OPERATORS or char in ":&":
            self.operator(char)
        elif char in CHARACTERS:
            self.add(CHARACTERS[char], self.at + 1)
        elif char in SUPERSCRIPTS:
            self.superscript()
        elif name := greek_name(char):
            self.symbol(name, self.at + 1)
        else:
            self.unknown(char)

    def add(self, kind: str, end: int, text: str = "", symbol: bool = False) -> None:
        self.tokens.append(Token(kind, text or kind, self.at, end, symbol))
        if kind in {"(", "[", "{", "lfloor", "lceil"}:
            self.open_brackets += 1
        elif kind in {")", "]", "}", "rfloor", "rceil"}:
            self.open_brackets = max(0, self.open_brackets - 1)
        self.at = end

    def separator(self, char: str) -> None:
        goes_on = self.tokens and self.tokens[-1].kind in _GOES_ON
        if char == "\n" and (self.open_brackets or goes_on):
            self.at += 1
        else:
            self.open_brackets = 0
            self.add("separator", self.at + 1)

    def number(self, match: re.Match[str]) -> None:
        text, start, end = self.text, self.at, match.end()
        if _HEXADECIMAL.match(text, start):
            refuse("hexadecimal numbers are not read", text, start, end, "write it in decimal")
        if end - start > MAX_NUMERAL:
            refuse(f"a number of more than {MAX_NUMERAL} characters", text, start, end)
        if end < len(text) and text[end] == ".":
            refuse("a number with two decimal points", text, start, end + 1)
        # \frac12 and \frac1x: without braces, an argument is one digit.
        before = self.tokens[-1].kind if self.tokens else ""
        earlier = self.tokens[-2] if len(self.tokens) > 1 else None
        second = before == "number" and earlier is not None and earlier.kind == "frac"
        if before == "frac" or (second and self.tokens[-1].end - self.tokens[-1].start == 1):
            match = _DIGIT.match(text, start) or match
        self.add("number", match.end(), match[0])

    def word(self, name: str, end: int) -> None:
        """A run of letters and digits, with a subscript if one follows."""
        while True:
            subscript, after = self.subscript(end)
            if not subscript:
                break
            name, end = f"{name}_{subscript}", after
        self.add("word", end, name)

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
            refuse("a subscript is a plain name or number", text, at, at + 1, "write x_1 or x_max")
        return next(filter(None, match.groups())), match.end()

    def superscript(self) -> None:
        end = self.at
        while end < len(self.text) and self.text[end] in SUPERSCRIPTS:
            end += 1
        digits = "".join(SUPERSCRIPTS[char] for char in self.text[self.at : end])
        if not re.fullmatch(r"[+-]?\d{1,6}", digits):
            refuse("an exponent that cannot be read", self.text, self.at, end)
        self.add("power", end, digits)

    def operator(self, char: str) -> None:
        pair = self.text[self.at : self.at + 2]
        if pair == "**":
            self.add("^", self.at + 2)
        elif pair in {"<=", ">="}:
            self.add(pair, self.at + 2)
        elif pair in _TWO_CHARACTER and pair != "||":
            message, hint = f"{pair} is not part of a formula", ""
            if pair in {"==", "!="}:
                message, hint = "a comparison for equality", "write y = ... to name an output"
            elif pair == "//":
                hint = "write floor(x/2)"
            refuse(message, self.text, self.at, self.at + 2, hint)
        elif char in _OPERATORS:
            self.add(char, self.at + 1)
        else:
            self.unknown(char)

    def command(self) -> None:
        text, start = self.text, self.at
        match = _COMMAND.match(text, start)
        if match is None:
            following = text[start + 1 : start + 2]
            if following == "\\":
                self.tokens.append(Token("separator", "", start, start + 2))
            elif following not in BLANK_ESCAPES or not following:
                refuse("an unknown LaTeX command", text, start, start + 2)
            self.at += 2
            return
        name, end = match[1], match.end()
        if name in BLANK_COMMANDS:
            self.at = end
        elif name in COMMANDS:
            self.add(COMMANDS[name], end)
        elif name in NAME_COMMANDS:
            self.plain_name(name, end)
        elif name in GREEK_COMMANDS:
            self.symbol(GREEK_COMMANDS[name], end)
        elif name in CALLABLE:
            self.word(name, end)
        else:
            known = [*COMMANDS, *GREEK_COMMANDS, *CALLABLE]
            near = suggest(name, known)
            hint = f"did you mean \\{near}?" if near else ""
            refuse(f"unknown LaTeX command \\{show(name)}", text, start, end, hint)

    def plain_name(self, command: str, end: int) -> None:
        match = _PLAIN_NAME.match(self.text, end)
        if match is None:
            refuse(f"\\{command} takes a plain name in braces", self.text, self.at, end)
        self.word(match[1], match.end())

    def unknown(self, char: str) -> None:
        hint = _HINTS.get(char, "")
        like = "" if char.isascii() else twin(char)
        if like:
            hint = f"it looks like {like}: write that"
        name = show(char) if char.isascii() and char.isprintable() else character_name(char)
        refuse(f"{name} is not a formula character", self.text, self.at, self.at + 1, hint)


def split_statements(tokens: list[Token]) -> list[list[Token]]:
    """The tokens between separators, empty runs left out; each run ends with an "end"."""
    runs: list[list[Token]] = [[]]
    for token in tokens:
        if token.kind in {"separator", "end"}:
            runs[-1].append(replace(token, kind="end", end=token.start))
            runs.append([])
        else:
            runs[-1].append(token)
    return [run for run in runs if len(run) > 1]
