"""The options of the command ``kanstudio``, and what each of them may be."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from typing import Any

from kanstudio import __version__

FORMATS = ("picture", "python", "torch", "c", "latex", "text")
PORT = 5006
MAX_PORT = 65_535
MAX_SESSIONS = 100


def command_line(
    commands: Mapping[str, Callable[[argparse.Namespace], int]],
) -> argparse.ArgumentParser:
    """The parser; what it parses has the function of its command as ``run``.

    commands: the functions for serve, compile, train, sweep and export.
    """
    top = argparse.ArgumentParser(prog="kanstudio", description="Formulas as live networks.")
    top.add_argument("--version", action="version", version=f"kanstudio {__version__}")
    added = top.add_subparsers(required=True, metavar="COMMAND")
    makers = {
        "serve": _add_serve, "compile": _add_compile, "train": _add_train, "sweep": _add_sweep,
        "export": _add_export,
    }  # fmt: skip
    for name, make in makers.items():
        command = make(added)
        command.set_defaults(run=commands[name])
        command.add_argument(
            "--functions", action="append", default=[], metavar="FILE",
            help="Python of yours that calls kanstudio.add_function; may be repeated",
        )  # fmt: skip
    return top


def _add_serve(commands: Any) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(
        "serve", help="start the Studio in the browser"
    )
    command.add_argument("--port", type=_port, default=PORT, help="0 takes a free one")
    command.add_argument("--host", default="127.0.0.1", help="address to listen on")
    command.add_argument("--no-browser", action="store_true", help="do not open a browser")
    command.add_argument("--num-procs", type=_count, default=1, help="server processes")
    command.add_argument(
        "--max-sessions", type=_count, default=MAX_SESSIONS, metavar="N",
        help="sessions of each process at a time (%(default)s); who comes then is told to wait",
    )  # fmt: skip
    command.add_argument(
        "--allow-origin", action="append", default=[], metavar="HOST[:PORT]",
        help="let browsers of other machines connect under this name; may be repeated",
    )  # fmt: skip
    command.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="train on a Dask cluster, such as tcp://10.0.0.5:8786",
    )
    return command


def _add_compile(commands: Any) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(
        "compile", help="say which network a formula becomes"
    )
    _add_formula(command)
    command.add_argument(
        "--strategy",
        choices=("shared", "compact", "tree"),
        default="shared",
        help="how the network is laid out; what each costs is shown",
    )
    command.add_argument(
        "--range", action="append", type=_range, default=[], metavar="NAME=LOW:HIGH", dest="ranges",
        help="where an input lies, for a network that need be right there only; may be repeated",
    )  # fmt: skip
    command.add_argument("--json", action="store_true", help="machine readable")
    return command


def _add_train(commands: Any) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(
        "train", help="train a formula's network on data"
    )
    _add_formula(command)
    _add_data(command)
    _add_edits(command)
    _add_training(command).add_argument(
        "--checkpoint", metavar="FILE", help="go on from FILE if it is there; written at the end"
    )
    _add_out(command, "the trained network")
    return command


def _add_sweep(commands: Any) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(
        "sweep", help="train many networks and find the best"
    )
    command.add_argument(
        "formula", metavar="FORMULA", nargs="?", help="may be left out with widths and --data"
    )
    _add_inputs(command)
    points = command.add_argument_group("points")
    points.add_argument(
        "--over",
        action="append",
        default=[],
        metavar="NAME=VALUES",
        help="seed=0:9, grid=3,5,10, lamb=0,0.001, width=[2,3,1],[2,5,1] or any other "
        "setting; may be repeated, for all combinations",
    )
    points.add_argument("--width", type=_width, help="such as 2,5,1, instead of the formula's")
    points.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="any other setting"
    )
    _add_data(command)
    _add_edits(command)
    _add_training(command)
    where = command.add_argument_group("where")
    where.add_argument("--workers", type=_count, help="processes, by default the cores less one")
    where.add_argument("--scheduler", metavar="ADDRESS", help="of a Dask cluster instead")
    command.add_argument("--table", metavar="FILE", help="the table as CSV")
    _add_out(command, "the best network")
    return command


def _add_data(command: argparse.ArgumentParser) -> None:
    data = command.add_argument_group("data")
    data.add_argument("--data", metavar="FILE", help="CSV or Parquet; without: the formula's own")
    data.add_argument(
        "--outputs", type=_names, help="columns of FILE, by default the outputs' names"
    )
    data.add_argument("--test-fraction", type=float, default=0.2, help="rows of FILE kept to test")
    data.add_argument("--samples", type=int, default=1000, help="to train, and as many to test")
    data.add_argument("--noise", type=float, default=0.0, help="in units of the output's deviation")
    data.add_argument(
        "--range", action="append", type=_range, default=[], metavar="NAME=LOW:HIGH", dest="ranges"
    )


def _add_edits(command: argparse.ArgumentParser) -> None:
    edits = command.add_argument_group("edits before training, in this order")
    edits.add_argument(
        "--expand",
        action="append",
        default=[],
        metavar="EDIT",
        help="depth, sum:LEVEL:COUNT or mult:LEVEL:ARITY[,ARITY...]; may be repeated",
    )
    edits.add_argument(
        "--perturb", choices=("off", "minimal", "all", "non-intrusive"), default="off"
    )
    edits.add_argument("--magnitude", type=float, default=0.1, help="of the perturbation")


def _add_training(command: argparse.ArgumentParser) -> Any:
    training = command.add_argument_group("training")
    training.add_argument("--optimizer", choices=("Adam", "LBFGS", "LM", "auto"), default="LBFGS")
    training.add_argument("--lr", type=float, help="learning rate, by default the optimizer's")
    training.add_argument("--steps", type=int, default=50)
    training.add_argument("--batch", type=int, default=-1, help="samples a step, -1 for all")
    training.add_argument("--lamb", type=float, default=0.0, help="strength of the regularisation")
    training.add_argument("--schedule", default="constant", help="of the rate, such as cosine")
    training.add_argument("--patience", type=int, help="steps without a lower test loss to stop")
    training.add_argument("--device", default="cpu", help="cpu, cuda or mps")
    training.add_argument("--seed", type=int, default=0, help="of data, perturbation and batches")
    return training


def _add_out(command: argparse.ArgumentParser, what: str) -> None:
    command.add_argument("--out", metavar="FILE", help=f"{what}: .safetensors, or .svg or .png")


def _add_export(commands: Any) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(
        "export", help="draw a formula's network, or write it as code"
    )
    _add_formula(command)
    command.add_argument("--out", metavar="FILE", help="a picture: .svg or .png; code: any name")
    command.add_argument(
        "--format", choices=FORMATS, default="picture", help="code is printed without --out"
    )
    command.add_argument(
        "--metric", choices=("forward_n", "forward_u", "backward"), default="forward_n"
    )
    command.add_argument("--beta", type=float, default=1000.0, help="contrast of the opacity")
    command.add_argument("--theme", choices=("light", "dark"), default="light")
    return command


def _add_formula(command: argparse.ArgumentParser) -> None:
    command.add_argument("formula", metavar="FORMULA", help='such as "exp(sin(pi*x)+y^2)"')
    _add_inputs(command)


def _add_inputs(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--inputs", type=_names, help="their order, such as x,y; by default of first appearance"
    )


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > MAX_PORT:
        raise argparse.ArgumentTypeError(f"a port is a number from 0 to {MAX_PORT}, not {text!r}")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a whole number of at least 1, not {text!r}")
    return int(text)


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    if not all(names):
        raise argparse.ArgumentTypeError(f"names with commas between, such as x,y, not {text!r}")
    return names


def _width(text: str) -> list[int]:
    parts = text.split(",")
    if not all(part.strip().isdecimal() for part in parts):
        raise argparse.ArgumentTypeError(f"numbers of nodes such as 2,5,1, not {text!r}")
    return [int(part) for part in parts]


def _range(text: str) -> tuple[str, tuple[float, float]]:
    name, _, span = text.partition("=")
    low, _, high = span.partition(":")
    try:
        return name.strip(), (float(low), float(high))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"a range is NAME=LOW:HIGH, not {text!r}") from error
