"""A link that opens the Studio on a formula: text, inputs with their ranges, layout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from kanstudio.compiler import STRATEGIES, Strategy
from kanstudio.editor.document import Document, Range, new_document
from kanstudio.errors import CompileError, DataError


def link_query(document: Document) -> str:
    """The part of the address from "?" on; empty if the document has no formula."""
    if not document.text:
        return ""
    fields = {"formula": document.text, "inputs": ",".join(document.network.input_names)}
    if document.source is not None:
        fields["ranges"] = ",".join(f"{low!r}:{high!r}" for low, high in document.source.ranges)
    if document.strategy != STRATEGIES[0]:
        fields["strategy"] = document.strategy
    return "?" + urlencode(fields)


def shared_document(arguments: Mapping[str, Sequence[bytes]]) -> Document | None:
    """The document that an address asks for, None if it asks for none.

    arguments: name to values, as the server decoded them. Anybody can write an address:
    raises KanStudioError (FormulaError, DataError, CompileError) for what makes no sense.
    """
    fields = {name: _text(values[-1]) for name, values in arguments.items() if values}
    formula = fields.get("formula", "").strip()
    if not formula:
        return None
    inputs = tuple(fields["inputs"].split(",")) if fields.get("inputs") else None
    ranges = None
    if inputs is not None and fields.get("ranges"):
        wanted = [_range(text) for text in fields["ranges"].split(",")]
        if len(wanted) != len(inputs):
            raise DataError(f"{len(inputs)} inputs need as many ranges, not {len(wanted)}")
        ranges = dict(zip(inputs, wanted, strict=True))
    strategy = read_strategy(fields.get("strategy") or STRATEGIES[0])
    return new_document(formula, inputs=inputs, ranges=ranges, strategy=strategy)


def read_strategy(text: str) -> Strategy:
    """The strategy of this name. Raises CompileError if there is none."""
    for strategy in STRATEGIES:
        if text == strategy:
            return strategy
    raise CompileError(f"strategy is {', '.join(STRATEGIES)}, not {text[:40]}")


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")


def _range(text: str) -> Range:
    low, _, high = text.partition(":")
    try:
        return float(low), float(high)
    except ValueError:
        raise DataError(f"a range is two numbers, as in -1:1, not {text[:40]}") from None
