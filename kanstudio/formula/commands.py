r"""Pasted LaTeX: commands, environments and \text become the tokens of formulas."""

from __future__ import annotations

import re
from dataclasses import replace

from kanstudio.formula import spelling
from kanstudio.formula.limits import refuse, show
from kanstudio.formula.scanner import Scanner
from kanstudio.formula.symbols import (
    BLANK_COMMANDS,
    BLANK_ESCAPES,
    CALLABLE,
    COMMANDS,
    GREEK_COMMANDS,
    NAME_COMMANDS,
)
from kanstudio.functions import suggest

_COMMAND = re.compile(r"\\([A-Za-z]+)\*?")
_PLAIN_NAME = re.compile(r"\s*\{\s*((?:\\?[ ,;!])*)([A-Za-z](?:[A-Za-z0-9]|\\?_)*)\s*\}", re.ASCII)
_TEXT = re.compile(r"\s*\{([^{}$\\#;]*)(?:\\[ ,:;])?\}")
_ENVIRONMENT = re.compile(r"\s*\{([A-Za-z]+)\*?\}")
_COLUMNS = re.compile(r"\s*(?:\[[a-z]\])?\s*\{[lcr|@{} ]*\}")
_ACCENTED = re.compile(r"\s*(?:\{\s*(\\?[A-Za-z]+)\s*\}|([A-Za-z])|(\\[A-Za-z]+))")
_ARGUMENT = re.compile(r"\s*\{[^{}]*\}")
_ROW_SPACE = re.compile(r"\*?(?:\s*\[\s*-?\d*\.?\d+\s*[a-z]{2}\s*\])?")
_BRACE_OF_CASES = re.compile(r"\s*\\\{\s*(?=\\begin\s*\{(?:array|d?cases|aligned)\})")
_SIZES = frozenset({"left", "right", "middle"}) | {
    f"{size}{side}" for size in ("big", "Big", "bigg", "Bigg") for side in ("", "l", "r", "m")
}
_TEXT_COMMANDS = frozenset({"text", "textrm", "textnormal", "mbox", "hbox", "textit"})
_ESCAPES = {"{": "{", "}": "}", "|": "", "%": "", "&": "and", "_": "", "#": ""}


class CommandScanner(Scanner):
    """Reads what starts with a backslash.

    environments: what was begun and not yet ended, with its place.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.environments: list[tuple[str, int]] = []

    def in_cases(self) -> bool:
        return bool(self.environments) and self.environments[-1][0] == "cases"

    def command(self) -> None:
        match = _COMMAND.match(self.text, self.at)
        if match is None:
            self.escape()
            return
        name, end = match[1], match.end()
        if match[0].endswith("*") and name not in {"operatorname", "hspace", "vspace"}:
            end -= 1  # \alpha*2 is a product
        if name in _SIZES:
            self.delimiter(name, end)
        elif name in BLANK_COMMANDS:
            self.at = end
        elif name in {"begin", "end"}:
            self.environment(name, end)
        elif name in NAME_COMMANDS:
            self.name_or_text(name, end)
        elif name in spelling.ACCENTS:
            self.accent(name, end)
        elif name in spelling.IGNORED_WITH_ARGUMENT:
            argument = _ARGUMENT.match(self.text, end)
            self.at = argument.end() if argument else end
        else:
            self.named(name, end)

    def named(self, name: str, end: int) -> None:
        """A command that stands for a token by itself."""
        if name in COMMANDS:
            self.add(COMMANDS[name], end)
        elif name in GREEK_COMMANDS:
            self.symbol(GREEK_COMMANDS[name], end)
        elif name in CALLABLE or name in spelling.SYNONYMS:
            self.word(spelling.SYNONYMS.get(name, name), end)
        elif name in spelling.REFUSED_COMMANDS:
            message, hint = spelling.REFUSED_COMMANDS[name]
            refuse(message, self.text, self.at, end, hint)
        else:
            known = [*COMMANDS, *GREEK_COMMANDS, *CALLABLE]
            near = suggest(name, known)
            hint = f"did you mean \\{near}?" if near else ""
            refuse(f"unknown LaTeX command \\{show(name)}", self.text, self.at, end, hint)

    def escape(self) -> None:
        r"""\, and \\ and \{ and the brackets of displayed formulas."""
        text, start = self.text, self.at
        following = text[start + 1 : start + 2]
        if following == "\\":
            self.new_row()
        elif following and following in BLANK_ESCAPES:
            self.at += 2
        elif _ESCAPES.get(following):
            self.add(_ESCAPES[following], start + 2)
        elif following == "|":
            message, hint = spelling.REFUSED_COMMANDS["Vert"]
            refuse(message, text, start, start + 2, hint)
        elif following == "%":
            message, hint = spelling.REFUSED_CHARACTERS["%"]
            refuse(message, text, start, start + 2, hint)
        else:
            refuse("an unknown LaTeX command", text, start, start + 2)

    def new_row(self) -> None:
        match = _ROW_SPACE.match(self.text, self.at + 2)
        end = match.end() if match else self.at + 2
        self.add("row" if self.in_cases() else "separator", end)

    def delimiter(self, name: str, end: int) -> None:
        r"""\left( and \right|; a bar says here whether it opens or closes."""
        text = self.text
        brace = _BRACE_OF_CASES.match(text, end) if name == "left" else None
        if brace:
            self.at = brace.end()
            return
        after = end
        while after < len(text) and text[after] == " ":
            after += 1
        following = text[after : after + 1]
        self.at = end
        if following == "." and not text[after + 1 : after + 2].isdigit():
            self.at = after + 1
        elif following == "|" or text.startswith("\\vert", after):
            closes = name == "right" or name.endswith("r")
            opens = name == "left" or name.endswith("l")
            kind = "rbar" if closes else "lbar" if opens else "|"
            self.add(kind, after + (1 if following == "|" else len("\\vert")))

    # Environments

    def environment(self, command: str, end: int) -> None:
        text, start = self.text, self.at
        match = _ENVIRONMENT.match(text, end)
        name = match[1] if match else ""
        if match is None or name not in spelling.MATH_ENVIRONMENTS | spelling.CASES_ENVIRONMENTS:
            shown = show(name) if name else "without a name"
            hint = "cases, equation and align are read"
            end = match.end() if match else end
            refuse(f"the LaTeX environment {shown} is not read", text, start, end, hint)
        kind = "cases" if name in spelling.CASES_ENVIRONMENTS else name
        if command == "end":
            if not self.environments or self.environments[-1][0] != kind:
                refuse(f"\\end{{{name}}} ends nothing", text, start, match.end())
            self.environments.pop()
            if kind == "cases":
                self.add("end cases", match.end())
            self.at = match.end()
            return
        self.environments.append((kind, start))
        if kind == "cases":
            self.add("cases", match.end())
        self.at = match.end()
        if name == "array" and (columns := _COLUMNS.match(text, self.at)):
            self.at = columns.end()

    def check_environments(self) -> None:
        for name, start in self.environments:
            refuse(f"\\begin{{{name}}} is never ended", self.text, start, start + len("\\begin"))

    # Names

    def name_or_text(self, command: str, end: int) -> None:
        match = _PLAIN_NAME.match(self.text, end)
        words = _TEXT.match(self.text, end)
        is_text = command in _TEXT_COMMANDS or (words and words[1].strip() in {"if", "otherwise"})
        if self.in_cases() and words and is_text and self.words_of_cases(words[1], words.end()):
            return
        if match is None:
            refuse(f"\\{command} takes a plain name in braces", self.text, self.at, end)
        self.word(match[2].replace("\\", ""), match.end(), upright=command != "operatorname")
        if self.tokens:
            self.tokens[-1] = replace(self.tokens[-1], upright=True)

    def words_of_cases(self, words: str, end: int) -> bool:
        r"""\text{if}, \text{otherwise}, \text{and}: True where it was one of them."""
        plain = " ".join(words.lower().strip(" ,.:").split())
        if plain in spelling.IF_TEXTS:
            self.at = end
        elif plain in spelling.OTHERWISE_TEXTS:
            self.add("otherwise", end)
        elif plain in spelling.AND_TEXTS:
            self.add(spelling.AND_TEXTS[plain], end)
        else:
            return False
        return True

    def accent(self, command: str, end: int) -> None:
        r"""\hat{x} is the name x_hat."""
        match = _ACCENTED.match(self.text, end)
        letters = next(filter(None, match.groups())) if match else ""
        name = letters.removeprefix("\\")
        known = not letters.startswith("\\") or name in GREEK_COMMANDS
        if match is None or not known:
            refuse(f"\\{command} takes a plain name in braces", self.text, self.at, end)
        name = f"{GREEK_COMMANDS.get(name, name)}_{spelling.ACCENTS[command]}"
        end = match.end()
        subscript, after = self.subscript(end)
        if subscript:
            name, end = f"{name}_{subscript}", after
        self.add("word", end, name, symbol=True)
