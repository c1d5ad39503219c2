"""What characters, LaTeX commands and words stand for: tables only."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Set
from functools import lru_cache

from kanstudio import functions

_WORD = re.compile(r"[A-Za-z]\w*", re.ASCII)

SUPERSCRIPTS = dict(
    zip(
        "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻ",
        "0123456789-+()abcdefghijklmnoprstuvwxyz",
        strict=True,
    )
)
SUBSCRIPTS = dict(zip("₀₁₂₃₄₅₆₇₈₉ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ", "0123456789aehijklmnoprstuvx", strict=True))

# Characters that are another way to write a token.
CHARACTERS = {
    "·": "*", "×": "*", "⋅": "*", "∗": "*", "•": "*", "∙": "*", "⨯": "*", "⋆": "*",
    "÷": "/", "∕": "/", "⁄": "/",
    "−": "-", "–": "-", "—": "-", "﹣": "-", "‐": "-", "‑": "-", "‒": "-",
    "≤": "<=", "≥": ">=", "⩽": "<=", "⩾": ">=", "≦": "<=", "≧": ">=", "≠": "!=",
    "∧": "and", "⋀": "and", "∨": "or", "⋁": "or", "¬": "not", "°": "degree",
    "√": "radical", "∛": "cube radical", "∜": "fourth radical", "ˆ": "^",
    "⟨": "(", "⟩": ")", "❨": "(", "❩": ")", "∣": "|",
    "⌊": "lfloor", "⌋": "rfloor", "⌈": "lceil", "⌉": "rceil",
}  # fmt: skip

# LaTeX commands that stand for a token.
COMMANDS = {
    "cdot": "*", "times": "*", "ast": "*", "div": "/",
    "le": "<=", "leq": "<=", "leqslant": "<=", "ge": ">=", "geq": ">=", "geqslant": ">=",
    "lt": "<", "gt": ">", "ne": "!=", "neq": "!=",
    "land": "and", "wedge": "and", "lor": "or", "vee": "or", "neg": "not", "lnot": "not",
    "frac": "frac", "dfrac": "frac", "tfrac": "frac", "cfrac": "frac", "nicefrac": "frac",
    "sfrac": "frac", "over": "over", "sqrt": "root", "bmod": "mod", "star": "*",
    "binom": "binomial", "dbinom": "binomial", "tbinom": "binomial", "degree": "degree",
    "lfloor": "lfloor", "rfloor": "rfloor", "lceil": "lceil", "rceil": "rceil",
    "vert": "|", "lvert": "lbar", "rvert": "rbar", "mid": "|", "lbrace": "{", "rbrace": "}",
    "lbrack": "[", "rbrack": "]", "lparen": "(", "rparen": ")",
}  # fmt: skip
# LaTeX commands that only place or size things.
BLANK_COMMANDS = frozenset({
    "left", "right", "middle", "big", "Big", "bigg", "Bigg", "bigl", "bigr", "Bigl", "Bigr",
    "quad", "qquad", "displaystyle", "textstyle", "scriptstyle", "thinspace", "medspace",
    "thickspace", "negthinspace", "limits", "nolimits", "nonumber", "notag", "mathop", "rm",
    "it", "bf", "sf", "mathopen", "mathclose", "enspace", "space",
})  # fmt: skip
BLANK_ESCAPES = frozenset(",;:! ()[]>/\n")
# LaTeX commands whose argument is a plain name.
NAME_COMMANDS = frozenset({
    "operatorname", "text", "mathrm", "mathit", "mathbf", "mathsf", "textrm", "mbox",
    "textit", "textbf", "boldsymbol", "bm", "mathcal", "mathbb", "mathscr", "mathfrak", "mathtt",
    "textnormal", "hbox", "mathnormal",
})  # fmt: skip

GREEK = frozenset({
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa",
    "lambda", "mu", "nu", "xi", "omicron", "pi", "rho", "sigma", "tau", "upsilon", "phi", "chi",
    "psi", "omega",
})  # fmt: skip
_GREEK_VARIANTS = {
    "varepsilon": "epsilon", "vartheta": "theta", "varphi": "phi", "varrho": "rho",
    "varsigma": "sigma", "varpi": "pi", "varkappa": "kappa",
}  # fmt: skip
GREEK_COMMANDS = (
    {name: name for name in GREEK}
    | {name.capitalize(): name.capitalize() for name in GREEK}
    | _GREEK_VARIANTS
    | {"hbar": "hbar", "ell": "ell"}
)
_GREEK_SYMBOLS = {"ϑ": "theta", "ϕ": "phi", "ϵ": "epsilon", "ϱ": "rho", "ϰ": "kappa", "µ": "mu"}
_LATIN_TWINS = "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧο"
_TWINS = dict(zip(_LATIN_TWINS, "ABEZHIKMNOPTYXo", strict=True))
_TWINS |= dict(zip("асеорхуіјѕАВЕКМНОРСТХ", "aceopxyijsABEKMHOPCTX", strict=True))


def greek_name(char: str) -> str:
    """'theta' for θ, 'Omega' for Ω; "" for what is no Greek letter or looks like a Latin one."""
    if char in _GREEK_SYMBOLS:
        return _GREEK_SYMBOLS[char]
    if char in _LATIN_TWINS:
        return ""
    words = unicodedata.name(char, "").lower().split()
    if len(words) < 4 or words[0] != "greek" or words[2] != "letter":
        return "hbar" if char in "ℏħ" else ""
    name = words[-1].replace("lamda", "lambda")
    if name not in GREEK or (len(words) > 4 and words[3:] != ["final", "sigma"]):
        return ""
    return name.capitalize() if words[1] == "capital" else name


def twin(char: str) -> str:
    """The ASCII character that char looks like or is a wide form of, or ""."""
    plain = _TWINS.get(char) or unicodedata.normalize("NFKC", char)
    return plain if len(plain) == 1 and plain.isascii() and plain != char else ""


@lru_cache(maxsize=4)
def _univariate(version: int) -> dict[str, str]:
    """Every word for a function of the table, with the function's own name."""
    words = {"Gamma": "gamma"}
    for row in functions.rows():
        for word in (row.name, *row.aliases):
            if _WORD.fullmatch(word) and row.exponent is None:
                words[word] = row.name
    for word in ("x", "psi"):
        words.pop(word, None)
    return words


def univariate() -> dict[str, str]:
    """Functions of one argument: from the word to the name in the function table."""
    return _univariate(functions.version())


# Everything else that can be called: from the word to (own name, least and most arguments).
OTHERS = {
    "sqrt": ("sqrt", 1, 1), "log": ("log", 1, 2), "ln": ("log", 1, 1),
    "log2": ("log2", 1, 1), "log10": ("log10", 1, 1), "factorial": ("factorial", 1, 1),
    "root": ("root", 2, 2), "pow": ("pow", 2, 2), "mod": ("mod", 2, 2), "Mod": ("mod", 2, 2),
    "atan2": ("atan2", 2, 2), "arctan2": ("atan2", 2, 2), "hypot": ("hypot", 2, 2),
    "max": ("max", 1, 16), "Max": ("max", 1, 16), "min": ("min", 1, 16), "Min": ("min", 1, 16),
    "where": ("where", 3, 3), "piecewise": ("piecewise", 3, 15),
    "expm1": ("expm1", 1, 1), "log1p": ("log1p", 1, 1), "exp2": ("exp2", 1, 1),
    "square": ("square", 1, 1), "cube": ("cube", 1, 1), "reciprocal": ("reciprocal", 1, 1),
    "radians": ("radians", 1, 1), "degrees": ("degrees", 1, 1), "clip": ("clip", 3, 3),
    "binomial": ("binomial", 2, 2),
    "besselj": ("besselj", 2, 2), "bessely": ("bessely", 2, 2), "besseli": ("besseli", 2, 2),
    "besselk": ("besselk", 2, 2),
}  # fmt: skip


class _Callable(Set[str]):
    """Every word that can be called, with the functions that users have added by now."""

    def __contains__(self, word: object) -> bool:
        return word in OTHERS or word in univariate()

    def __iter__(self) -> Iterator[str]:
        return iter({**univariate(), **OTHERS})

    def __len__(self) -> int:
        return len({*univariate(), *OTHERS})

    @classmethod
    def _from_iterable(cls, words: Iterable[str]) -> frozenset[str]:  # type: ignore[override]
        return frozenset(words)


CALLABLE: Set[str] = _Callable()
# Functions only where a bracket follows: these are everyday names of variables too.
SOFT = frozenset(
    {"gamma", "Gamma", "j0", "j1", "y0", "y1", "i0", "i1", "k0", "k1", "Si", "Ci", "Ei"}
    | {"square", "cube", "reciprocal"}
    | {"radians", "degrees", "clip", "binomial", "root", "pow", "exp2", "mod"}
)
CONSTANTS = frozenset({"pi", "e"})
_INVERTIBLE = ["sin", "cos", "tan", "cot", "sec", "csc"]
_INVERTIBLE += [f"{name}h" for name in ("sin", "cos", "tan", "cot", "sec", "csc")]
INVERSES = {name: f"arc{name}" for name in _INVERTIBLE} | {
    f"arc{name}": name for name in _INVERTIBLE
}


def arity(word: str) -> tuple[int, int]:
    """The least and the most number of arguments."""
    return OTHERS[word][1:] if word in OTHERS else (1, 1)


def own_name(word: str) -> str:
    """The one name of what a word calls: 'arcsin' for asin, 'max' for Max."""
    return OTHERS[word][0] if word in OTHERS else univariate()[word]
