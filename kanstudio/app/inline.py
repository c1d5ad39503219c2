r"""LaTeX for one line: fractions with a slash, so that a formula reads at text size.

>>> one_line(r"\frac{a \left(1 + \frac{v}{c}\right)}{\sqrt{1 - x}}")
'a (1 + v/c)/\\sqrt{1 - x}'
"""

from __future__ import annotations

import re

_BRACKET = re.compile(r"\\(?:left|right)(?=[()\[\]])")
_ATOM = re.compile(
    r"(?:[A-Za-z]|[0-9.]+|\\[A-Za-z]+|\\sqrt(?:\[[^\]]*\])?\{GROUP\}|\\mathrm\{GROUP\})"
    r"(?:_(?:\{GROUP\}|\w))?(?:\^(?:\{GROUP\}|\w))?"
)
_FUNCTION = re.compile(r"\\[A-Za-z]+(?:\^\{GROUP\})?\(GROUP\)")
_ENDS = re.compile(r"\s*(?:$|[+\-)\]},=&|<>]|\\right|\\quad|\\cdot)")


def one_line(latex: str) -> str:
    r"""The same formula with every \frac{a}{b} as a/b, bracketed where it must be."""
    return _BRACKET.sub("", _slashed(latex)).strip()


def _slashed(latex: str) -> str:
    result, at = "", 0
    while (start := latex.find(r"\frac{", at)) >= 0:
        result += latex[at:start]
        top, at = _group(latex, start + len(r"\frac"))
        bottom, at = _group(latex, at)
        shown = f"{_top(_slashed(top))}/{_bottom(_slashed(bottom))}"
        # a/b c could mean a/(b c); what stands before a fraction multiplies it anyway.
        result += shown if _ENDS.match(latex, at) else f"({shown})"
    return result + latex[at:]


def _group(latex: str, start: int) -> tuple[str, int]:
    """The content of the braces that open at start, and the position after them."""
    depth = 0
    for position in range(start, len(latex)):
        if latex[position] in "{}" and latex[position - 1] != "\\":
            depth += 1 if latex[position] == "{" else -1
            if depth == 0:
                return latex[start + 1 : position], position + 1
    return latex[start + 1 :], len(latex)


def _outline(latex: str) -> str:
    """The text with everything inside brackets replaced by a word."""
    shown, depth = "", 0
    for character in _BRACKET.sub("", latex):
        if character in "{([":
            shown += character + ("GROUP" if depth == 0 else "") if depth == 0 else ""
            depth += 1
        elif character in "})]":
            depth -= 1
            shown += character if depth == 0 else ""
        elif depth == 0:
            shown += character
    return shown


def _top(latex: str) -> str:
    return f"({latex})" if re.search(r"[+\-]", _outline(latex)) else latex


def _bottom(latex: str) -> str:
    outline = _outline(latex).strip()
    alone = _ATOM.fullmatch(outline) or _FUNCTION.fullmatch(outline)
    return latex if alone else f"({latex})"
