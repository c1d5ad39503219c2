"""Every error that KAN Studio raises, in one short tree.

The core raises, the app shows, nobody prints. A message says what was asked,
what is true, and what to do.
"""

from __future__ import annotations

# How much of a long line is shown around the place of an error.
_BEFORE, _BEHIND = 40, 60


class KanStudioError(Exception):
    """Base of every error that this package raises on purpose."""


class FormulaError(KanStudioError):
    """The text of a formula cannot be read.

    Attributes:
        message: what is wrong, in one sentence.
        start, end: the span in the text, in characters, ``0 <= start <= end``.
        line, column: where the span starts, both counted from 1.
        hint: what is meant perhaps, or an empty string.
    """

    def __init__(
        self, message: str, text: str = "", start: int = 0, end: int = 0, hint: str = ""
    ) -> None:
        self.message = message
        self.text = text
        self.start = start
        self.end = max(start, end)
        self.line = text.count("\n", 0, start) + 1
        self.column = start - (text.rfind("\n", 0, start) + 1) + 1
        self.hint = hint
        where = f"line {self.line}, column {self.column}: " if text else ""
        super().__init__(f"{where}{message}" + (f" ({hint})" if hint else ""))

    def pointed(self) -> str:
        """Two lines: the line of the text that the span starts in, and marks below the span."""
        line = (self.text.split("\n") or [""])[self.line - 1]
        column = self.column - 1
        first = max(0, column - _BEFORE)
        last = column + _BEHIND
        marks = max(1, min(self.end - self.start, len(line) - column, _BEHIND))
        before, behind = ("..." if first else ""), ("..." if len(line) > last else "")
        # A tab, or what does not print, would move the marks away from what they mark.
        shown = "".join(char if char.isprintable() else " " for char in line[first:last])
        return f"{before}{shown}{behind}\n{' ' * (len(before) + column - first)}{'^' * marks}"


class CompileError(KanStudioError):
    """A formula was read, but there is no exact network for it.

    Attributes:
        function: sympy's name of the function that is in the way, or an empty string.
        text, start, end: the formula's text and where the function stands in it, in
            characters; an empty text where the formula did not come as text.
    """

    def __init__(
        self, message: str, function: str = "", text: str = "", start: int = 0, end: int = 0
    ) -> None:
        super().__init__(message)
        self.message = message
        self.function = function
        self.text = text
        self.start = start
        self.end = max(start, end)


class EditError(KanStudioError):
    """An edit does not fit the network; the network is untouched."""


class TrainingError(KanStudioError):
    """Training cannot start or cannot go on; the last good state is kept."""


class DataError(KanStudioError):
    """Samples cannot be read or do not fit the network."""


class FileError(KanStudioError):
    """A saved document cannot be read or written."""
