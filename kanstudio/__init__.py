"""KAN Studio: formulas as Kolmogorov-Arnold networks, seen, edited, trained, read back."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from kanstudio.errors import (
    CompileError,
    DataError,
    EditError,
    FileError,
    FormulaError,
    KanStudioError,
    TrainingError,
)

if TYPE_CHECKING:
    from kanstudio.app.notebook import studio
    from kanstudio.compiler.public import compile, cost_report, kanpiler
    from kanstudio.datasets import (
        create_dataset,
        create_dataset_from_data,
        get_feynman_dataset,
    )
    from kanstudio.functions import add_function, load_functions, remove_function
    from kanstudio.kan import KAN
    from kanstudio.sweep import Sweep

__version__ = "0.1.0"

# Names that need torch or Panel load on first use: `import kanstudio` stays quick.
_LAZY = {
    "KAN": "kanstudio.kan",
    "Sweep": "kanstudio.sweep",
    "add_function": "kanstudio.functions",
    "compile": "kanstudio.compiler.public",
    "cost_report": "kanstudio.compiler.public",
    "create_dataset": "kanstudio.datasets",
    "create_dataset_from_data": "kanstudio.datasets",
    "get_feynman_dataset": "kanstudio.datasets",
    "kanpiler": "kanstudio.compiler.public",
    "load_functions": "kanstudio.functions",
    "remove_function": "kanstudio.functions",
    "studio": "kanstudio.app.notebook",
}

__all__ = [
    "KAN",
    "CompileError",
    "DataError",
    "EditError",
    "FileError",
    "FormulaError",
    "KanStudioError",
    "Sweep",
    "TrainingError",
    "add_function",
    "compile",
    "cost_report",
    "create_dataset",
    "create_dataset_from_data",
    "get_feynman_dataset",
    "kanpiler",
    "load_functions",
    "remove_function",
    "studio",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'kanstudio' has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
