"""Print the tables: ``python -m benchmarks [speed|compiler|snap|gpu] [--quick] [--write]``."""

from __future__ import annotations

import argparse
import datetime
import importlib
import os
import re
import tempfile
import warnings
from pathlib import Path

import torch

PARTS = ("speed", "compiler", "snap", "gpu")
RESULTS = Path(__file__).with_name("RESULTS.md")

TEXT = """# Speed against pykan

Both libraries in one process with one thread, in turn, round after round. "Times faster"
is the median of the rounds' ratios: a busy machine slows both alike, so trust the ratios
more than the milliseconds. Made by `python -m benchmarks speed --write`.

{date}; {machine}.

{table}

- A training step includes the loss on as many test samples, as in pykan's `fit`; an L-BFGS
  step has up to 20 iterations in both. pykan computes in float32 (its default), KAN Studio
  in float64.
- The kernel is compiled once per machine ({compile:.0f} s here) and kept on disk; with it on disk
  a process is ready to train after {load:.1f} s.
- `plot` ends with an SVG text in KAN Studio and with a figure in matplotlib; both know the
  activations already.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", nargs="?", choices=PARTS, help="all without")
    parser.add_argument("--quick", action="store_true", help="few rounds")
    parser.add_argument("--write", action="store_true", help=f"into {RESULTS.name}")
    options = parser.parse_args()
    rounds = 3 if options.quick else 15
    torch.set_num_threads(1)
    # pykan's own warnings; those of KAN Studio would fail its tests.
    warnings.simplefilter("ignore")
    os.environ.setdefault("MPLBACKEND", "Agg")
    for part in (options.part,) if options.part else PARTS:
        text = measured(rounds) if part == "speed" else _other(part, rounds)
        print(text)
        if options.write:
            _write(text)


def _other(part: str, rounds: int) -> str:
    module = importlib.import_module(f"benchmarks.{part}")
    text: str = module.measured(rounds)
    return text


def _write(text: str) -> None:
    """Replace the part of the page that has the same heading; add it where there is none."""
    parts = re.split(r"^(?=# )", RESULTS.read_text(encoding="utf-8"), flags=re.MULTILINE)
    heading = text.partition("\n")[0]
    kept = [part.strip() for part in parts if part.strip()]
    at = next((i for i, part in enumerate(kept) if part.startswith(heading)), len(kept))
    kept[at : at + 1] = [text.strip()]
    RESULTS.write_text("\n\n".join(kept) + "\n", encoding="utf-8")


def measured(rounds: int) -> str:
    """The part about speed."""
    from benchmarks import startup, timing, tutorial

    here = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        # pykan writes checkpoints and pictures into the working directory.
        os.chdir(folder)
        try:
            pair = tutorial.Pair()
            rows = [
                *tutorial.training_rows(pair, rounds),
                tutorial.compile_row(pair, rounds),
                tutorial.plot_row(pair, max(rounds // 3, 2), folder),
            ]
        finally:
            os.chdir(here)
    compile_s, load_s = startup.kernel_seconds()
    return TEXT.format(
        date=datetime.date.today().isoformat(),
        machine=timing.machine(),
        table=timing.table(rows),
        compile=compile_s,
        load=load_s,
    )


if __name__ == "__main__":
    main()
