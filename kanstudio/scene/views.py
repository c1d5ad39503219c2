"""The parts of a drawing: frozen records of text and world coordinates."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BandView:
    """The strip behind a level: title, what it holds, rectangle (x, y, w, h)."""

    level: int
    kind: str  # "input", "hidden" or "output"
    title: str
    details: tuple[str, ...]
    name: str
    x: float
    y: float
    w: float
    h: float


@dataclass(frozen=True, slots=True)
class NodeView:
    """A node: its centre, its radius, and the width that its label may take."""

    id: int
    level: int
    index: int
    kind: str  # "input", "sum" or "mult"
    place: str  # "input", "hidden" or "output"
    label: str
    name: str
    x: float
    y: float
    r: float
    room: float


@dataclass(frozen=True, slots=True)
class SubnodeView:
    """A subnode (one port of a node), with the centre of its node for the stem."""

    id: str
    node: int
    port: int
    level: int
    x: float
    y: float
    r: float
    node_x: float
    node_y: float


@dataclass(frozen=True, slots=True)
class EdgeView:
    """An active edge: the rectangle of its card and its two links.

    link is empty in a matrix block, else 16 numbers: a cubic Bézier (four points) from
    the source node up to the cards' zone, then one from there to the subnode. Between
    their ends the link runs straight up, through or behind the card.
    """

    id: str
    layer: int
    source: int
    target: int
    port: int
    name: str
    function: str
    x: float
    y: float
    w: float
    h: float
    link: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class WireView:
    """A row or column of a matrix block: its label's place and a polyline (x, y, x, y, ...)."""

    layer: int
    kind: str  # "row" or "column"
    node: int
    label: str
    x: float
    y: float
    points: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class MatrixView:
    """The rectangle of a layer that is drawn as a matrix: rows are sources, columns subnodes."""

    layer: int
    x: float
    y: float
    w: float
    h: float
