"""Colours and line styles of pictures; the browser's are in app/js/canvas/palette.js."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kanstudio.errors import DataError
from kanstudio.scene.frame import BOTH, SPLINE, Frame

LEAST_LINK, LEAST_CARD = 0.09, 0.3
SANS = "Inter, 'Segoe UI', 'Helvetica Neue', 'Liberation Sans', 'DejaVu Sans', sans-serif"
MATH = (
    "'STIX Two Text', Cambria, Georgia, 'Times New Roman', 'Liberation Serif', "
    "'DejaVu Serif', serif"
)


@dataclass(frozen=True)
class Palette:
    """The colours of a theme; kinds are absent, symbolic, spline, both."""

    ground: str
    band: str
    band_line: str
    card: str
    card_line: str
    text: str
    muted: str
    node: str
    stem: str
    wire: str
    axis: str
    kinds: tuple[str, str, str, str]
    ramp: tuple[tuple[int, int, int], ...]


_LIGHT = Palette(
    ground="#ffffff",
    band="#f6f8fb",
    band_line="#e7ebf1",
    card="#ffffff",
    card_line="#dbe0e8",
    text="#1a1f2b",
    muted="#5c6577",
    node="#1d2230",
    stem="#6d7688",
    wire="#b4bdcb",
    axis="#e3e8f0",
    kinds=("#9aa3b2", "#d7263d", "#23272f", "#8143c6"),
    ramp=((186, 196, 212), (98, 160, 205), (33, 105, 178), (50, 22, 120)),
)
_DARK = Palette(
    ground="#12151b",
    band="#181d25",
    band_line="#262d39",
    card="#10131a",
    card_line="#343c4a",
    text="#e6e9f0",
    muted="#9aa5b8",
    node="#e6e9f0",
    stem="#8a95a8",
    wire="#4a5568",
    axis="#262d39",
    kinds=("#667085", "#ff6b7a", "#d6dbe6", "#b98cf5"),
    ramp=((70, 80, 100), (52, 126, 170), (74, 196, 176), (236, 240, 122)),
)
_PALETTES = {"light": _LIGHT, "dark": _DARK}


def palette(theme: str) -> Palette:
    """The palette of a theme, light or dark; DataError for another name."""
    if theme not in _PALETTES:
        raise DataError(f"theme {theme!r} is neither light nor dark")
    return _PALETTES[theme]


@dataclass(frozen=True)
class EdgeStyle:
    """How one edge looks: opacity of link and card in [0, 1], and its line by kind."""

    colour: str
    link: float
    card: float
    kind: int

    @property
    def dash(self) -> str:
        return ' stroke-dasharray="5.5 3.5"' if self.kind == SPLINE else ""

    @property
    def double(self) -> bool:
        return self.kind == BOTH


def edge_style(colours: Palette, frame: Frame, index: int) -> EdgeStyle:
    """The style of an edge of a frame, as the browser draws it."""
    kind, share = int(frame.kind[index]), float(frame.alpha[index]) / 255
    if frame.colour_by != "front":
        return EdgeStyle(ramp_colour(colours, share), 0.35 + 0.65 * share, 1.0, kind)
    card = LEAST_CARD + (1 - LEAST_CARD) * share
    return EdgeStyle(colours.kinds[kind], max(LEAST_LINK, share), card, kind)


def ramp_colour(colours: Palette, share: float) -> str:
    """The colour at a share in [0, 1] of the sequential ramp."""
    stops = np.array(colours.ramp, dtype=float)
    place = np.linspace(0, 1, len(stops))
    mixed = [round(float(np.interp(share, place, stops[:, c]))) for c in range(3)]
    return "#{:02x}{:02x}{:02x}".format(*mixed)
