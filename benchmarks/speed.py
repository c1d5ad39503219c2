"""The tutorial's network: training steps, compiling a formula, drawing."""

from __future__ import annotations

import tempfile

from benchmarks import startup, tutorial
from benchmarks.timing import dated, table

TEXT = """# Speed against pykan

Both libraries in one process with one thread, in turn, round after round, in CPU time. "Times
faster" is the median of the rounds' ratios: a busy machine slows both alike, so trust the
ratios more than the milliseconds. Made by `python -m benchmarks speed --write`.

{dated}

{table}

- A training step includes the loss on as many test samples, as in pykan's `fit`; an L-BFGS
  step has up to 20 iterations in both. pykan computes in float32 (its default), KAN Studio
  in float64.
- The kernel is compiled once per machine ({compile:.0f} s here) and kept on disk; with it on disk
  a process is ready to train after {load:.1f} s.
- `plot` ends with an SVG text in KAN Studio and with a figure in matplotlib; both know the
  activations already.
"""


def measured(rounds: int) -> str:
    """The part of the page."""
    pair = tutorial.Pair()
    rows = [*tutorial.training_rows(pair, rounds), tutorial.compile_row(pair, rounds)]
    with tempfile.TemporaryDirectory() as folder:
        rows.append(tutorial.plot_row(pair, max(rounds // 3, 2), folder))
    compile_s, load_s = startup.kernel_seconds()
    return TEXT.format(dated=dated(), table=table(rows), compile=compile_s, load=load_s)
