"""The published set of formulas: each network is exact, against mpmath.

tests/data/README.md says what the set is.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from expressions import error_at

import kanstudio
from kanstudio import functions
from kanstudio.compiler import STRATEGIES, public, sympy_function

N_SAMPLES = 50
DIGITS = 30
# References are Python expressions; they see mpmath's functions and these.
NAMES: Mapping[str, Any] = {
    "__builtins__": {"max": max, "min": min, "sorted": sorted, "range": range},
    **vars(mpmath),
}


@dataclass(frozen=True)
class Entry:
    """One formula of the set, as tests/data/README.md explains it."""

    name: str
    source: str
    text: str
    inputs: list[str]
    ranges: list[list[float]]
    reference: list[str]


def _entries() -> list[Entry]:
    path = Path(__file__).parent / "data" / "formula_set.json"
    return [Entry(**record) for record in json.loads(path.read_text(encoding="utf-8"))]


ENTRIES = _entries()
FORMULAS = pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)


@functools.cache
def references() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Samples (n, inputs) and values (n, outputs) of each formula; NaN for no real value."""
    found = {}
    # A number without a real value raises, instead of becoming complex.
    mpmath.mp.trap_complex = True
    try:
        with mpmath.workdps(DIGITS):
            for seed, entry in enumerate(ENTRIES):
                found[entry.name] = _reference(entry, seed)
    finally:
        mpmath.mp.trap_complex = False
    return found


def _reference(entry: Entry, seed: int) -> tuple[np.ndarray, np.ndarray]:
    low, high = np.transpose(entry.ranges)
    samples = np.random.default_rng(seed).uniform(low, high, (N_SAMPLES, len(low)))
    codes = [compile(text, entry.name, "eval") for text in entry.reference]
    # lambda is a word of Python's.
    inputs = [name.replace("lambda", "lambda_") for name in entry.inputs]
    values = np.empty((N_SAMPLES, len(codes)))
    for row, sample in zip(values, samples, strict=True):
        numbers = [mpmath.mpf(float(number)) for number in sample]
        known = dict(NAMES) | dict(zip(inputs, numbers, strict=True)) | {"inputs": numbers}
        row[:] = [_value(code, known) for code in codes]
    return samples, values


def _value(code: Any, known: dict[str, Any]) -> float:
    try:
        return float(eval(code, known))
    except (ZeroDivisionError, mpmath.libmp.ComplexResult):
        return float("nan")


@FORMULAS
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_network_equals_an_independent_evaluation(entry, strategy):
    samples, values = references()[entry.name]
    real = np.isfinite(values).all(axis=1)
    assert real.sum() >= 20, "too few samples have a value"
    network = public.network_of(entry.text, entry.inputs, strategy=strategy)
    assert error_at(network, values[real], samples[real]) <= 1e-9


@FORMULAS
def test_a_model_and_the_formula_that_it_says_are_exact_too(entry):
    samples, values = references()[entry.name]
    real = np.isfinite(values).all(axis=1)
    bound = 1e-9 * (1 + np.abs(values[real]).max())
    model = kanstudio.compile(entry.text, entry.inputs, dtype=torch.float64)
    with torch.no_grad():
        assert np.abs(model(torch.from_numpy(samples[real])).numpy() - values[real]).max() <= bound
    read_back = model.symbolic_formula()
    names = [symbol.name for symbol in read_back.variables]
    found = sympy_function(read_back.expressions, names)(samples[real])
    assert np.abs(found - values[real]).max() <= bound


def test_every_function_of_the_table_is_in_some_formula():
    used: set[str] = set()
    for entry in ENTRIES:
        network = public.network_of(entry.text, entry.inputs, strategy="tree")
        used.update(name for layer in network.layers for row in layer.functions for name in row)
    assert used >= set(functions.names())


def test_names_are_unique():
    names = [entry.name for entry in ENTRIES]
    assert len(set(names)) == len(names) >= 240
