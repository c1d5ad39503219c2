"""A document as a model file: its network, and the formula that it came from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kanstudio.compiler import STRATEGIES, Strategy
from kanstudio.editor.document import (
    Document,
    Range,
    formula_function,
    network_document,
    output_names,
    read_formula,
)
from kanstudio.errors import FileError, KanStudioError
from kanstudio.files import network_bytes, read_network
from kanstudio.formula import Formula
from kanstudio.network.network import Network
from kanstudio.training.data import FormulaData, sample_formula

KEY = "formula"
MAX_TEXT = 20_000


def model_bytes(document: Document, network: Network | None = None) -> bytes:
    """A file that ``read_model`` and ``KAN.load`` read.

    network: another state of the document's network, such as a run's latest. Samples,
    losses and history stay behind. Raises FileError.
    """
    extra: dict[str, Any] = {"dtype": "float64"}
    if document.text:
        extra[KEY] = {"text": document.text, "strategy": document.strategy}
        if document.source is not None:
            extra[KEY]["ranges"] = [list(one) for one in document.source.ranges]
    return network_bytes(network or document.network, extra)


def read_model(data: bytes) -> Document:
    """The document of a model file, with fresh samples.

    A formula in the file counts if it reads and has the network's inputs and outputs; else
    the samples are what the network computes. Raises FileError or DataError.
    """
    network, manifest = read_network(data)
    ranges = grid_ranges(network)
    described = manifest.get(KEY)
    if not isinstance(described, Mapping):
        return network_document(network, ranges)
    parsed = _formula(described.get("text"), network)
    if parsed is None:
        return network_document(network, ranges)
    source = FormulaData(_ranges(described.get("ranges"), ranges))
    return Document(
        text=parsed.text,
        network=network,
        dataset=sample_formula(formula_function(parsed), source),
        source=source,
        strategy=_strategy(described.get("strategy")),
    )


def grid_ranges(network: Network) -> tuple[Range, ...]:
    """The span of the spline grid of each input: where its samples were."""
    knots, degree = network.layers[0].knots, network.degree
    low, high = knots[:, degree], knots[:, knots.shape[1] - degree - 1]
    return tuple((float(a), float(b)) for a, b in zip(low, high, strict=True))


def _formula(text: object, network: Network) -> Formula | None:
    if not isinstance(text, str) or not text or len(text) > MAX_TEXT:
        return None
    try:
        parsed = read_formula(text, network.input_names)
    except KanStudioError:
        return None
    return parsed if output_names(parsed) == network.output_names else None


def _ranges(value: object, default: tuple[Range, ...]) -> tuple[Range, ...]:
    if not isinstance(value, list) or len(value) != len(default):
        return default
    ranges = []
    for pair in value:
        good = isinstance(pair, list) and len(pair) == 2
        if not good or not all(type(bound) in (int, float) for bound in pair):
            raise FileError("the model is not valid: the ranges of its inputs")
        ranges.append((float(pair[0]), float(pair[1])))
    return tuple(ranges)


def _strategy(value: object) -> Strategy:
    return next((one for one in STRATEGIES if one == value), STRATEGIES[0])
