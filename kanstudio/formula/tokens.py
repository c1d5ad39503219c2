r"""From text to tokens: ASCII, Unicode mathematics and pasted LaTeX become the same ones.

The kinds: "number", "fraction" (½), "word", "power" (superscript digits), "separator"
(newline, semicolon or \\), "end", "frac", "binomial", "root", "radical", "cube radical",
"fourth radical", "degree", "base" (of \log_{2n}), "over", "lbar", "rbar", "lfloor", "rfloor",
"lceil", "rceil", "cases", "column", "row", "end cases", "otherwise", "and", "or", "not", and
for every operator and bracket its own text. Blanks, $ signs, comments after # and newlines inside
brackets leave no token.
"""

from __future__ import annotations

import re
from dataclasses import replace

from kanstudio.formula.commands import CommandScanner
from kanstudio.formula.limits import (
    MAX_CHARACTERS,
    MAX_TOKENS,
    character_name,
    refuse,
    show,
)
from kanstudio.formula.scanner import Token
from kanstudio.formula.spelling import PLAIN, REFUSED_CHARACTERS, VULGAR_FRACTIONS
from kanstudio.formula.symbols import CHARACTERS, SUPERSCRIPTS, greek_name, twin

__all__ = ["Token", "is_latex", "split_statements", "tokenize"]

_WORD = re.compile(r"[A-Za-z][A-Za-z0-9]*")
_CIRCLE = re.compile(r"\^\s*(?:\\circ(?![A-Za-z])|\{\s*\\circ\s*\}|°)")
_PUNCTUATION_AT_END = re.compile(r"[.,]\s*(?:\\end|\\\\|\\\]|\\\)|\$|$)")
_LATEX = re.compile(r"\\[A-Za-z\[(,;:!]")
# What two or three characters mean together.
_TOGETHER = {
    "**": "^", ".*": "*", "./": "/", ".^": "^", "<=": "<=", ">=": ">=", "=<": "<=", "=>": "",
    "==": "==", "!=": "!=", "<>": "!=", "&&": "and", ":=": ":=", "//": "", "->": "", "~=": "!=",
    "/=": "!=", "+=": "", "-=": "", "*=": "", "^=": "",
}  # fmt: skip
_NEVER = {
    "//": ("// is not part of a formula", "write floor(x/2)"),
    "=>": ("an arrow is no formula", "write f(x) = ..., or >= for a comparison"),
    "->": ("an arrow is no formula", "write f(x) = ..."),
}
_OPERATORS = frozenset("+-*/^!()[]{}|,=<>")
# A line that ends with one of these goes on in the next line.
_GOES_ON = frozenset("+-*/^=,<>") | {"<=", ">=", "==", "!=", "frac", "root", "radical", "and", "or"}
# A line that starts with one of these goes on with the line before it.
_CONTINUES = re.compile(r"[ \t]*(?:[*/^·×÷⋅)\]}]|\\cdot|\\times|\\right)")
_HINTS = {
    ":": "write y = ... to name an output", ".": "a dot stands only inside a number",
    "@": "write * for a product", "_": "a name starts with a letter",
    "?": "write where(condition, a, b)",
}  # fmt: skip


def is_latex(text: str) -> bool:
    """Does the text look like LaTeX, where letters side by side are a product?"""
    return _LATEX.search(text) is not None


def tokenize(text: str) -> list[Token]:
    """The tokens of text, the last one of kind "end"; raises FormulaError."""
    if len(text) > MAX_CHARACTERS:
        refuse(
            f"the formula has {len(text)} characters; the limit is {MAX_CHARACTERS}",
            text,
            MAX_CHARACTERS,
            len(text),
        )
    return _Tokenizer(text.translate(PLAIN)).run()


class _Tokenizer(CommandScanner):
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.latex = is_latex(text)

    def run(self) -> list[Token]:
        while self.at < len(self.text):
            self.step()
            if len(self.tokens) > MAX_TOKENS:
                refuse(f"more than {MAX_TOKENS} symbols", self.text, self.at, len(self.text))
        self.check_environments()
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
        elif char in "0123456789." and self.number():
            return
        elif char.isascii() and char.isalpha():
            match = _WORD.match(self.text, self.at)
            assert match is not None
            self.word(match[0], match.end())
        elif char == "\\":
            self.command()
        elif char == "_" and (word := self.powered_word()) is not None:
            self.late_subscript(word)
        elif char.isascii():
            self.operator(char)
        else:
            self.beyond_ascii(char)

    def beyond_ascii(self, char: str) -> None:
        if char in CHARACTERS:
            self.add(CHARACTERS[char], self.at + 1)
        elif char in VULGAR_FRACTIONS:
            self.vulgar_fraction()
        elif char in SUPERSCRIPTS:
            self.superscript()
        elif name := greek_name(char):
            self.symbol(name, self.at + 1)
        else:
            self.unknown(char)

    def separator(self, char: str) -> None:
        goes_on = self.last_kind in _GOES_ON or _CONTINUES.match(self.text, self.at + 1)
        if char == "\n" and (self.open_brackets or goes_on or self.environments):
            self.at += 1
        else:
            self.open_brackets = 0
            self.add("separator", self.at + 1)

    def operator(self, char: str) -> None:
        text, at = self.text, self.at
        pair = text[at : at + 2]
        circle = _CIRCLE.match(text, at) if char == "^" else None
        if circle:
            self.add("degree", circle.end())
        elif self.latex and (pair == "~=" or _PUNCTUATION_AT_END.match(text, at)):
            self.at += 1
        elif _TOGETHER.get(pair):
            self.add(_TOGETHER[pair], at + 2)
        elif pair in _TOGETHER:
            message, hint = _NEVER.get(pair, (f"{pair} is not part of a formula", "write one sign"))
            refuse(message, text, at, at + 2, hint)
        elif char in _OPERATORS:
            self.add(char, at + 1)
        elif char == "&":
            self.ampersand()
        elif char == "~":
            if self.latex:
                self.at += 1  # a blank in LaTeX
            else:
                self.add("not", at + 1)
        else:
            self.unknown(char)

    def ampersand(self) -> None:
        if self.in_cases():
            self.add("column", self.at + 1)
        elif self.environments:
            self.at += 1
        else:
            self.add("and", self.at + 1)

    def unknown(self, char: str) -> None:
        text, at = self.text, self.at
        glued = bool(self.tokens) and self.tokens[-1].end == at
        if glued and self.last_kind == "number" and char in "'’_":
            refuse(f"a number has no {char}", text, at, at + 1, "write its digits only")
        if char in REFUSED_CHARACTERS:
            quotes = char == "'" and not (glued and self.last_kind in {"word", ")"})
            message, hint = REFUSED_CHARACTERS['"' if quotes else char]
            refuse(message, text, at, at + 1, hint)
        hint = _HINTS.get(char, "")
        if char == "." and self.last_kind == "word" and text[at + 1 : at + 2].isalpha():
            hint = "write sin(x) for x.sin()"
        like = "" if char.isascii() else twin(char)
        if like:
            hint = f"it looks like {like}: write that"
        name = show(char) if char.isascii() and char.isprintable() else character_name(char)
        refuse(f"{name} is not a formula character", text, at, at + 1, hint)


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
