"""A sweep on the command line: what it varies, and what it leaves behind."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

from kanstudio.editor.document import Document
from kanstudio.errors import DataError, FileError, TrainingError
from kanstudio.sweep import Sweep, SweepResult
from kanstudio.training.data import Dataset, table_dataset
from kanstudio.training.sources import read_file

_OPTIONS = ("optimizer", "lr", "steps", "batch", "lamb", "schedule", "patience", "device", "seed")
_TO = re.compile(r"(-?\d+):(-?\d+)")


def start(arguments: argparse.Namespace, document: Document | None) -> Sweep:
    """The sweep that the options describe. document: the compiled formula, if there is one."""
    over = dict(swept(text) for text in arguments.over)
    fixed: dict[str, Any] = {name: getattr(arguments, name) for name in _OPTIONS}
    fixed |= {"perturb": arguments.perturb, "magnitude": arguments.magnitude}
    fixed |= dict(setting(text) for text in arguments.set)
    if arguments.width is not None:
        fixed["width"] = arguments.width
    if "width" not in {*over, *fixed}:
        if document is None:
            raise TrainingError(
                "a sweep starts from a formula, or from widths: --width or --over width=..."
            )
        if arguments.expand:
            fixed["model"] = document
        else:
            # From its text a formula's network has any grid, a coarser one, too.
            fixed |= {"formula": document.text, "inputs": document.network.input_names}
    short = {"opt": "optimizer", "learning_rate": "lr"}
    for name in over:
        fixed.pop(short.get(name, name), None)
    return Sweep(
        _data(arguments) if document is None else document.dataset,
        over, scheduler=arguments.scheduler, workers=arguments.workers, **fixed,
    )  # fmt: skip


def follow(study: Sweep, table: str | None) -> SweepResult:
    """Train, print the table, and write it; if it has to end, what was learned by then."""
    try:
        study.run()
    except (KeyboardInterrupt, TrainingError):
        if any(outcome.steps for outcome in study.result().outcomes):
            _tell(study.result(), table)
        raise
    result = study.result()
    _tell(result, table)
    return result


def _tell(result: SweepResult, table: str | None) -> None:
    print(result, flush=True)
    if table is None:
        return
    try:
        result.table.to_csv(table, index=False)
    except OSError as error:
        raise FileError(f"cannot write {table}: {error.strerror}") from error
    print(f"wrote {table}")


def _data(arguments: argparse.Namespace) -> Dataset:
    """The samples of a file, for a sweep without a formula."""
    if arguments.data is None:
        raise DataError("without a formula a sweep needs samples: --data FILE")
    if not arguments.inputs or not arguments.outputs:
        raise DataError("say which columns the file has: --inputs a,b --outputs c")
    return table_dataset(
        read_file(Path(arguments.data)), arguments.inputs, arguments.outputs,
        arguments.test_fraction, arguments.seed,
    )  # fmt: skip


def swept(text: str) -> tuple[str, list[Any]]:
    """NAME=VALUE,VALUE,... or NAME=FIRST:LAST, as a name and its values."""
    name, sign, values = (part.strip() for part in text.partition("="))
    if not sign or not name or not values:
        raise TrainingError(f"cannot sweep over {text!r}: say NAME=VALUE,VALUE or NAME=FIRST:LAST")
    if match := _TO.fullmatch(values):
        first, last = map(int, match.groups())
        return name, list(range(first, last + 1))
    try:
        found = json.loads(f"[{values}]")
    except ValueError:
        found = [_value(part.strip()) for part in values.split(",")]
    return name, found


def setting(text: str) -> tuple[str, Any]:
    """NAME=VALUE of --set."""
    name, sign, value = (part.strip() for part in text.partition("="))
    if not sign or not name:
        raise TrainingError(f"cannot set {text!r}: say NAME=VALUE")
    return name, _value(value)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
