"""How a formula's text is read while it is typed: its typeset form, or where it is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from kanstudio.editor.document import read_formula
from kanstudio.errors import CompileError, FormulaError, KanStudioError
from kanstudio.formula import Formula, latex_of_name

MAX_LATEX = 4_000
"""A longer reading helps nobody and would take the browser long to typeset."""

MAX_LINES = 8
"""So many outputs and notes are shown."""


@dataclass(frozen=True)
class Mistake:
    """An error under the characters that it is about; line and column count from 1."""

    message: str
    start: int
    end: int
    line: int
    column: int
    hint: str = ""


@dataclass(frozen=True)
class Check:
    """What was made of a text: LaTeX and notes, or a mistake.

    latex: all outputs on one line; lines: each on its own.
    """

    text: str
    latex: str = ""
    lines: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    error: Mistake | None = None

    def failed(self, error: KanStudioError, text: str) -> Check:
        """The same text with an error that came up later, while compiling."""
        return replace(self, error=mistake(error, text))


def read(text: str, inputs: tuple[str, ...] | None = None) -> Check:
    """Read a text; never raises for what a person can type."""
    if not text.strip():
        return Check(text)
    try:
        parsed = read_formula(text, inputs)
    except FormulaError as error:
        return Check(text, error=mistake(error, text))
    lines = latex_lines(parsed)
    return Check(text, in_one(lines), lines, tuple(parsed.notes), tuple(parsed.variables))


def latex_lines(parsed: Formula) -> tuple[str, ...]:
    """A line of LaTeX per output; none if they would be too long to read."""
    lines = tuple(
        f"{latex_of_name(output.name)} = {output.latex}" if output.name else output.latex
        for output in parsed.outputs
    )
    return lines if sum(map(len, lines)) <= MAX_LATEX else ()


def in_one(lines: Sequence[str]) -> str:
    """Lines of LaTeX as a single one."""
    return r",\quad ".join(lines)


def mistake(error: KanStudioError, text: str) -> Mistake:
    """The place that an error names; the whole text where it names none."""
    if isinstance(error, FormulaError) and error.text:
        return Mistake(error.message, error.start, error.end, error.line, error.column, error.hint)
    start, end = 0, len(text)
    function = getattr(error, "function", "")
    if isinstance(error, CompileError) and isinstance(function, str) and function:
        found = text.find(function)
        start, end = (found, found + len(function)) if found >= 0 else (start, end)
    line = text.count("\n", 0, start) + 1
    column = start - (text.rfind("\n", 0, start) + 1) + 1
    return Mistake(str(error), start, end, line, column)
