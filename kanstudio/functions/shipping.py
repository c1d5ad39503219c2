"""Functions that users added, on their way to the processes that train.

They travel as code, as everything does that a program sends to its own workers or its own
Dask cluster. Saved files hold no code: there a function stands by its name.
"""

from __future__ import annotations

import pickle
import re
import threading
from collections.abc import Iterable, Mapping

import cloudpickle

from kanstudio.errors import KanStudioError
from kanstudio.functions.own import add_function
from kanstudio.functions.registry import added

_WORD = re.compile(r"\w+")

_lock = threading.Lock()
_taken: dict[str, bytes] = {}


def packed(names: Iterable[str]) -> dict[str, bytes]:
    """The added functions among these, and those that composed ones are made of, by name.

    Raises KanStudioError for one that cannot leave this process.
    """
    words = {word for name in set(names) for word in _WORD.findall(name)}
    found = {}
    for name, recipe in added.now.recipes.items():
        if name in words:
            try:
                found[name] = cloudpickle.dumps(recipe)
            except Exception as error:
                raise KanStudioError(
                    f"the function {name} cannot be sent to another process: {error}"
                ) from error
    return found


def take(functions: Mapping[str, bytes]) -> None:
    """Add functions that another process packed; the latest of a name counts.

    Raises KanStudioError for one that needs what is not installed here.
    """
    with _lock:
        for name, content in functions.items():
            if _taken.get(name) == content and name in added.now.rows:
                continue
            try:
                recipe = pickle.loads(content)
            except Exception as error:
                raise KanStudioError(
                    f"the function {name} did not reach the process that trains: {error}"
                ) from error
            add_function(**recipe, replace=True)
            _taken[name] = content
