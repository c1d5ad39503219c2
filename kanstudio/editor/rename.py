"""Other names for inputs and outputs, in the network and in the formula's text alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import sympy

from kanstudio import formula
from kanstudio.editor.document import Document, output_names, read_formula
from kanstudio.errors import EditError, FormulaError
from kanstudio.formula import Formula
from kanstudio.formula.tokens import split_statements, tokenize
from kanstudio.network.network import Network
from kanstudio.scene.labels import shorten


@dataclass(frozen=True)
class Rename:
    """Give an input or output another name.

    The text of the formula follows: an output's label, or every mention of an input. If
    that cannot be done without changing what the text means, the formula is written anew,
    and if that fails too, the command does not fit. An empty name takes an output's label
    away. Ranges, samples and training stay.
    """

    old: str
    name: str

    @property
    def label(self) -> str:
        return f"rename {self.old} to {self.name}" if self.name else f"unname {self.old}"

    def applied_to(self, document: Document) -> Document:
        inputs, outputs = document.network.input_names, document.network.output_names
        if self.old not in (*inputs, *outputs):
            raise EditError(f"there is no input or output {self.old}")
        name = self.name.strip()
        if name:
            name = _spelled(name, [other for other in (*inputs, *outputs) if other != self.old])
        elif self.old in inputs or document.formula is None:
            raise EditError(f"{self.old} needs a name")
        if self.old in inputs:
            return _with_input(document, inputs.index(self.old), name)
        return _with_output(document, outputs.index(self.old), name)


def _with_output(document: Document, index: int, name: str) -> Document:
    parsed = document.formula
    if parsed is None:
        names = list(document.network.output_names)
        names[index] = name
        return _named(document, document.text, document.network.input_names, names)
    text = _relabelled(parsed, index, name)
    labels = [output.name for output in parsed.outputs]
    labels[index] = name or None
    after = _read(text, parsed.variables)
    if after is None or not _same(parsed, after, {}, labels):
        raise EditError(f"{name} does not fit the formula as it is written: change the text")
    return _named(document, text, parsed.variables, output_names(after))


def _with_input(document: Document, index: int, name: str) -> Document:
    inputs = list(document.network.input_names)
    old, inputs[index] = inputs[index], name
    parsed = document.formula
    if parsed is None:
        return _named(document, document.text, inputs, document.network.output_names)
    swap = {sympy.Symbol(old): sympy.Symbol(name)}
    labels = [output.name for output in parsed.outputs]
    for text in (_respelled(parsed.text, old, name), _written(parsed, swap)):
        after = _read(text, inputs)
        if after is not None and _same(parsed, after, swap, labels):
            return _named(document, text, inputs, output_names(after))
    raise EditError(
        f"{old} cannot become {name} without changing what the formula means: "
        "choose another name, or change the text"
    )


def _spelled(name: str, taken: Sequence[str]) -> str:
    """The name as formulas spell it: theta for θ. Raises EditError if it cannot be one."""
    refusal = EditError(
        f"{shorten(name, 24)} is no name: take letters, digits and _, beginning with a letter, "
        "and no function or constant"
    )
    try:
        read = formula.parse(name)
    except FormulaError:
        raise refusal from None
    if len(read.variables) != 1 or read.outputs[0].expr != sympy.Symbol(read.variables[0]):
        raise refusal
    spelled = read.variables[0]
    if spelled in taken:
        raise EditError(f"{spelled} is taken: every input and output has a name of its own")
    return spelled


def _named(
    document: Document, text: str, inputs: Sequence[str], outputs: Sequence[str]
) -> Document:
    def named(network: Network) -> Network:
        return replace(network, input_names=tuple(inputs), output_names=tuple(outputs))

    base = document.unperturbed
    return replace(
        document,
        text=text,
        network=named(document.network),
        unperturbed=None if base is None else named(base),
    )


def _read(text: str, inputs: Sequence[str]) -> Formula | None:
    try:
        return read_formula(text, tuple(inputs))
    except FormulaError:
        return None


def _same(
    before: Formula,
    after: Formula,
    swap: dict[sympy.Symbol, sympy.Symbol],
    labels: Sequence[str | None],
) -> bool:
    """Whether both say the same, but for the names."""
    wanted = [output.expr.xreplace(swap) for output in before.outputs]
    return [output.expr for output in after.outputs] == wanted and [
        output.name for output in after.outputs
    ] == list(labels)


def _respelled(text: str, old: str, new: str) -> str:
    """The text with another word wherever it says ``old``, all else as it was typed."""
    result, at = "", 0
    for token in tokenize(text):
        if token.kind == "word" and token.text == old and token.start >= at:
            result += text[at : token.start] + new
            at = token.end
    return result + text[at:]


def _relabelled(parsed: Formula, index: int, name: str) -> str:
    """The text with this label before, or without a label at, one of its outputs."""
    text = parsed.text
    statement = split_statements(tokenize(text))[index]
    start = statement[0].start
    if parsed.outputs[index].name is None:
        return f"{text[:start]}{name} = {text[start:]}" if name else text
    if name:
        return text[:start] + name + text[statement[0].end :]
    body = next(place for place, token in enumerate(statement) if token.kind == "=") + 1
    return text[:start] + text[statement[body].start :]


def _written(parsed: Formula, swap: dict[sympy.Symbol, sympy.Symbol]) -> str:
    """The formulas in the printer's own words, one a line."""
    lines = []
    for output in parsed.outputs:
        text = formula.format_text(output.expr.xreplace(swap))
        lines.append(f"{output.name} = {text}" if output.name else text)
    return "\n".join(lines)
