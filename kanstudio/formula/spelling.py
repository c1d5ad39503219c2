"""Other spellings of the same thing, from papers, pages and other languages: tables only."""

from __future__ import annotations

import unicodedata
from fractions import Fraction

# Characters that are read as another one: letters of mathematical alphabets and blanks.
# One for one, so that every place in the text stays where it is.
_BLANKS = "\f\v\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u205f\u3000\ufeff"
_INVISIBLE_OPERATORS = "\u2061\u2062\u2064"


def _plain_letters() -> dict[int, str]:
    found = {}
    for code in (*range(0x1D400, 0x1D800), *map(ord, "ℎℯℊℴⅆⅇℬℰℱℋℐℒℳℛℂℕℙℚℝℤ")):
        plain = unicodedata.normalize("NFKC", chr(code))
        if len(plain) == 1 and plain != chr(code):
            found[code] = plain
    return found


PLAIN = _plain_letters() | {ord(char): " " for char in _BLANKS + _INVISIBLE_OPERATORS}

VULGAR_FRACTIONS = {
    char: Fraction(int(top), int(bottom))
    for char in "½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅐⅛⅜⅝⅞⅑⅒"
    for top, bottom in [unicodedata.normalize("NFKC", char).split("\u2044")]
}

# Words before a dot that say where a function comes from: np.sin, math.pi.
MODULES = frozenset(
    {"np", "numpy", "jnp", "math", "Math", "torch", "nn", "functional", "F", "tf", "sp"}
    | {"sympy", "scipy", "special", "WorksheetFunction"}
)

# Functions under other names, with the word that formulas have for them. Whoever declares
# such a name as a variable has a variable.
SYNONYMS = {
    "tg": "tan", "ctg": "cot", "cotan": "cot", "ctan": "cot", "cosec": "csc", "sen": "sin",
    "sh": "sinh", "ch": "cosh", "th": "tanh", "cth": "coth", "tgh": "tanh", "ctgh": "coth",
    "senh": "sinh", "cosech": "csch", "cosh": "cosh",
    "arctg": "arctan", "arcctg": "arccot", "arccotan": "arccot", "arcsen": "arcsin",
    "arccosec": "arccsc", "arcosec": "arccsc", "atg": "arctan",
    "arsinh": "arcsinh", "arcosh": "arccosh", "artanh": "arctanh", "arcoth": "arccoth",
    "arsech": "arcsech", "arcsch": "arccsch", "arcosech": "arccsch",
    "argsinh": "arcsinh", "argcosh": "arccosh", "argtanh": "arctanh",
    "argsh": "arcsinh", "argch": "arccosh", "argth": "arctanh",
    "arsh": "arcsinh", "arch": "arccosh", "arth": "arctanh",
    "lg": "log10", "ld": "log2", "lb": "log2", "fabs": "abs", "absolute": "abs",
    "signum": "sgn", "maximum": "max", "minimum": "min", "fmax": "max", "fmin": "min",
    "amax": "max", "amin": "min", "power": "pow", "sqr": "square", "expit": "sigmoid",
    "logsig": "sigmoid", "step": "heaviside", "lgamma": "loggamma", "gammaln": "loggamma",
    "lngamma": "loggamma", "tgamma": "gamma", "modulo": "mod", "remainder": "mod",
    "if": "where", "ifelse": "where", "iff": "where", "iif": "where", "select": "piecewise",
    "jv": "besselj", "jn": "besselj", "yv": "bessely", "yn": "bessely", "iv": "besseli",
    "ReLU": "relu", "Ai": "airyai", "Bi": "airybi", "airy": "airyai",
    "binom": "binomial", "comb": "binomial", "choose": "binomial",
    "heavisidetheta": "heaviside", "unitstep": "heaviside", "exponential": "exp",
    "nthroot": "root", "realroot": "root", "cuberoot": "cbrt", "entier": "floor",
    "radians": "radians", "deg2rad": "radians", "rad2deg": "degrees",
}  # fmt: skip
# Everyday names of variables: functions only where a bracket follows.
SOFT_SYNONYMS = frozenset(
    {"sh", "ch", "th", "lg", "ld", "lb", "step", "power", "if", "iv", "jn", "yn", "jv", "yv"}
    | {"arch", "comb", "select", "choose", "absolute", "sen", "signum", "sqr", "remainder"}
    | {"maximum", "minimum", "exponential"}
)
# Greek letters that are functions where a bracket follows and nobody declared them.
GREEK_FUNCTIONS = {"sigma": "sigmoid", "Theta": "heaviside", "psi": "digamma"}
# J_0(x) and the like, by letter.
BESSEL_LETTERS = {"J": "j", "Y": "y", "I": "i", "K": "k"}

# Words of conditions, and the one operator that is a word; a name that is declared stays a name.
CONDITION_WORDS = {
    "and": "and", "or": "or", "not": "not", "True": "truth", "true": "truth", "False": "falsehood",
    "false": "falsehood", "otherwise": "otherwise", "else": "else", "if": "if",
    "mod": "mod",
}  # fmt: skip
LOGIC_FUNCTIONS = {
    "And": "and", "AND": "and", "logical_and": "and", "Or": "or", "OR": "or", "logical_or": "or",
    "Not": "not", "NOT": "not", "logical_not": "not",
}  # fmt: skip
# What stands in \text{} beside the values of cases.
IF_TEXTS = frozenset({"if", "for", "when", "where", "falls", "wenn", "für", "fuer", "si", "on", ""})
OTHERWISE_TEXTS = frozenset({"otherwise", "else", "elsewhere", "sonst", "if not", "default"})
AND_TEXTS = {"and": "and", "und": "and", "et": "and", "or": "or", "oder": "or", "ou": "or"}

# LaTeX environments around formulas, and those that hold cases.
MATH_ENVIRONMENTS = frozenset(
    {"equation", "align", "aligned", "gather", "gathered", "split", "multline", "eqnarray"}
    | {"displaymath", "math", "flalign"}
)
CASES_ENVIRONMENTS = frozenset({"cases", "dcases", "array"})

# LaTeX that puts a mark on a letter: \hat{x} is the name x_hat.
ACCENTS = {
    "bar": "bar", "overline": "bar", "hat": "hat", "widehat": "hat", "tilde": "tilde",
    "widetilde": "tilde", "vec": "vec", "dot": "dot", "ddot": "ddot",
}  # fmt: skip
# LaTeX whose argument in braces says nothing about the formula.
IGNORED_WITH_ARGUMENT = frozenset({"label", "tag", "hspace", "vspace", "color"})

_ONE_AT_A_TIME = "write a formula with numbers, names and functions"
# What is mathematics, but no formula of real functions: why not, or what to write instead.
REFUSED_COMMANDS = {
    "int": ("an integral is not read", _ONE_AT_A_TIME),
    "iint": ("an integral is not read", _ONE_AT_A_TIME),
    "oint": ("an integral is not read", _ONE_AT_A_TIME),
    "sum": ("a sum over an index is not read", "write its terms out"),
    "prod": ("a product over an index is not read", "write its factors out"),
    "lim": ("a limit is not read", _ONE_AT_A_TIME),
    "partial": ("a derivative is not read", "write the derivative out"),
    "nabla": ("a derivative is not read", "write the derivative out"),
    "prime": ("a name has no prime, and derivatives are not read", "write another name"),
    "infty": ("infinity is no number", ""),
    "pm": ("plus or minus is two formulas", "write both, separated by ;"),
    "mp": ("plus or minus is two formulas", "write both, separated by ;"),
    "approx": ("an approximate equality is no formula", "write y = ... to name an output"),
    "sim": ("a proportion is no formula", "write y = ... to name an output"),
    "propto": ("a proportion is no formula", "write y = ... to name an output"),
    "equiv": ("an equivalence is no formula", "write y = ... to name an output"),
    "to": ("an arrow is no formula", "write f(x) = ..."),
    "rightarrow": ("an arrow is no formula", "write f(x) = ..."),
    "mapsto": ("an arrow is no formula", "write f(x) = ..."),
    "in": ("a set is not read", "declare the ranges of the inputs apart"),
    "Vert": ("a norm is not read", "write |x| or sqrt(x^2 + y^2)"),
    "lVert": ("a norm is not read", "write |x| or sqrt(x^2 + y^2)"),
    "dots": ("dots say nothing exactly", "write all terms"),
    "ldots": ("dots say nothing exactly", "write all terms"),
    "cdots": ("dots say nothing exactly", "write all terms"),
    "def": ("a LaTeX definition is not read", "write its meaning out"),
    "newcommand": ("a LaTeX definition is not read", "write its meaning out"),
}  # fmt: skip
# Words that are no names: what to write instead.
_NO_DERIVATIVE = "derivatives are not read: write it out"
_NO_INTEGRAL = "integrals are not read: write it out"
WORD_HINTS = {
    "inf": "infinity is no number", "infinity": "infinity is no number",
    "oo": "infinity is no number", "nan": "a formula has a value everywhere or says where",
    "then": "write where(x > 0, 1, 2)", "elif": "write piecewise(x < 0, 1, x < 1, 2, 3)",
    "elseif": "write piecewise(x < 0, 1, x < 1, 2, 3)", "return": "write the formula alone",
    "def": "write f(x) = ...", "let": "write the formula alone", "import": "",
    "d": _NO_DERIVATIVE, "diff": _NO_DERIVATIVE, "derivative": _NO_DERIVATIVE,
    "grad": _NO_DERIVATIVE, "int": "write floor(x) for the whole part",
    "round": "write floor(x + 1/2)", "trunc": "write sgn(x)*floor(abs(x))",
    "gelu": "write x*(1 + erf(x/sqrt(2)))/2", "logit": "write log(x/(1 - x))",
    "elu": "write where(x > 0, x, exp(x) - 1)", "softsign": "write x/(1 + abs(x))",
 "integral": _NO_INTEGRAL,
    "integrate": _NO_INTEGRAL, "sum": "write the terms out", "prod": "write the factors out",
    "limit": "limits are not read", "lim": "limits are not read", "re": "all values are real",
    "im": "all values are real", "fmod": "write mod(x, y), which has the sign of y",
    "rand": "a formula has no random numbers", "random": "a formula has no random numbers",
    "norm": "write sqrt(x^2 + y^2)", "len": "",
}  # fmt: skip
REFUSED_CHARACTERS = {
    "∫": REFUSED_COMMANDS["int"], "∬": REFUSED_COMMANDS["int"], "∮": REFUSED_COMMANDS["int"],
    "∑": REFUSED_COMMANDS["sum"], "∏": REFUSED_COMMANDS["prod"], "∂": REFUSED_COMMANDS["partial"],
    "∇": REFUSED_COMMANDS["nabla"], "∞": REFUSED_COMMANDS["infty"], "±": REFUSED_COMMANDS["pm"],
    "∓": REFUSED_COMMANDS["pm"], "≈": REFUSED_COMMANDS["approx"], "∝": REFUSED_COMMANDS["propto"],
    "≡": REFUSED_COMMANDS["equiv"], "→": REFUSED_COMMANDS["to"], "↦": REFUSED_COMMANDS["mapsto"],
    "∈": REFUSED_COMMANDS["in"], "‖": REFUSED_COMMANDS["Vert"], "∥": REFUSED_COMMANDS["Vert"],
    "…": REFUSED_COMMANDS["dots"], "⋯": REFUSED_COMMANDS["dots"],
    "′": REFUSED_COMMANDS["prime"], "″": REFUSED_COMMANDS["prime"],
    "'": REFUSED_COMMANDS["prime"], "’": REFUSED_COMMANDS["prime"],
    "‰": ("a per mille sign is not read", "divide by 1000"),
    "%": ("a percent sign is not read", "write mod(x, 2) for a remainder, x/100 for percent"),
    '"': ("a quotation mark is no part of a formula", "leave it away"),
    "“": ("a quotation mark is no part of a formula", "leave it away"),
    "”": ("a quotation mark is no part of a formula", "leave it away"),
    "„": ("a quotation mark is no part of a formula", "leave it away"),
    "‘": ("a quotation mark is no part of a formula", "leave it away"),
    "`": ("a quotation mark is no part of a formula", "leave it away"),
    "«": ("a quotation mark is no part of a formula", "leave it away"),
    "»": ("a quotation mark is no part of a formula", "leave it away"),
}  # fmt: skip
