"""Words that are neither names nor formulas' own functions, but are clear all the same.

Sin[x], tg x, EXP(x), sigma(x), J_0(x), Pi, True: every such reading is noted.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace

from kanstudio.formula.scanner import Token
from kanstudio.formula.spelling import (
    BESSEL_LETTERS,
    CONDITION_WORDS,
    GREEK_FUNCTIONS,
    LOGIC_FUNCTIONS,
    SOFT_SYNONYMS,
    SYNONYMS,
)
from kanstudio.formula.symbols import CALLABLE, GREEK, SOFT

BRACKETS = frozenset("([{")
_BESSEL = re.compile(r"([JYIK])_([01])")


def foreign_function(
    token: Token, following: str, free: bool, bare: Collection[str]
) -> tuple[str, str]:
    """The own word for a function spelled in another way, and a note; ("", "") if none.

    following: the kind of the next token. free: unknown names are variables. bare: words
    that stand somewhere in the text without a bracket behind them.
    """
    word = token.text
    called = following in BRACKETS
    if token.symbol or word.lower() in GREEK:
        return _greek(token, called, free, bare)
    bessel = _BESSEL.fullmatch(word)
    if bessel and called and not (free and word in bare):
        own = f"{BESSEL_LETTERS[bessel[1]].lower()}{bessel[2]}"
        return (
            (own, f"{word} is read as the Bessel function {own}") if own in CALLABLE else ("", "")
        )
    own = _own_word(word)
    if not own or not (called or _is_clear(word, own, free)):
        return "", ""
    return own, f"{word} is read as {own}"


def _own_word(word: str) -> str:
    """The formulas' own word for tg, Sin, ARCTAN, ArcTanh, LogGamma; "" for none."""
    if word in SYNONYMS:
        own = SYNONYMS[word]
        return own if own in CALLABLE else ""
    small = word.lower()
    if len(word) < 2 or small == word or not (word[0].isupper() or word.isupper()):
        return ""
    own = SYNONYMS.get(small, small)
    return own if own in CALLABLE else ""


def _is_clear(word: str, own: str, free: bool) -> bool:
    """May the word stand for a function without a bracket behind it?"""
    if own in SOFT:
        return False
    if word.lower() in SOFT_SYNONYMS:
        return not free
    return not free or len(word) > 2 or word == "tg"


def _greek(token: Token, called: bool, free: bool, bare: Collection[str]) -> tuple[str, str]:
    """sigma(x) is the sigmoid, if nothing says that sigma is a variable."""
    own = GREEK_FUNCTIONS.get(token.text, "")
    if not called or not own or (free and (own != "sigmoid" or token.text in bare)):
        return "", ""
    return own, f"{token.text}(...) is read as the function {own}"


def condition_word(token: Token, following: str) -> Token | None:
    """and, or, not, True, otherwise, And(...): the token of a condition."""
    word = token.text
    if following == "(" and word in LOGIC_FUNCTIONS:
        return replace(token, kind="logic", text=LOGIC_FUNCTIONS[word])
    kind = CONDITION_WORDS.get(word)
    if kind is None or (kind == "if" and following == "("):
        return None
    return replace(token, kind=kind)
