"""Typical mistakes: what the error says, where it points, and what it proposes."""

from __future__ import annotations

import pytest

from kanstudio import formula
from kanstudio.errors import FormulaError

EXPECTED = "a number, name or bracket is expected"
# The text with the span between marks, the message, the hint.
MISTAKES = [
    ("«(»x+1", "( is never closed", ") is missing"),
    ("x+1«)»", ") closes nothing", ""),
    ("(x«]»", "] closes (", ""),
    ("max(x,«,»y)", "something is missing before ,", EXPECTED),
    ("max(x,«)»", "something is missing before )", EXPECTED),
    ("sin(«)»", "sin needs an argument", ""),
    ("«sin»*x", "sin needs an argument", "write sin(x)"),
    ("sin(x)«cos»", "cos needs an argument", ""),
    ("x+«»", "the formula ends early", EXPECTED),
    ("«*»x", "* cannot stand here", f"{EXPECTED} before it"),
    ("x+«*»y", "* cannot stand here", f"+* has one sign too many: {EXPECTED}"),
    ("x+1«=»2", "= stands only after the name of an output", "write y = ... or f(x, y) = ..."),
    ("f(x,«x»)=x", "x is given twice", ""),
    ("«sni»(x)", "unknown function sni", "did you mean sin?"),
    ("«coz»(x)", "unknown function coz", "did you mean cos?"),
    ("«sqroot»(x)", "unknown function sqroot", "did you mean sqrt?"),
    ("«X»+1", "unknown name X", "did you mean x?"),
    ("«z»", "unknown name z", "the variables are x, y"),
    ("«inf»", "unknown name inf", "infinity is no number"),
    ("«diff»(x)", "unknown function diff", "derivatives are not read: write it out"),
    ("if x>0 «then» 1", "unknown name then", "write where(x > 0, 1, 2)"),
    ("2 «3»", "two numbers side by side", "write * between them, and no blank inside a number"),
    ("x «2»", "a number after x", "write x*2, x^2 or x_2"),
    ("1«'»000", "a number has no '", "write its digits only"),
    ("1«_»000", "a number has no _", "write its digits only"),
    ("«1.2.»3", "a number with two decimal points", ""),
    ("x^«1001»", "an exponent beyond 1000", ""),
    ("x/«(y-y)»", "division by zero", ""),
    ("«log(0)»", "log has no real value here", ""),
    ("«(-8)^(1/3)»", "a negative number has no real power of this kind",
     "write cbrt(x) or root(x, n)"),
    ("where(«>»0,1,2)", "something is missing before >", EXPECTED),
    ("where(x>0 and«,»1,2)", "something is missing before ,", EXPECTED),
    ("«where»(x>0,1)", "where needs other arguments", "write where(x > 0, a, b)"),
    ("piecewise((x, x>0), «(True)»)",
     "a comparison stands only in where(x > 0, a, b) or piecewise",
     "write where(x > 0, 1, 0) for 1 where it holds and 0 elsewhere"),
    ("«log»_{2y}(x, 3)", "log has a base already", "write log(x, b)"),
    ("!«x»", "not takes a condition, and this is none", "write x > 0 and y > 0"),
    ("«х»+1", "cyrillic small letter ha (U+0445) is not a formula character",
     "it looks like x: write that"),
    ("y«~»x", "~ stands only in a condition", "write - for a minus sign"),
    ("eval(«'»x')", "a quotation mark is no part of a formula", "leave it away"),
    ("«\\sinn» x", "unknown LaTeX command \\sinn", "did you mean \\sin?"),
    ("x;\n\ny«)»", ") closes nothing", ""),
]  # fmt: skip


@pytest.mark.parametrize(("marked", "message", "hint"), MISTAKES)
def test_a_mistake_is_explained_where_it_stands(marked: str, message: str, hint: str) -> None:
    text = marked.replace("«", "").replace("»", "")
    start = marked.index("«")
    with pytest.raises(FormulaError) as caught:
        formula.parse(text, ["x", "y"])
    error = caught.value
    assert (error.message, error.hint) == (message, hint)
    span = text[error.start : max(error.end, error.start)]
    assert (error.start, span) == (start, marked[start + 1 : marked.index("»")])
    lines = text[:start].split("\n")
    assert (error.line, error.column) == (len(lines), len(lines[-1]) + 1)
    shown, marks = error.pointed().split("\n")
    assert shown == text.split("\n")[error.line - 1]
    assert marks == " " * (error.column - 1) + "^" * max(1, len(span))


def test_only_the_neighbourhood_of_a_long_line_is_shown() -> None:
    with pytest.raises(FormulaError) as caught:
        formula.parse("x + " * 100 + "frob(x)\t+ x" + " + x" * 100, ["x"])
    shown, marks = caught.value.pointed().split("\n")
    assert shown.startswith("...") and shown.endswith("...") and len(shown) < 120
    assert shown[marks.index("^") :].startswith("frob(x) + x") and marks.count("^") == 4


def test_an_error_without_text_has_a_place_all_the_same() -> None:
    assert FormulaError("two variables have the same name").pointed() == "\n^"
