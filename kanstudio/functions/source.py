"""Functions from a Python file of the user's, or from a module."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType

import cloudpickle

from kanstudio.errors import KanStudioError
from kanstudio.functions.registry import added


def load_functions(source: str) -> tuple[str, ...]:
    """Run a Python file, or import a module, that calls `add_function`; the names it added.

    source: a path that ends in .py, or the name of a module. The code is the caller's own and
    may do anything; processes that train get its functions from this one. Raises
    KanStudioError, with the line that is wrong.
    """
    before = added.now.rows
    try:
        module = _run(source) if source.endswith(".py") else importlib.import_module(source)
    except (Exception, SystemExit) as error:
        raise KanStudioError(f"cannot read functions from {_place(source, error)}") from error
    # Where the functions go, nobody may have this module.
    cloudpickle.register_pickle_by_value(module)
    names = tuple(name for name, row in added.now.rows.items() if before.get(name) is not row)
    if not names:
        raise KanStudioError(f"{source} adds no function: call kanstudio.add_function in it")
    return names


def _run(source: str) -> ModuleType:
    path = Path(source)
    name = f"kanstudio_functions_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _place(source: str, error: BaseException) -> str:
    """Where something went wrong, and what."""
    what = str(error) if isinstance(error, KanStudioError) else f"{type(error).__name__}: {error}"
    if isinstance(error, SyntaxError):
        return f"{error.filename}, line {error.lineno}: {error.msg}"
    ours = (str(Path(__file__).parent.parent), "<frozen ", importlib.__file__)
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(ours)
    ]
    if isinstance(error, OSError) and not frames:
        return f"{source}: {error.strerror}"
    # What raises may be a library; the line that counts is the user's first.
    return (
        f"{frames[0].filename}, line {frames[0].lineno}: {what}" if frames else f"{source}: {what}"
    )
