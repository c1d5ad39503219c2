"""What a person can open with one click: a small gallery and the Feynman problems."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from kanstudio.datasets import feynman_problems
from kanstudio.editor.document import Document, Range, new_document

FIRST = 36
"""The Feynman problem that stands there on the first visit: the relativistic Doppler shift."""


@dataclass(frozen=True)
class Example:
    """A formula with its inputs and their ranges; inputs None takes those of the text."""

    key: str
    tag: str
    title: str
    formula: str
    inputs: tuple[str, ...] | None = None
    ranges: tuple[Range, ...] | None = None


GALLERY = (
    Example("tutorial", "tutorial", "Compiler tutorial", "exp(sin(pi*x) + y^2)"),
    Example("doppler", "physics", "Relativistic Doppler", "omega_0*(1 + v/c)/sqrt(1 - v^2/c^2)",
            ("omega_0", "v", "c"), ((1.0, 5.0), (1.0, 2.0), (3.0, 20.0))),
    Example("product", "algebra", "A product", "x*y"),
    Example("gauss", "statistics", "Normal density",
            "exp(-(x - mu)^2/(2*sigma^2))/(sqrt(2*pi)*sigma)",
            ("x", "mu", "sigma"), ((-2.0, 2.0), (-1.0, 1.0), (0.5, 2.0))),
    Example("pendulum", "physics", "Pendulum period", "2*pi*sqrt(L/g)*(1 + sin(theta/2)^2/4)",
            ("L", "g", "theta"), ((0.2, 3.0), (1.6, 25.0), (0.0, 2.0))),
    Example("two", "two outputs", "Polar to Cartesian", "u = r*cos(phi); v = r*sin(phi)",
            ("r", "phi"), ((0.1, 2.0), (-3.0, 3.0))),
    Example("deep", "benchmark", "Four inputs, deep",
            "exp((sin(pi*(x1^2 + x2^2)) + sin(pi*(x3^2 + x4^2)))/2)",
            ("x1", "x2", "x3", "x4"), ((-1.0, 1.0),) * 4),
)  # fmt: skip


def written(formula: str) -> str:
    """The formula with ^ for powers, as people write it."""
    return formula.replace("**", "^")


@cache
def examples() -> tuple[tuple[str, tuple[Example, ...]], ...]:
    """(title, examples) of every group."""
    feynman = tuple(
        Example(
            f"feynman-{p.number}", f"{p.number}", p.name, written(p.formula), p.inputs, p.ranges
        )
        for p in feynman_problems()
    )
    return (("Gallery", GALLERY), (f"Feynman lectures, {len(feynman)} problems", feynman))


def find_example(key: str) -> Example | None:
    """The example with this key, None if there is none."""
    return next((item for _, group in examples() for item in group if item.key == key), None)


def first_document() -> Document:
    """The network that a first visit shows."""
    problem = feynman_problems()[FIRST - 1]
    ranges = dict(zip(problem.inputs, problem.ranges, strict=True))
    return new_document(written(problem.formula), inputs=problem.inputs, ranges=ranges)
