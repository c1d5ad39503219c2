"""Where in a text the function stands that an error is about."""

from __future__ import annotations

import re
from collections.abc import Iterable

from kanstudio.errors import CompileError

# How a formula's text writes what sympy calls otherwise.
_SPELLINGS = {"Pow": ("^", "**"), "log": ("log", "ln"), "Piecewise": ("where", "piecewise")}


def located(error: CompileError, texts: Iterable[str]) -> CompileError:
    """The same error, with the place of its function in the first text that has it.

    The error itself where it names no function, or where no text has its name.
    """
    if not error.function or error.text:
        return error
    names = _SPELLINGS.get(error.function, (error.function,))
    choices = "|".join(re.escape(name) for name in names)
    pattern = re.compile(rf"(?<![A-Za-z])(?:{choices})(?![A-Za-z])", re.IGNORECASE)
    if error.function == "Pow":
        pattern = re.compile(choices)
    for text in texts:
        found = pattern.search(text)
        if found:
            message = f"{error.message} (at character {found.start() + 1} of the formula)"
            return CompileError(message, error.function, text, found.start(), found.end())
    return error
