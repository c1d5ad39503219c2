"""Write requirements.txt and requirements-test.txt from the packages installed here.

Run it in an environment that holds what you want to pin: ``python tools/lock.py``.
The files list the closure of pyproject.toml's dependencies, every one pinned with
``==`` and nothing else: no hashes of one platform's wheels, no addresses. What only
another platform needs is left to pip.
"""

from __future__ import annotations

import tomllib
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
HEADER = "# Written by tools/lock.py; the ranges are in pyproject.toml.\n"


def closure(requirements: list[str]) -> dict[str, str]:
    """Name and public version of everything that the requirements need here."""
    pins: dict[str, str] = {}
    todo = [Requirement(text) for text in requirements]
    seen: set[tuple[str, frozenset[str]]] = set()
    while todo:
        requirement = todo.pop()
        name = canonicalize_name(requirement.name)
        key = (name, frozenset(requirement.extras))
        if key in seen:
            continue
        seen.add(key)
        distribution = metadata.distribution(name)
        # "2.13.0+cpu" is one build of 2.13.0; which build is the platform's affair.
        pins[name] = Version(distribution.version).public
        for text in distribution.requires or []:
            child = Requirement(text)
            extras = ["", *requirement.extras]
            if child.marker is None or any(child.marker.evaluate({"extra": e}) for e in extras):
                todo.append(child)
    return pins


def main() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    runtime = closure(project["dependencies"])
    test = closure(project["dependencies"] + project["optional-dependencies"]["test"])
    lines = [f"{name}=={version}\n" for name, version in sorted(runtime.items())]
    (ROOT / "requirements.txt").write_text(HEADER + "".join(lines), "utf-8")
    extra = sorted(set(test.items()) - set(runtime.items()))
    lines = ["-r requirements.txt\n", *(f"{name}=={version}\n" for name, version in extra)]
    (ROOT / "requirements-test.txt").write_text(HEADER + "".join(lines), "utf-8")


if __name__ == "__main__":
    main()
