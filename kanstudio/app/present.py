"""Words and numbers for the page, from documents and networks; nothing here has a state."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from kanstudio import formula, functions
from kanstudio.compiler import Cost, cost_of
from kanstudio.editor.document import Document
from kanstudio.editor.history import Entry, History
from kanstudio.network.forward import layer_forward, program, tensors
from kanstudio.network.network import FloatArray, Network
from kanstudio.symbolic.arithmetic import with_numbers
from kanstudio.symbolic.constants import recognise


def beginning(history: History) -> Entry:
    """The step with which the work on the present network began: compiled, or opened."""
    past = history.entries[: history.position + 1]
    starts = (entry for entry in reversed(past) if entry.label.startswith(("compile", "open ")))
    return next(starts, past[0])


def compiled_cost(history: History) -> Cost | None:
    """What the present formula cost when it was compiled; None if that was not here."""
    entry = beginning(history)
    compiled = entry.label == "open link" or entry.label.startswith("compile")
    return cost_of(entry.document.network) if compiled else None


def small(value: float | None) -> str:
    """A number in few characters; a dash for none."""
    if value is None or not np.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    if 1e-3 <= abs(value) < 1e4:
        return f"{value:.4g}"
    return f"{value:.2e}"


def plural(count: int, name: str) -> str:
    """The count with its noun.

    >>> plural(1, "row"), plural(1200, "row")
    ('1 row', '1,200 rows')
    """
    return f"{count:,} {name}" if count == 1 else f"{count:,} {name}s"


def percent(share: float) -> str:
    """A share in few characters, never 0% of something or 100% of less than all.

    >>> percent(0.123), percent(0.0004), percent(0.9999)
    ('12%', '<0.1%', '99%')
    """
    if share < 0.001:
        return "<0.1%" if share > 0 else "0%"
    return f"{share:.1%}" if share < 0.0095 else f"{min(share, 0.99 if share < 1 else 1):.0%}"


def left_out(document: Document) -> str:
    """How much of the ranges lies outside the formula's domain; "" for nothing."""
    share = document.dataset.left_out
    if not share:
        return ""
    return f"{percent(share)} of the samples lie outside the formula's domain and were left out"


def span(low: float, high: float) -> str:
    return f"{small(low)} to {small(high)}"


def front_counts(network: Network) -> tuple[int, int, int]:
    """Edges with only a symbolic front, with only a spline, with both."""
    both = symbolic = spline = 0
    for layer in network.layers:
        with_both = layer.symbolic_active & layer.spline_active
        both += int(with_both.sum())
        symbolic += int((layer.symbolic_active & ~with_both).sum())
        spline += int((layer.spline_active & ~with_both).sum())
    return symbolic, spline, both


def facts_of_structure(network: Network) -> dict[str, Any]:
    """The status line's data about the network."""
    symbolic, spline, both = front_counts(network)
    return {
        "widths": json.dumps(network.width),
        "arities": json.dumps(network.mult_arity),
        "edges-symbolic": symbolic,
        "edges-spline": spline,
        "edges-both": both,
    }


def level_words(network: Network, level: int) -> str:
    """What stands in a level: "1 sum, 2 mult (2, 3)"."""
    n_sum, n_mult = network.width[level]
    if level == 0:
        return f"{n_sum} input{'' if n_sum == 1 else 's'}"
    words = [f"{n_sum} sum"] if n_sum or not n_mult else []
    if n_mult:
        words.append(f"{n_mult} mult ({', '.join(map(str, network.mult_arity[level]))})")
    return ", ".join(words)


def root_mean_square(document: Document, outputs: FloatArray, *, test: bool) -> float | None:
    """The loss of outputs on the document's samples; None where it is not finite."""
    wanted = document.dataset.test_y if test else document.dataset.train_y
    with np.errstate(all="ignore"):
        value = float(np.sqrt(np.mean((outputs - wanted) ** 2)))
    return value if np.isfinite(value) else None


def level_values(network: Network, x: FloatArray, level: int) -> NDArray[np.float64]:
    """Values (n, nodes) of one level for inputs x (n, inputs)."""
    values = torch.tensor(np.asarray(x), dtype=torch.float64)
    plans = program(network)
    with torch.no_grad():
        for plan, layer in zip(plans[:level], network.layers[:level], strict=True):
            values = layer_forward(plan, tensors(layer, torch.float64), values)
    result: NDArray[np.float64] = values.numpy()
    return result


@lru_cache(maxsize=256)
def composed_latex(name: str) -> str:
    """A composed function of x in LaTeX, its numbers as people write them; else ""."""
    function = functions.get(name)
    if function.expression is None:
        return ""
    return formula.latex(with_numbers(function.expression, lambda number: recognise(float(number))))


def share_outside(name: str, affine: FloatArray, x: FloatArray) -> float:
    """The share of inputs x (n,) at which an edge's function (a, b, c, d) has no value."""
    inside = functions.get(name).inside(torch.tensor(affine[0] * x + affine[1]))
    return 1.0 - float(inside.double().mean())


def time_left(seconds: float) -> str:
    """A duration in words: "12 s", "3 min", "1.5 h"."""
    if seconds < 90:
        return f"{max(seconds, 0):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def arities(text: str) -> tuple[int, ...] | None:
    """Numbers from a text like "3" or "2, 3"; None if it is something else."""
    parts: Sequence[str] = text.replace(";", ",").replace(" ", ",").split(",")
    parts = [part for part in parts if part]
    if not parts or len(parts) > 64 or any(not p.isascii() or not p.isdigit() for p in parts):
        return None
    if any(len(part) > 4 for part in parts):
        return None
    return tuple(int(part) for part in parts)
