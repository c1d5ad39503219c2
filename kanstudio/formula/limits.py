"""The bounds within which any text is answered quickly, and one way to refuse.

Beyond these, sympy or the parser could take seconds or a gigabyte for one line of text.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from kanstudio.errors import FormulaError

MAX_CHARACTERS = 20_000
MAX_TOKENS = 8_000
MAX_NODES = 4_000
MAX_DEPTH = 80
MAX_OUTPUTS = 32
MAX_VARIABLES = 64
MAX_NUMERAL = 40
MAX_NAME = 64
MAX_EXPONENT = 1000
MAX_CONSTANT = 1e300
MAX_ARGUMENTS = 16
# Rationals with larger parts become float64; so do decimals of more than 15 digits.
MAX_EXACT = 10**15
# An irrational constant written with more nodes than this becomes float64.
MAX_EXACT_NODES = 30


def refuse(message: str, text: str, start: int, end: int, hint: str = "") -> NoReturn:
    """Raise the FormulaError for text[start:end]; both may be len(text), at its end."""
    size = len(text)
    raise FormulaError(message, text, min(start, size), min(end, size), hint)


@contextmanager
def depth_is_said() -> Iterator[None]:
    """A FormulaError for an expression that is nested deeper than Python calls can be."""
    try:
        yield
    except RecursionError:
        raise FormulaError("this expression is nested too deeply to be written out") from None


def show(piece: str, length: int = 40) -> str:
    """A piece of the user's text that is safe inside a message: printable and short."""
    shown = "".join(char if char.isprintable() else code_point(char) for char in piece[:length])
    return shown + ("..." if len(piece) > length else "")


def code_point(char: str) -> str:
    """U+200B for a zero-width space: a form that can always be encoded."""
    return f"U+{ord(char):04X}"


def character_name(char: str) -> str:
    """The Unicode name in small letters with the code point."""
    name = unicodedata.name(char, "").lower()
    if not name:
        name = "lone surrogate" if 0xD800 <= ord(char) <= 0xDFFF else "control character"
    return f"{name} ({code_point(char)})"
