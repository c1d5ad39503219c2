"""How this package compiles: without the interpreter's lock, and once per machine."""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numba

# Sums may be reordered (that is what makes them fast) and multiply-add may be fused;
# NaN and infinity keep their meaning.
RELAXED = {"reassoc", "contract", "nsz", "arcp"}
EXACT = {"contract"}
PLAIN: set[str] = set()


def compiled(*, relaxed: bool) -> Callable[[Any], Any]:
    """A decorator for the parts; relaxed code may reorder sums, within rounding."""

    def decorate(function: Any) -> Any:
        return _jit(function, RELAXED if relaxed else EXACT, cache=False)

    return decorate


def compiled_plainly(function: Any) -> Any:
    """Compile a part that gives NumPy's numbers, bit for bit."""
    return _jit(function, PLAIN, cache=False)


def compiled_entry(function: Any, *, rounding: set[str] = EXACT, name: str = "") -> Any:
    """Compile what Python calls, and keep it on disk.

    rounding: what LLVM may change of it; PLAIN gives NumPy's numbers, bit for bit.
    name: of its files; two processes that compile at once must not write the same.

    Numba looks only at the file of the function itself for changes; all other files of
    this package are inside the compiled code as well. The function must be a closure over
    ``source_hash()``, which Numba makes part of its key.
    """
    if name:
        function.__qualname__ = name
    try:
        return _jit(function, rounding, cache=True)
    except RuntimeError:
        # No folder to write to: compile anew in every process.
        return _jit(function, rounding, cache=False)


@lru_cache(maxsize=1)
def source_hash() -> str:
    """A hash of everything that goes into the compiled code."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def signature(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """The types that Numba compiles a call for."""
    return tuple(numba.typeof(value) for value in arguments)


def is_kept(function: Any) -> bool:
    """False if there was no folder to keep the code in."""
    return getattr(getattr(function, "_cache", None), "cache_path", None) is not None


def on_disk(function: Any, arguments: tuple[Any, ...]) -> bool:
    """True if the code for this call can be loaded."""
    load = getattr(getattr(function, "_cache", None), "load_overload", None)
    return load is not None and load(signature(arguments), function.targetctx) is not None


def entry_point(function: Any, arguments: tuple[Any, ...]) -> Callable[..., Any]:
    """The compiled code for arguments of these types, to be called with such ones only.

    Calling the function itself does the same, 2 microseconds later: it would look at the
    type of every argument again. Compiles what is not on disk.
    """
    types = signature(arguments)
    with _neighbours_together():
        function.compile(types)
    code: Callable[..., Any] = function.overloads[types].entry_point
    return code


@contextlib.contextmanager
def _neighbours_together() -> Iterator[None]:
    """Have LLVM join operations on neighbouring numbers; Numba leaves that out by default.

    B-splines beside each other are computed in half the time. Restored afterwards: this is
    a setting of the whole process.
    """
    before = numba.config.SLP_VECTORIZE
    numba.config.SLP_VECTORIZE = 1
    try:
        yield
    finally:
        numba.config.SLP_VECTORIZE = before


def in_other_processes(commands: Iterable[str]) -> None:
    """Run each command in a Python of its own, side by side, until all have ended.

    A failure is no harm: then it is compiled here.
    """
    package = Path(__file__).parents[3]
    paths = filter(None, [str(package), os.environ.get("PYTHONPATH")])
    with contextlib.suppress(OSError), contextlib.ExitStack() as running:
        for command in commands:
            running.enter_context(subprocess.Popen(
                [sys.executable, "-c", command],
                env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            ))  # fmt: skip


def _jit(function: Any, rounding: set[str], cache: bool) -> Any:
    return numba.njit(
        function,
        cache=cache,
        nogil=True,
        error_model="numpy",
        boundscheck=False,
        fastmath=rounding,
    )
