"""The command ``kanstudio``: serve, compile, train, sweep, export.

What a person did wrong is one line on stderr and exit status 2; a traceback is a defect.
Heavy modules load inside the commands: ``kanstudio --help`` answers at once.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kanstudio.cli_options import command_line
from kanstudio.errors import DataError, EditError, FileError, FormulaError, KanStudioError

if TYPE_CHECKING:
    from kanstudio.editor.document import Document
    from kanstudio.network.network import Network
    from kanstudio.training.data import Dataset
    from kanstudio.training.settings import TrainingSettings

EXIT_ERROR = 2
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141
PICTURES = (".svg", ".png")
MODEL = ".safetensors"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status. ``argv`` is without the program's name."""
    arguments = parser().parse_args(argv)
    try:
        _load_functions(arguments.functions)
        status: int = arguments.run(arguments)
    except KanStudioError as error:
        print(complaint(error), file=sys.stderr)
        return EXIT_ERROR
    except KeyboardInterrupt:
        print("kanstudio: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read this, such as head, has enough; Python would say so again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE
    return status


def _load_functions(sources: Sequence[str]) -> None:
    if sources:
        from kanstudio.functions import load_functions

        for source in sources:
            load_functions(source)


def complaint(error: KanStudioError) -> str:
    """What went wrong; for a formula also the line of the text, marked under the span."""
    if not isinstance(error, FormulaError) or not error.text:
        return f"kanstudio: {error}"
    line, marks = error.pointed().split("\n")
    return f"kanstudio: {error}\n  {line}\n  {marks}"


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    return command_line(
        {
            "serve": run_serve,
            "compile": run_compile,
            "train": run_train,
            "sweep": run_sweep,
            "export": run_export,
        }
    )


def run_serve(arguments: argparse.Namespace) -> int:
    from kanstudio.app.serve import serve

    host, port = arguments.host, arguments.port
    try:
        serve(
            port,
            host,
            show=not arguments.no_browser,
            num_procs=arguments.num_procs,
            allow_origin=arguments.allow_origin,
            scheduler=arguments.scheduler,
            max_sessions=arguments.max_sessions,
        )
    except OSError as error:
        reason = error.strerror or error
        raise KanStudioError(
            f"cannot listen on {host}, port {port}: {reason} (--port 0 takes a free port)"
        ) from error
    return 0


def run_compile(arguments: argparse.Namespace) -> int:
    from kanstudio.compiler import compile_network, cost_of, cost_report, requirements
    from kanstudio.editor.document import output_names, read_formula

    parsed = read_formula(arguments.formula, arguments.inputs)
    expressions = [output.expr for output in parsed.outputs]
    ranges = _ranges(dict(arguments.ranges), parsed.variables)
    network = compile_network(
        expressions,
        parsed.variables,
        output_names(parsed),
        strategy=arguments.strategy,
        ranges=ranges,
    )
    cost = cost_of(network)
    facts = {
        "formula": parsed.text,
        "inputs": list(network.input_names),
        "outputs": list(network.output_names),
        "strategy": arguments.strategy,
        "width": network.width,
        "mult_arity": network.mult_arity,
        "depth": cost.depth,
        "nodes": cost.nodes,
        "edges": cost.edges,
        "parameters": cost.parameters,
        "requires": [f"{item} ({item.reason})" for item in requirements(expressions)],
        "notes": list(parsed.notes),
        "costs": {
            name: asdict(other)
            for name, other in cost_report(expressions, parsed.variables, ranges=ranges).items()
        },
    }
    print(json.dumps(facts) if arguments.json else _table(facts))
    return 0


def _ranges(
    known: Mapping[str, tuple[float, float]], names: Sequence[str]
) -> list[tuple[float, float]] | None:
    """The range of every input, all numbers where none was given; None without any."""
    unknown = sorted(set(known) - set(names))
    if unknown:
        raise KanStudioError(f"--range {unknown[0]}: the inputs are {', '.join(names)}")
    return [known.get(name, (-math.inf, math.inf)) for name in names] if known else None


def _table(facts: dict[str, Any]) -> str:
    """The facts line by line, and the costs of all strategies as a table below."""
    lines = []
    for key, value in facts.items():
        shown = ", ".join(value) if key in {"inputs", "outputs", "requires", "notes"} else value
        if shown not in ("", None) and key != "costs":
            lines.append(f"{key:<12}{shown}")
    columns = ("nodes", "edges", "depth", "parameters")
    lines += ["", "".join([f"{'strategy':<12}", *(f"{column:>12}" for column in columns)])]
    for name, cost in facts["costs"].items():
        row = [f"{name:<12}", *(f"{cost[column]:>12}" for column in columns)]
        lines.append("".join([*row, cost["checked"] and f"  checked {cost['checked']}"]))
    return "\n".join(lines)


def run_train(arguments: argparse.Namespace) -> int:
    from kanstudio import cli_train
    from kanstudio.editor.commands import ApplyTraining, Perturb, apply
    from kanstudio.editor.document import LossRecord
    from kanstudio.files.model import save_network
    from kanstudio.symbolic.readable import readable

    # What cannot be written or trained is said before the work, not after it.
    if arguments.checkpoint:
        _check_folder(arguments.checkpoint)
    if arguments.out:
        _check_result(arguments.out)
    settings = _settings(arguments)
    document = _trained_document(arguments)
    if arguments.perturb != "off":
        document = apply(
            document, Perturb(arguments.perturb, arguments.magnitude, seed=arguments.seed)
        )
    run = cli_train.start(document.network, document.dataset, settings, arguments.checkpoint)
    losses = [
        LossRecord(progress.step, progress.train_loss, progress.test_loss)
        for progress in cli_train.follow(run, arguments.checkpoint)
    ]
    found = readable(run.network())
    print("\n".join(found.text) or found.note)
    if arguments.out and Path(arguments.out).suffix.lower() == MODEL:
        save_network(run.network(), arguments.out)
        print(f"wrote {arguments.out}")
    elif arguments.out:
        document = apply(document, ApplyTraining(run.network(), tuple(losses)))
        _draw(document, arguments.out, metric="forward_n", beta=3.0, theme="light")
    return 1 if run.failed else 0


def run_sweep(arguments: argparse.Namespace) -> int:
    from kanstudio import cli_sweep

    for path in filter(None, (arguments.table, arguments.out)):
        _check_folder(path)
    if arguments.out:
        _check_result(arguments.out)
    document = None if arguments.formula is None else _trained_document(arguments)
    result = cli_sweep.follow(cli_sweep.start(arguments, document), arguments.table)
    if not any(outcome.network is not None for outcome in result.outcomes):
        return 1
    if arguments.out and Path(arguments.out).suffix.lower() == MODEL:
        result.save(arguments.out)
        print(f"wrote {arguments.out}")
    elif arguments.out:
        _draw(result.document, arguments.out, metric="forward_n", beta=3.0, theme="light")
    return 0


def _settings(arguments: argparse.Namespace) -> TrainingSettings:
    from kanstudio.training.settings import TrainingSettings

    return TrainingSettings(
        optimizer=arguments.optimizer,
        learning_rate=arguments.lr,
        steps=arguments.steps,
        batch=arguments.batch,
        lamb=arguments.lamb,
        schedule=arguments.schedule,
        patience=arguments.patience,
        device=arguments.device,
        seed=arguments.seed,
    )


def _trained_document(arguments: argparse.Namespace) -> Document:
    """The compiled formula with the samples and the edits that the options ask for."""
    from kanstudio.editor.commands import UseTable, apply
    from kanstudio.editor.document import new_document
    from kanstudio.training.data import FormulaData

    ranges = dict(arguments.ranges)
    source = FormulaData((), arguments.samples, arguments.samples, arguments.noise, arguments.seed)
    document = new_document(
        arguments.formula,
        inputs=arguments.inputs,
        ranges=ranges,
        source=source,
        seed=arguments.seed,
    )
    unknown = sorted(set(ranges) - set(document.network.input_names))
    if unknown:
        known = ", ".join(document.network.input_names)
        raise DataError(
            f"there is no input {', '.join(unknown)} for a range: the inputs are {known}"
        )
    if arguments.data is not None:
        dataset = _read(arguments, document.network)
        document = apply(document, UseTable(Path(arguments.data).name, dataset))
    for text in arguments.expand:
        document = apply(document, expansion(text))
    return document


def _read(arguments: argparse.Namespace, network: Network) -> Dataset:
    from kanstudio.training.data import table_dataset
    from kanstudio.training.table import read_table

    path = Path(arguments.data)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror}") from error
    return table_dataset(
        read_table(content, path.name),
        network.input_names,
        arguments.outputs or network.output_names,
        arguments.test_fraction,
        arguments.seed,
    )


def expansion(text: str) -> Any:
    """The editor's command for depth, sum:LEVEL:COUNT or mult:LEVEL:ARITY[,ARITY...]."""
    from kanstudio.editor.commands import ExpandDepth, ExpandWidth

    kind, *numbers = text.split(":")
    try:
        if kind == "depth" and not numbers:
            return ExpandDepth()
        if kind == "sum":
            level, count = map(int, numbers)
            return ExpandWidth(level, count)
        if kind == "mult":
            arities = tuple(map(int, numbers[1].split(",")))
            (level,) = map(int, numbers[:1])
            return ExpandWidth(level, len(arities), arities)
    except (ValueError, IndexError):
        pass
    raise EditError(
        f"cannot expand by {text!r}: say depth, sum:LEVEL:COUNT or mult:LEVEL:ARITY,ARITY"
    )


def run_export(arguments: argparse.Namespace) -> int:
    from kanstudio.editor.document import new_document

    if arguments.format != "picture":
        return _write_code(arguments)
    if arguments.out is None:
        raise FileError("a picture needs a file: --out network.svg or --out network.png")
    _check_picture(arguments.out)
    document = new_document(arguments.formula, inputs=arguments.inputs)
    _draw(
        document,
        arguments.out,
        metric=arguments.metric,
        beta=arguments.beta,
        theme=arguments.theme,
    )
    return 0


def _write_code(arguments: argparse.Namespace) -> int:
    from kanstudio import formula

    text = formula.write(formula.parse(arguments.formula, arguments.inputs), arguments.format)
    if arguments.out is None:
        print(text, end="")
        return 0
    try:
        Path(arguments.out).write_text(text, encoding="utf-8")
    except OSError as error:
        raise FileError(f"cannot write {arguments.out}: {error.strerror}") from error
    print(f"wrote {arguments.out}")
    return 0


def _check_result(out: str) -> None:
    if Path(out).suffix.lower() not in (*PICTURES, MODEL):
        raise FileError(f"cannot write {out}: a model ends in {MODEL}, a picture in .svg or .png")
    _check_folder(out)


def _check_picture(out: str) -> None:
    if Path(out).suffix.lower() not in PICTURES:
        raise FileError(f"cannot draw {out}: a picture ends in .svg or .png")
    _check_folder(out)


def _check_folder(out: str) -> None:
    folder = Path(out).parent
    if not folder.resolve().is_dir():
        raise FileError(f"cannot write {out}: there is no folder {folder}")


def _draw(document: Document, out: str, *, metric: str, beta: float, theme: str) -> None:
    from kanstudio.scene.plot import plot_network

    picture = plot_network(
        document.network, document.dataset.train_x, metric=metric, beta=beta, theme=theme
    )
    try:
        picture.save(out)
    except OSError as error:
        raise FileError(f"cannot write {out}: {error.strerror}") from error
    print(f"wrote {out}")
