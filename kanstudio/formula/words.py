"""Which word is a variable, a function, a constant, or several of them typed together."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from kanstudio.formula.foreign import BRACKETS, condition_word, foreign_function
from kanstudio.formula.limits import MAX_NAME, refuse, show
from kanstudio.formula.spelling import ACCENTS, WORD_HINTS
from kanstudio.formula.symbols import CALLABLE, CONSTANTS, GREEK, SOFT
from kanstudio.formula.tokens import Token
from kanstudio.functions import suggest

_LOG_BASE = re.compile(r"log_(\d+|[A-Za-z])([A-Za-z]\w*)?", re.ASCII)
_DECLARABLE = re.compile(r"[A-Za-z][A-Za-z0-9_]*", re.ASCII)
_GREEK_AND_DIGITS = re.compile(r"([A-Za-z]+)(\d+)", re.ASCII)
_NUMBERED = re.compile(r"[A-Za-z]+_\d+|[A-Za-z]+", re.ASCII)
_LONGEST_DOUBTFUL = 3


def is_name(name: str) -> bool:
    """The one gate for names of variables and outputs: ASCII letters, digits, underscores."""
    return len(name) <= MAX_NAME and _DECLARABLE.fullmatch(name) is not None


class Words:
    """Reads words as variables, functions and constants.

    declared: the variables there are; None where every unknown name is a new variable.
    header: names that `f(x, y) =` declares; known even when declared is None.
    outputs: names of outputs, which are no variables.
    bare: words that stand somewhere in the text without a bracket behind them.
    latex: the text is LaTeX, where mc is m*c.
    """

    def __init__(
        self,
        text: str,
        declared: Iterable[str] | None,
        header: Iterable[str],
        outputs: Iterable[str],
        *,
        bare: Iterable[str] = (),
        latex: bool = False,
    ) -> None:
        self.text = text
        self.free = declared is None
        self.known = dict.fromkeys([*(declared or ()), *header])
        self.outputs = frozenset(outputs)
        self.bare = frozenset(bare)
        self.latex = latex
        self.used: dict[str, None] = dict.fromkeys(self.known)
        self.notes: dict[str, None] = {}

    def resolve(self, tokens: list[Token]) -> list[Token]:
        """The same tokens with "variable", "function" and "constant" in place of "word"."""
        resolved: list[Token] = []
        tokens = self._differences(tokens)
        for token, following in zip(tokens, [*tokens[1:], tokens[-1]], strict=True):
            if token.kind == "word":
                resolved.extend(self._word(token, following.kind))
            else:
                resolved.append(token)
        return resolved

    def _differences(self, tokens: list[Token]) -> list[Token]:
        """Δx is one name, unless Delta is declared."""
        joined: list[Token] = []
        for token in tokens:
            last = joined[-1] if joined else None
            if last and token.kind == "word" and self._is_difference(last, token):
                name = f"Delta{'' if '_' in token.text else '_'}{token.text}"
                if self.free or self._declared(name):
                    joined[-1] = replace(last, text=name, end=token.end)
                    self.notes.setdefault(f"Δ{token.text} is read as the name {name}")
                    continue
            joined.append(token)
        return joined

    def _is_difference(self, last: Token, token: Token) -> bool:
        near = last.end == token.start or self.text[last.start] == "\\"
        delta = last.symbol and last.text == "Delta" and "Delta" not in {*self.known, *self.bare}
        return delta and near and token.text not in CALLABLE

    def _word(self, token: Token, following: str) -> list[Token]:
        word = token.text
        if len(word) > MAX_NAME:
            message = f"a name of more than {MAX_NAME} letters"
            refuse(message, self.text, token.start, token.end)
        if name := self._declared(word):
            return [self._variable(token, name)]
        if found := self._log_with_base(token, following):
            return found
        if word in CONSTANTS:
            return [replace(token, kind="constant")]
        greek = token.symbol and word != "Gamma"
        if word in CALLABLE and not greek and (word not in SOFT or following in BRACKETS):
            return [replace(token, kind="function")]
        if word in self.outputs:
            hint = "an output cannot be used in a formula: write its formula out"
            refuse(f"{word} is an output", self.text, token.start, token.end, hint)
        if found := self._foreign(token, following):
            return found
        pieces = [] if token.symbol else self._split(token, following)
        if self.free and not pieces and following == "^" and len(word) == 2 and word[1] == "e":
            pieces = [word[0], "e"]  # xe^x
        if self.free and not pieces:
            pieces = self._product(token)
        if pieces:
            return self._pieces(token, pieces)
        if apart := self._digits_apart(token, following):
            return apart
        if self.free and self._may_be_new(token, following):
            self._note_new(token, following)
            return [self._variable(token, word)]
        return self._unknown(token, following)

    def _product(self, token: Token) -> list[str]:
        """m_1m_2 as its parts; in LaTeX, where an upright name has \\mathrm, mc too."""
        numbered = _NUMBERED.findall(token.text)
        if len(numbered) > 1 and "".join(numbered) == token.text and "_" in numbered[0]:
            return numbered
        letters, _, subscript = token.text.partition("_")
        alone = self.bare - self.outputs
        if len(letters) > 1 and not subscript and all(letter in alone for letter in letters):
            return [*letters]  # 3x^2y - 2xy^2: x and y stand alone elsewhere
        short = 1 < len(letters) <= _LONGEST_DOUBTFUL and letters.isalpha()
        plain = not token.symbol and not token.upright and letters.lower() not in GREEK
        if not (self.latex and short and plain):
            return []
        return [*letters[:-1], f"{letters[-1]}_{subscript}" if subscript else letters[-1]]

    def _foreign(self, token: Token, following: str) -> list[Token]:
        """A condition's word, or a function or constant spelled as elsewhere; [] if none."""
        if found := condition_word(token, following):
            return [found]
        if token.text in {"Pi", "PI"} and not token.symbol:
            self.notes.setdefault(f"{token.text} is read as pi")
            return [replace(token, kind="constant", text="pi")]
        own, note = foreign_function(token, following, self.free, self.bare)
        if not own:
            return []
        self.notes.setdefault(note)
        return [replace(token, kind="function", text=own)]

    def _digits_apart(self, token: Token, following: str) -> list[Token]:
        """alpha2 where only alpha is known: a name and a number, which the parser refuses."""
        match = _GREEK_AND_DIGITS.fullmatch(token.text) if token.symbol else None
        if match is None or not (match[1] in self.known or match[1] in CONSTANTS):
            return []
        cut = token.end - len(match[2])
        name = replace(token, text=match[1], end=cut)
        return [
            *self._word(name, following),
            replace(token, kind="number", text=match[2], start=cut),
        ]

    def _note_new(self, token: Token, following: str) -> None:
        """mc may be meant as m*c, which nobody can tell where nothing is declared."""
        word = token.text
        short = 1 < len(word) <= _LONGEST_DOUBTFUL and word.isalpha() and word.lower() not in GREEK
        if token.symbol:
            if _GREEK_AND_DIGITS.fullmatch(word):
                self.notes.setdefault(f"{word} is read as one name")
        elif word == "i":
            self.notes.setdefault("i is read as a variable: there are no complex numbers")
        elif short:
            apart = "*".join(word)
            self.notes.setdefault(f"{word} is read as one name; write {apart} if that is meant")

    def _declared(self, word: str) -> str:
        """The declared name that a word means: itself, or x_2 for x2 and the other way."""
        if word in self.known:
            return word
        joined = word.replace("_", "", 1)
        if "_" in word and joined in self.known:
            return joined
        apart = re.sub(r"^([A-Za-z]+)(\d+)$", r"\1_\2", word)
        return apart if apart in self.known else ""

    def _variable(self, token: Token, name: str) -> Token:
        self.used.setdefault(name)
        return replace(token, kind="variable", text=name)

    def _log_with_base(self, token: Token, following: str) -> list[Token]:
        match = _LOG_BASE.fullmatch(token.text)
        if match is None:
            return []
        base, rest = match[1], match[2]
        if not base.isdigit() and base != "e" and base not in self.known and not self.free:
            return []
        head = replace(token, kind="function", text=f"log_{base}")
        if not base.isdigit() and base != "e":
            self.used.setdefault(base)
        if not rest:
            return [head]
        start = token.end - len(rest)
        tail = replace(token, text=rest, start=start, glued=True)
        return [replace(head, end=start), *self._word(tail, following)]

    def _may_be_new(self, token: Token, following: str) -> bool:
        """May this word be a variable that nobody declared?"""
        word = token.text
        accented = token.symbol and word.split("_")[1] in ACCENTS.values() if "_" in word else False
        if word.count("_") > 1 and not accented:
            hint = "write one subscript, such as a_b"
            refuse("a name with two subscripts", self.text, token.start, token.end, hint)
        # foo(x) means a function; x(y+1), omega_0(t) and theta(t) mean products.
        plain = word.isalpha() and len(word) > 1 and word.lower() not in GREEK
        return not (plain and following == "(")

    def _unknown(self, token: Token, following: str) -> list[Token]:
        word, start, end = token.text, token.start, token.end
        kind = "function" if following in BRACKETS and len(word) > 1 else "name"
        near = suggest(word, [*CALLABLE] if kind == "function" else [*self.known, *CALLABLE])
        hint = f"did you mean {near}?" if near else ""
        if not near and kind == "name":
            hint = f"the variables are {', '.join(self.known)}" if self.known else ""
        if word in {"i", "j", "I"}:
            hint = "there are no complex numbers"
        elif word.lower() in WORD_HINTS:
            hint = WORD_HINTS[word.lower()]
        elif word == "E":
            hint = "write e for Euler's number"
        elif word.count("_") > 1:
            hint = "a name has one subscript"
        refuse(f"unknown {kind} {show(word)}", self.text, start, end, show(hint, 200))

    # Words typed together

    def _split(self, token: Token, following: str) -> list[str]:
        """The fewest known names and functions that the word is made of; [] for none.

        An error where there are two ways to split it.
        """
        word = token.text
        best: list[tuple[int, int, str] | None] = [None] * (len(word) + 1)
        best[0] = (0, 1, "")
        for end in range(1, len(word) + 1):
            for start in range(end):
                piece, before = word[start:end], best[start]
                if before is None or not self._is_piece(piece, before[2], end == len(word)):
                    continue
                count, ways, _ = now = best[end] or (len(word) + 1, 0, "")
                if before[0] + 1 < count:
                    best[end] = (before[0] + 1, before[1], piece)
                elif before[0] + 1 == count:
                    best[end] = (count, ways + before[1], now[2])
        if best[-1] is None:
            return []
        pieces, end = [], len(word)
        while end:
            step = best[end]
            assert step is not None
            pieces.append(step[2])
            end -= len(step[2])
        pieces.reverse()
        if not self._plausible(pieces, following):
            return []
        if best[-1][1] > 1:
            hint = f"write {'*'.join(pieces)}, if that is meant"
            message = f"{show(word)} can be split into names in more than one way"
            refuse(message, self.text, token.start, token.end, hint)
        return pieces

    def _is_piece(self, piece: str, before: str, last: bool) -> bool:
        if piece in CALLABLE:
            return piece not in SOFT
        if piece in self.known or piece in CONSTANTS:
            return True
        if before in CALLABLE and piece.isdigit():
            return True
        # With free names: sinx, cosx1, xsin(...) and pix, but nothing longer.
        if not self.free or len(piece) > 3 or not piece[0].isalpha():
            return False
        new = len(piece) == 1 or piece[1:].replace("_", "").isdigit()
        return new and (before in CALLABLE or before.isdigit() or before in {"", "pi"})

    def _plausible(self, pieces: list[str], following: str) -> bool:
        called = [piece for piece in pieces if piece in CALLABLE]
        if following in BRACKETS and called and pieces[-1] not in CALLABLE:
            return False  # sine(x) is a misspelt function, not sin(e)*(x).
        if not self.free:
            return True
        if pieces[0] not in {*CALLABLE, "pi"} and pieces[-1] not in CALLABLE:
            return all(piece in self.known or piece in CONSTANTS for piece in pieces) and any(
                piece in self.known for piece in pieces
            )
        if pieces[-1] in CALLABLE and (following not in BRACKETS or len(pieces) > 2):
            return False
        return pieces[-1] != "e"

    def _pieces(self, token: Token, pieces: list[str]) -> list[Token]:
        exact = token.end - token.start == len(token.text)
        tokens, at = [], token.start
        shown = ""
        for number, piece in enumerate(pieces):
            span = (at, at + len(piece)) if exact else (token.start, token.end)
            part = replace(token, text=piece, start=span[0], end=span[1], glued=number > 0)
            called = number > 0 and pieces[number - 1] in CALLABLE
            shown += (" " if called else "*" if number else "") + piece
            if name := self._declared(piece):
                tokens.append(self._variable(part, name))
            elif piece in CALLABLE:
                tokens.append(replace(part, kind="function"))
            elif piece in CONSTANTS:
                tokens.append(replace(part, kind="constant"))
            elif piece.isdigit():
                tokens.append(replace(part, kind="number"))
            else:
                tokens.append(self._variable(part, piece))
            at += len(piece)
        self.notes.setdefault(f"{token.text} is read as {shown}")
        return tokens
