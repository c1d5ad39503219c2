"""parse: from a text to its outputs, the one entry for what users type."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import sympy as sp

from kanstudio.errors import FormulaError
from kanstudio.formula.ast import Node, Number, children
from kanstudio.formula.foreign import BRACKETS
from kanstudio.formula.latex import latex_of_node
from kanstudio.formula.limits import MAX_OUTPUTS, MAX_VARIABLES, refuse, show
from kanstudio.formula.numbers import n_digits
from kanstudio.formula.parser import Parser
from kanstudio.formula.scanner import ENDING, OPENING
from kanstudio.formula.symbols import CALLABLE, SOFT
from kanstudio.formula.to_sympy import build
from kanstudio.formula.tokens import Token, is_latex, split_statements, tokenize
from kanstudio.formula.words import Words, is_name


@dataclass(frozen=True, slots=True)
class Output:
    """One formula: its name or None, its expression in plain Symbols, its LaTeX."""

    name: str | None
    expr: sp.Expr
    latex: str


@dataclass(frozen=True, slots=True)
class Formula:
    """What a text says.

    - outputs: one per formula in the text, in order; at least one.
    - variables: as declared, or else in order of first appearance.
    - notes: how the text was read where that could be doubted, for people to see.
    """

    text: str
    outputs: tuple[Output, ...]
    variables: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Statement:
    """`name(arguments) = body`; name is None without a label."""

    name: Token | None
    arguments: tuple[Token, ...]
    body: list[Token]


def parse(text: str, variables: Sequence[str] | None = None) -> Formula:
    """Read one or several formulas, separated by ; or newlines.

    variables: the names of the inputs, in order; None takes every unknown name as an
    input. Nothing of the text is ever run. Raises FormulaError, and nothing else.
    """
    if variables is not None:
        variables = tuple(_spelled(name) for name in variables)
        _check_names(variables)
    notes: dict[str, None] = {}
    runs = _joined_lines(text, split_statements(tokenize(text)), notes)
    statements = [_statement(text, run) for run in runs]
    if not statements:
        refuse("there is no formula", text, 0, len(text), "write one, such as sin(x)")
    if len(statements) > MAX_OUTPUTS:
        start = statements[MAX_OUTPUTS].body[0].start
        refuse(f"more than {MAX_OUTPUTS} formulas", text, start, len(text))
    _check_labels(text, statements, variables)
    header = dict.fromkeys(token.text for item in statements for token in item.arguments)
    labels = [item.name.text for item in statements if item.name]
    words = Words(text, variables, header, labels, bare=_bare_words(runs), latex=is_latex(text))
    words.notes.update(notes)
    outputs = tuple(_output(text, item, words) for item in statements)
    found = variables if variables is not None else tuple(words.used)
    if len(found) > MAX_VARIABLES:
        refuse(f"more than {MAX_VARIABLES} variables", text, 0, len(text))
    return Formula(text, outputs, found, tuple(words.notes))


def _output(text: str, statement: _Statement, words: Words) -> Output:
    tokens = words.resolve(statement.body)
    try:
        node = Parser(text, tokens, words.notes).parse()
    except RecursionError:
        refuse("nested too deeply", text, tokens[0].start, tokens[-1].end)
    _note_rounding(node, words)
    try:
        expr = build(node, text)
        shown = latex_of_node(node, words.known)
    except RecursionError:
        refuse("nested too deeply", text, node.start, node.end)
    except (ArithmeticError, TypeError, ValueError, NotImplementedError):
        # sympy refuses by many names; for whoever typed this they are one.
        refuse("this cannot be worked out", text, node.start, node.end)
    return Output(statement.name.text if statement.name else None, expr, shown)


def _note_rounding(node: Node, words: Words) -> None:
    stack = [node]
    while stack:
        item = stack.pop()
        stack.extend(children(item))
        if isinstance(item, Number) and n_digits(item.text) > 17:
            words.notes.setdefault(f"{item.text} is rounded to 16 digits")


# Lines and labels


def _joined_lines(text: str, runs: list[list[Token]], notes: dict[str, None]) -> list[list[Token]]:
    """A line that starts with + goes on with the line before, one with - where that is named."""
    joined: list[list[Token]] = []
    for run in runs:
        sign = run[0].kind
        goes_on = joined and sign in {"+", "-"} and ";" not in _between(text, joined[-1], run)
        if goes_on and (sign == "+" or (_equals(joined[-1]) >= 0 and _equals(run) < 0)):
            joined[-1] = [*joined[-1][:-1], *run]
            notes.setdefault(f"the line that starts with {sign} goes on with the line before it")
            continue
        if goes_on:
            notes.setdefault("the line that starts with - is a formula of its own")
        joined.append(run)
    return joined


def _between(text: str, before: list[Token], after: list[Token]) -> str:
    return text[before[-1].start : after[0].start]


def _equals(run: list[Token]) -> int:
    """Where the = of a label stands among the tokens, outside all brackets; -1 for none."""
    depth = 0
    for number, token in enumerate(run):
        if token.kind in {"=", ":="} and depth == 0:
            return number
        depth += (token.kind in OPENING) - (token.kind in ENDING)
    return -1


def _bare_words(runs: list[list[Token]]) -> set[str]:
    """The words that stand somewhere without a bracket or a letter behind them."""
    return {
        token.text
        for run in runs
        for token, following in itertools.pairwise(run)
        if token.kind == "word"
        and following.kind not in BRACKETS
        and not (token.text == "Delta" and following.kind == "word")
    }


def _statement(text: str, run: list[Token]) -> _Statement:
    """Split `y =` or `f(x, y) =` from the tokens of one formula."""
    at = _equals(run)
    if at < 0:
        return _Statement(None, (), run)
    label, equals = run[:at], run[at]
    shape = "".join(token.kind[0] for token in label)
    names = [token for token in label if token.kind == "word"]
    arguments = shape[1:].replace("[", "(").replace("]", ")")
    listed = ",".join("w" * (len(names) - 1))
    if not names or shape[0] != "w" or arguments not in {"", f"({listed})"} or arguments == "()":
        hint = "write y = ... or f(x, y) = ..."
        message = "= stands only after the name of an output"
        refuse(message, text, equals.start, equals.end, hint)
    if equals.kind == ":=" and not arguments:
        hint = f"write {show(names[0].text)} = ..."
        refuse(":= is not part of a formula", text, equals.start, equals.end, hint)
    return _Statement(names[0], tuple(names[1:]), run[at + 1 :])


def _check_labels(
    text: str, statements: list[_Statement], variables: tuple[str, ...] | None
) -> None:
    seen: set[str] = set()
    for item in statements:
        if item.name is not None:
            _check_label(text, item.name, seen, variables)
            seen.add(item.name.text)
        for number, token in enumerate(item.arguments):
            if token.text in {other.text for other in item.arguments[:number]}:
                message = f"{show(token.text)} is given twice"
                refuse(message, text, token.start, token.end)
            if variables is not None and token.text not in variables:
                hint = f"the variables are {show(', '.join(variables), 200)}"
                refuse(f"unknown variable {show(token.text)}", text, token.start, token.end, hint)
            if not is_name(token.text) or token.text in CALLABLE - SOFT:
                refuse(f"{show(token.text)} is no name", text, token.start, token.end)


def _check_label(
    text: str, token: Token, seen: set[str], variables: tuple[str, ...] | None
) -> None:
    name = token.text
    if name in seen:
        refuse(f"two outputs have the name {show(name)}", text, token.start, token.end)
    if not is_name(name) or name in CALLABLE - SOFT:
        hint = "it is a function" if name in CALLABLE else ""
        refuse(f"{show(name)} cannot name an output", text, token.start, token.end, hint)
    if variables is not None and name in variables:
        hint = "give the output another name"
        refuse(f"{name} is a variable", text, token.start, token.end, hint)


def _spelled(name: str) -> str:
    """A declared name as formulas spell it: lambda for λ, x_12 for x_{12}."""
    if not isinstance(name, str) or is_name(name):
        return name
    try:
        word, end = tokenize(name)
    except (FormulaError, ValueError):
        # No single word: the check of the names says what is wrong with it.
        return name
    return word.text if (word.kind, end.kind) == ("word", "end") else name


def _check_names(variables: tuple[str, ...]) -> None:
    if len(variables) > MAX_VARIABLES:
        raise FormulaError(f"{len(variables)} variables; the limit is {MAX_VARIABLES}")
    for name in variables:
        if not isinstance(name, str) or not is_name(name):
            hint = "a name has letters, digits and underscores, and starts with a letter"
            raise FormulaError(f"{show(str(name))} cannot name a variable", hint=hint)
        if name in CALLABLE - SOFT:
            raise FormulaError(f"{name} cannot name a variable", hint="it is a function")
    if len(set(variables)) < len(variables):
        raise FormulaError("two variables have the same name")
