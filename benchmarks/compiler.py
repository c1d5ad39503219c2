"""The compiler beside pykan's: time, exactness, and the size of what comes out."""

from __future__ import annotations

import json
import signal
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import sympy
import torch
from sympy.core.cache import clear_cache

from benchmarks.timing import machine, silence
from kanstudio import formula
from kanstudio.compiler import STRATEGIES, compile_network, cost_report, sympy_function
from kanstudio.datasets import feynman_problems
from kanstudio.errors import KanStudioError
from kanstudio.network.forward import evaluate

FORMULA_SET = Path(__file__).parents[1] / "tests" / "data" / "formula_set.json"
N_SAMPLES = 200
LEAST_REAL = 50
EXACT = 1e-9
LIMIT_S = 10
SIZES = (10, 100, 1_000, 10_000)

TEXT = """# The compiler against pykan's

Both compilers and sympy in one process with one thread, in turn, sympy's cache cleared
before each. Made by `python -m benchmarks compiler --write`.

{date}; {machine}.

## Time

All {problems} Feynman formulas, {rounds} rounds; milliseconds for one formula.

{times}

Time by the size of the expression, in milliseconds, from the sympy expression to the network:

{scaling}

## Exactness

The {formulas} formulas of `tests/data/formula_set.json`: exact is an error of at most
{exact:g} (1 + largest value) in float64 on random samples, and wrong is a network without an
error message that is not exact. pykan compiles each output on its own, and has {limit} s for it.

{exactness}

## Size

All Feynman formulas together. The 120 formulas use 467 inputs, and no network has fewer edges.

{sizes}
"""


def measured(rounds: int) -> str:
    """The whole page."""
    times = _times(rounds)
    return TEXT.format(
        date=time.strftime("%Y-%m-%d"),
        machine=machine(),
        problems=len(feynman_problems()),
        rounds=rounds,
        times=times,
        scaling=_scaling(max(rounds // 5, 1)),
        formulas=len(_formulas()),
        exact=EXACT,
        limit=LIMIT_S,
        exactness=_exactness(),
        sizes=_sizes(),
    )


def _table(head: Sequence[object], *rows: Sequence[object]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


# Time


def _times(rounds: int) -> str:
    """One table: each task's median, worst and sum over the formulas, by medians of rounds."""
    tasks = [_tasks(problem) for problem in feynman_problems()]
    labels = list(tasks[0])
    seconds: dict[str, list[float]] = {label: [] for label in labels}
    with silence(), _float64():
        for of_problem in tasks:
            taken: dict[str, list[float]] = {label: [] for label in labels}
            for _ in range(rounds):
                for label, task in of_problem.items():
                    taken[label].append(_time(task))
            for label in labels:
                seconds[label].append(statistics.median(taken[label]))
    pykan = seconds[labels[-1]]
    rows = [
        [
            label,
            f"{1e3 * statistics.median(found):.2f}",
            f"{1e3 * max(found):.2f}",
            f"{1e3 * statistics.fmean(found):.2f}",
            f"{statistics.median(a / b for a, b in zip(pykan, found, strict=True)):.2f}",
        ]
        for label, found in seconds.items()
    ]
    return _table(["", "median", "worst", "mean", "pykan's time over this"], *rows)


def _tasks(problem: Any) -> dict[str, Callable[[], object]]:
    from kan.compiler import kanpiler

    expression = problem.expression
    steps = _steps(expression)
    by_name = {symbol.name: symbol for symbol in expression.free_symbols}
    symbols = [by_name.get(name, name) for name in problem.inputs]

    def from_text() -> object:
        parsed = formula.parse(problem.formula, problem.inputs)
        return compile_network([parsed.outputs[0].expr], problem.inputs)

    return {
        "sympy builds the expression": lambda: _built(steps),
        "KAN Studio, text to expression": lambda: formula.parse(problem.formula, problem.inputs),
        **{
            f"KAN Studio, expression to network, {strategy}": lambda strategy=strategy: (
                compile_network([expression], problem.inputs, strategy=strategy)
            )
            for strategy in STRATEGIES
        },
        "KAN Studio, text to network": from_text,
        "pykan, expression to network": lambda: kanpiler(symbols, expression, auto_save=False),
    }


def _steps(expression: sympy.Expr) -> list[tuple[Any, tuple[int, ...] | None]]:
    """The expression as a list of constructors and the positions of their arguments."""
    steps: list[tuple[Any, tuple[int, ...] | None]] = []
    for node in sympy.postorder_traversal(expression):
        if not node.args:
            steps.append((node, None))
            continue
        below, at = [], len(steps) - 1
        for _ in node.args:
            below.append(at)
            at -= _size(steps, at)
        steps.append((node.func, tuple(reversed(below))))
    return steps


def _size(steps: Sequence[tuple[Any, tuple[int, ...] | None]], at: int) -> int:
    return 1 + sum(_size(steps, below) for below in steps[at][1] or ())


def _built(steps: Sequence[tuple[Any, tuple[int, ...] | None]]) -> object:
    made: list[Any] = []
    for head, below in steps:
        made.append(head if below is None else head(*(made[at] for at in below)))
    return made[-1]


def _time(task: Callable[[], object]) -> float:
    clear_cache()
    start = time.perf_counter()
    task()
    return time.perf_counter() - start


def _scaling(rounds: int) -> str:
    x = [sympy.Symbol(f"x{i}") for i in range(8)]

    def total(size: int) -> sympy.Expr:
        return sympy.Add(*(sympy.sin(k * x[k % 8]) for k in range(1, size // 4 + 2)))

    def chain(size: int) -> sympy.Expr:
        found = x[0]
        for k in range(size // 2):
            found = (
                sympy.sin(found, evaluate=False) if k % 2 else sympy.Add(found, 1, evaluate=False)
            )
        return found

    names = [symbol.name for symbol in x]
    rows = []
    for name, make in (("sum", total), ("chain", chain)):
        times = []
        for size in SIZES:
            task = partial(compile_network, [make(size)], names)
            try:
                taken = [_time(task) for _ in range(rounds)]
                times.append(f"{1e3 * statistics.median(taken):,.1f}")
            except KanStudioError as error:
                times.append(str(error))
        rows.append([name, *times])
    return _table(["", *(f"{size:,} nodes" for size in SIZES)], *rows)


# Exactness


def _formulas() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(FORMULA_SET.read_text(encoding="utf-8"))
    return found


def _exactness() -> str:
    columns = [*(f"KAN Studio, {strategy}" for strategy in STRATEGIES), "pykan"]
    found: dict[str, list[str]] = {column: [] for column in columns}
    for seed, record in enumerate(_formulas()):
        parsed = formula.parse(record["text"], record["inputs"])
        expressions = [output.expr for output in parsed.outputs]
        low, high = np.transpose(record["ranges"])
        samples = np.random.default_rng(seed).uniform(low, high, (N_SAMPLES, len(low)))
        expected = sympy_function(expressions, parsed.variables)(samples)
        real = np.isfinite(expected).all(axis=1)
        assert real.sum() >= LEAST_REAL, record["name"]
        case = expressions, list(parsed.variables), samples[real], expected[real]
        for column, strategy in zip(columns, STRATEGIES, strict=False):
            found[column].append(_verdict(_ours, *case, strategy))
        found["pykan"].append(_verdict(_theirs, *case))
    rows = [
        [verdict, *(_share([item == verdict for item in found[column]]) for column in columns)]
        for verdict in ("exact", "wrong", "error", "too slow")
    ]
    return _table(["", *columns], *rows)


def _share(hits: Sequence[bool]) -> str:
    return f"{sum(hits)} ({sum(hits) / len(hits):.0%})"


def _verdict(
    outputs: Callable[..., np.ndarray],
    expressions: list[sympy.Expr],
    variables: list[str],
    samples: np.ndarray,
    expected: np.ndarray,
    *options: str,
) -> str:
    try:
        with silence(), _float64(), _limit(LIMIT_S * len(expressions)):
            values = outputs(expressions, variables, samples, *options)
    except TimeoutError:
        return "too slow"
    except Exception:  # whatever pykan raises: it did not compile
        return "error"
    error = np.abs(values - expected).max() / (1 + np.abs(expected).max())
    return "exact" if error <= EXACT else "wrong"


def _ours(
    expressions: list[sympy.Expr], variables: list[str], samples: np.ndarray, strategy: Any
) -> np.ndarray:
    return evaluate(compile_network(expressions, variables, strategy=strategy), samples)


def _theirs(expressions: list[sympy.Expr], variables: list[str], samples: np.ndarray) -> np.ndarray:
    from kan.compiler import kanpiler

    columns = []
    for expression in expressions:
        by_name = {symbol.name: symbol for symbol in expression.free_symbols}
        symbols = [by_name.get(name, sympy.Symbol(name)) for name in variables]
        model = kanpiler(symbols, expression, auto_save=False)
        with torch.no_grad():
            columns.append(model(torch.tensor(samples)).numpy().reshape(-1, 1))
    return np.hstack(columns)


@contextmanager
def _limit(seconds: int) -> Iterator[None]:
    """TimeoutError after so many seconds."""

    def late(signum: int, frame: FrameType | None) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def _float64() -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


# Size


def _sizes() -> str:
    totals: dict[str, list[int]] = {}
    for where in ("", ", for the problem's ranges"):
        for problem in feynman_problems():
            ranges = problem.ranges if where else None
            report = cost_report([problem.expression], problem.inputs, ranges=ranges)
            for strategy, cost in report.items():
                if where and strategy == "tree":
                    continue
                row = totals.setdefault(f"KAN Studio, {strategy}{where}", [0, 0, 0])
                row[:] = [row[0] + cost.edges, row[1] + cost.nodes, row[2] + cost.depth]
    totals["pykan"] = _their_size()
    edges = totals["pykan"][0]
    rows = [
        [name, f"{row[0]:,}", f"{1 - row[0] / edges:.0%}", f"{row[1]:,}", f"{row[2]:,}"]
        for name, row in totals.items()
    ]
    return _table(["", "active edges", "fewer than pykan", "nodes", "layers"], *rows)


def _their_size() -> list[int]:
    from kan.compiler import kanpiler

    edges = nodes = layers = 0
    for problem in feynman_problems():
        expression = problem.expression
        by_name = {symbol.name: symbol for symbol in expression.free_symbols}
        symbols = [by_name.get(name, name) for name in problem.inputs]
        with silence():
            model = kanpiler(symbols, expression, auto_save=False)
        for layer in model.symbolic_fun:
            edges += sum(name != "0" for row in layer.funs_name for name in row)
        nodes += sum(sum(width) for width in model.width[1:])
        layers += model.depth
    return [edges, nodes, layers]
