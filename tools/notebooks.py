"""Write the notebook beside each example that is divided into cells.

``# %%`` starts a code cell, ``# %% [markdown]`` a text cell whose lines are comments.
Run ``python tools/notebooks.py`` after changing such an example.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ("interp_3_kan_compiler",)


def cells(source: str) -> list[tuple[str, str]]:
    """(kind, text) of every cell; kind is "markdown" or "code"."""
    found = []
    for block in source.split("# %%")[1:]:
        head, _, text = block.partition("\n")
        if head.strip() == "[markdown]":
            lines = [line.removeprefix("#").removeprefix(" ") for line in text.strip().split("\n")]
            found.append(("markdown", "\n".join(lines)))
        else:
            found.append(("code", text.strip()))
    return found


def notebook(source: str) -> dict[str, Any]:
    """The notebook of a script, without outputs."""
    made = []
    for index, (kind, text) in enumerate(cells(source)):
        cell: dict[str, Any] = {
            "cell_type": kind,
            "id": f"cell-{index}",
            "metadata": {},
            "source": text.splitlines(keepends=True),
        }
        if kind == "code":
            cell |= {"execution_count": None, "outputs": []}
        made.append(cell)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {
        "cells": made,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def written(name: str) -> str:
    """The text of the notebook of an example."""
    source = (ROOT / "examples" / f"{name}.py").read_text("utf-8")
    return json.dumps(notebook(source), indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    for name in EXAMPLES:
        (ROOT / "examples" / f"{name}.ipynb").write_text(written(name), "utf-8")


if __name__ == "__main__":
    main()
