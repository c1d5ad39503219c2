"""Measure and print the tables: ``python -m benchmarks [part] [--quick] [--write]``."""

from __future__ import annotations

import argparse
import importlib
import os
import re
import tempfile
import warnings
from pathlib import Path

import torch

RESULTS = Path(__file__).with_name("RESULTS.md")

PARTS = ("speed", "training", "wide", "scaling", "snap", "cluster", "gpu", "compiler")
"""Parts of the page; the module of the same name has ``measured(rounds)``."""

MORE_PARTS = ("peers",)
"""Parts that need packages which the tests do not."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "part",
        nargs="?",
        choices=PARTS + MORE_PARTS,
        help=f"without: all but {' and '.join(MORE_PARTS)}",
    )
    parser.add_argument("--quick", action="store_true", help="few rounds")
    parser.add_argument("--write", action="store_true", help=f"into {RESULTS.name}")
    options = parser.parse_args()
    torch.set_num_threads(1)
    # pykan's own warnings; those of KAN Studio would fail its tests.
    warnings.simplefilter("ignore")
    os.environ.setdefault("MPLBACKEND", "Agg")
    for part in (options.part,) if options.part else PARTS:
        text = _measured(part, 3 if options.quick else 15)
        print(text)
        if options.write:
            _write(text)


def _measured(part: str, rounds: int) -> str:
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        # pykan writes checkpoints and pictures into the working directory.
        os.chdir(folder)
        try:
            text: str = importlib.import_module(f"benchmarks.{part}").measured(rounds)
        finally:
            os.chdir(here)
    return text


def _write(text: str) -> None:
    """Replace the part of the page that has the same heading; add it where there is none."""
    parts = re.split(r"^(?=# )", RESULTS.read_text(encoding="utf-8"), flags=re.MULTILINE)
    heading = text.partition("\n")[0]
    kept = [part.strip() for part in parts if part.strip()]
    at = next((i for i, part in enumerate(kept) if part.startswith(heading)), len(kept))
    kept[at : at + 1] = [text.strip()]
    RESULTS.write_text("\n\n".join(kept) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
