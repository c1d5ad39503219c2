"""A scene and a frame as SVG, without a browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import ceil
from xml.sax.saxutils import escape

import numpy as np

from kanstudio.scene.frame import Frame
from kanstudio.scene.labels import shorten
from kanstudio.scene.scene import Scene
from kanstudio.scene.style import MATH, SANS, Palette, edge_style, palette, ramp_colour
from kanstudio.scene.views import EdgeView, NodeView

MARGIN = 12.0
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def clean(text: str) -> str:
    """Text fit for XML: markup escaped, characters that XML forbids replaced."""
    return escape(_NOT_XML.sub("�", text), {'"': "&quot;"})


def size_of(scene: Scene) -> tuple[int, int]:
    """Width and height of the picture in pixels at scale 1."""
    return ceil(scene.width + 2 * MARGIN), ceil(scene.height + 2 * MARGIN + _head(scene))


def draw_svg(scene: Scene, frame: Frame, *, theme: str = "light", title: str | None = None) -> str:
    """The picture as an SVG document; every edge has a tooltip with its name."""
    colours = palette(theme)
    width, height = size_of(scene)
    head = _head(scene)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="{-MARGIN:g} {-MARGIN - head:g} {width} {height}" role="img" '
        f'aria-label="{clean(title or "Network")}" style="max-width:100%;height:auto">',
        f'<rect x="{-MARGIN:g}" y="{-MARGIN - head:g}" width="100%" height="100%" '
        f'fill="{colours.ground}"/>',
        *_heading(scene, frame, colours, title),
        *_bands(scene, colours),
        *_links(scene, frame, colours),
        *_wires(scene, colours),
        *_nodes(scene, colours),
        *_cards(scene, frame, colours),
        *_labels(scene, colours),
        "</svg>",
    ]
    return "\n".join(parts)


def _head(scene: Scene) -> float:
    return 30.0 * scene.text_scale


def _text(
    x: float,
    y: float,
    text: str,
    size: float,
    colour: str,
    *,
    anchor: str = "start",
    more: str = "",
) -> str:
    font = more or f'font-family="{SANS}"'
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:.1f}" fill="{colour}" '
        f'text-anchor="{anchor}" {font}>{clean(text)}</text>'
    )


def _heading(scene: Scene, frame: Frame, colours: Palette, title: str | None) -> Iterator[str]:
    scale, y = scene.text_scale, -0.4 * _head(scene)
    if title:
        bold = f'font-family="{SANS}" font-weight="600"'
        yield _text(4, y, shorten(title, 80), 15 * scale, colours.text, more=bold)
    at = scene.width
    if frame.colour_by != "front":
        yield _text(
            at, y, f"{frame.colour_by}: low to high", 11.5 * scale, colours.muted, anchor="end"
        )
        at -= 170 * scale
        for step in range(8):
            yield (
                f'<rect x="{at + (step - 8) * 12 * scale:.1f}" y="{y - 8 * scale:.1f}" '
                f'width="{12.2 * scale:.1f}" height="{8 * scale:.1f}" '
                f'fill="{ramp_colour(colours, step / 7)}"/>'
            )
        return
    for kind, name in ((3, "both"), (2, "spline"), (1, "symbolic")):
        at -= (34 + 6.4 * len(name)) * scale
        yield _text(at + 26 * scale, y, name, 11.5 * scale, colours.muted)
        yield from _key(at, y - 4 * scale, scale, kind, colours)
        at -= 14 * scale


def _key(x: float, y: float, scale: float, kind: int, colours: Palette) -> Iterator[str]:
    lines = (-1.6, 1.6) if kind == 3 else (0.0,)
    dash = f' stroke-dasharray="{5.5 * scale:.1f} {3.5 * scale:.1f}"' if kind == 2 else ""
    for shift in lines:
        yield (
            f'<path d="M{x:.1f} {y + shift * scale:.1f}h{20 * scale:.1f}" '
            f'stroke="{colours.kinds[kind]}" '
            f'stroke-width="{(1.2 if kind == 3 else 2) * scale:.2f}"{dash}/>'
        )


def _bands(scene: Scene, colours: Palette) -> Iterator[str]:
    scale = scene.text_scale
    for band in scene.bands:
        yield (
            f'<rect x="{band.x:.1f}" y="{band.y:.1f}" width="{band.w:.1f}" height="{band.h:.1f}" '
            f'rx="14" fill="{colours.band}" stroke="{colours.band_line}"/>'
        )
        bold = f'font-family="{SANS}" font-weight="600"'
        y = band.y + 10 + 13 * scale
        yield _text(14, y, band.title, 13 * scale, colours.text, more=bold)
        for line, detail in enumerate(band.details):
            down = y + 16 * scale * (line + 1)
            if down < band.y + band.h - 4:
                yield _text(14, down, detail, 11.5 * scale, colours.muted)


def _link_path(edge: EdgeView) -> str:
    p = edge.link
    lower = "M{:.1f} {:.1f}C{:.1f} {:.1f} {:.1f} {:.1f} {:.1f} {:.1f}".format(*p[:8])
    upper = "V{:.1f}C{:.1f} {:.1f} {:.1f} {:.1f} {:.1f} {:.1f}".format(p[9], *p[10:])
    return f"{lower}V{edge.y + edge.h:.1f}M{p[8]:.1f} {edge.y:.1f}{upper}"


def _links(scene: Scene, frame: Frame, colours: Palette) -> Iterator[str]:
    yield '<g fill="none" stroke-width="1.6">'
    # The strongest links lie on top.
    for index in np.argsort(frame.alpha, kind="stable"):
        edge = scene.edges[index]
        if not edge.link:
            continue
        style, path = edge_style(colours, frame, int(index)), _link_path(edge)
        wide = ' stroke-width="3.6"' if style.double else style.dash
        yield f'<path d="{path}" stroke="{style.colour}" stroke-opacity="{style.link:.2f}"{wide}/>'
        if style.double:
            yield f'<path d="{path}" stroke="{colours.band}" stroke-width="1.3"/>'
    yield "</g>"


def _wires(scene: Scene, colours: Palette) -> Iterator[str]:
    for wire in scene.wires:
        points = " ".join(f"{value:.1f}" for value in wire.points)
        if points:
            yield (
                f'<polyline points="{points}" fill="none" stroke="{colours.wire}" '
                'stroke-linejoin="round"/>'
            )
        if wire.label:
            math = f'font-family="{MATH}" font-style="italic"'
            yield _text(wire.x, wire.y + 4, wire.label, 15, colours.muted, anchor="end", more=math)


def _nodes(scene: Scene, colours: Palette) -> Iterator[str]:
    yield f'<g stroke="{colours.stem}" stroke-width="1.5">'
    for sub in scene.subnodes:
        yield f'<path d="M{sub.node_x:.1f} {sub.node_y:.1f}L{sub.x:.1f} {sub.y:.1f}"/>'
    yield f'</g><g stroke="{colours.node}" fill="{colours.band}">'
    for sub in scene.subnodes:
        yield from _ring(sub.x, sub.y, sub.r, (0.5, 0.0))
    for node in scene.nodes:
        if node.kind == "mult":
            yield from _ring(node.x, node.y, node.r, (0.36, 0.36))
        else:
            yield (
                f'<circle cx="{node.x:.1f}" cy="{node.y:.1f}" r="{node.r}" fill="{colours.node}"/>'
            )
    yield "</g>"


def _ring(x: float, y: float, r: float, arm: tuple[float, float]) -> Iterator[str]:
    """A circle with a sign: arm is half of one of its two strokes, in radii."""
    dx, dy = arm[0] * r, arm[1] * r
    yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{r}" stroke-width="{0.15 * r:.2f}"/>'
    yield (
        f'<path d="M{x - dx:.1f} {y - dy:.1f}L{x + dx:.1f} {y + dy:.1f}'
        f'M{x + dy:.1f} {y - dx:.1f}L{x - dy:.1f} {y + dx:.1f}" stroke-width="{0.18 * r:.2f}"/>'
    )


def _cards(scene: Scene, frame: Frame, colours: Palette) -> Iterator[str]:
    yield '<g fill="none" stroke-linejoin="round">'
    for index, edge in enumerate(scene.edges):
        style = edge_style(colours, frame, index)
        side = min(edge.w, edge.h)
        radius = 0.16 * side
        what = f"{edge.name}: {edge.function or 'spline'}"
        yield f"<g><title>{clean(what)}</title>"
        box = f'x="{edge.x:.1f}" y="{edge.y:.1f}" width="{edge.w:.1f}" height="{edge.h:.1f}"'
        yield (
            f'<rect {box} rx="{radius:.1f}" fill="{colours.card}" stroke="{colours.card_line}" '
            'stroke-width="1.5"/>'
        )
        yield f'<g stroke="{style.colour}" stroke-opacity="{style.card:.2f}" stroke-width="1.5">'
        yield f'<rect {box} rx="{radius:.1f}"{style.dash}/>'
        if style.double:
            yield (
                f'<rect x="{edge.x + 3.5:.1f}" y="{edge.y + 3.5:.1f}" width="{edge.w - 7:.1f}" '
                f'height="{edge.h - 7:.1f}" rx="{radius - 3:.1f}" stroke-width="1"/>'
            )
        yield "</g>"
        yield from _curve(edge, frame, index, colours)
        path = curve_path(edge, frame.curves[index])
        yield (
            f'<path d="{path}" stroke="{style.colour}" stroke-opacity="{style.card:.2f}" '
            f'stroke-width="{max(1.2, side / 22):.1f}" stroke-linecap="round"/></g>'
        )
    yield "</g>"


def _inner(edge: EdgeView) -> tuple[float, float, float, float]:
    pad = 0.17 * min(edge.w, edge.h)
    return edge.x + 0.8 * pad, edge.y + pad, edge.w - 1.6 * pad, edge.h - 2 * pad


def _curve(edge: EdgeView, frame: Frame, index: int, colours: Palette) -> Iterator[str]:
    """The line y = 0, where the curve passes it."""
    low, high = frame.ranges[index, 2:].astype(float)
    if low < 0 < high:
        x, y, w, h = _inner(edge)
        zero = y + h * high / (high - low)
        yield f'<path d="M{x:.1f} {zero:.1f}h{w:.1f}" stroke="{colours.axis}"/>'


def curve_path(edge: EdgeView, values: np.ndarray) -> str:
    """A normalised curve (P,) inside its card; gaps where it is not finite."""
    x, y, w, h = _inner(edge)
    across = x + w * np.linspace(0, 1, len(values))
    down = y + (1 - values.astype(float)) * h
    finite = np.isfinite(down)
    parts, drawing = [], False
    for px, py, good in zip(across.tolist(), down.tolist(), finite.tolist(), strict=True):
        if good:
            parts.append(f"{'L' if drawing else 'M'}{px:.1f} {py:.1f}")
        drawing = good
    return "".join(parts)


def _labels(scene: Scene, colours: Palette) -> Iterator[str]:
    for node in scene.nodes:
        if node.label:
            yield _label(node, scene, colours)


def _label(node: NodeView, scene: Scene, colours: Palette) -> str:
    # Without a font's measures: a letter is about half as wide as it is high.
    size = min(20 * scene.text_scale, max(9.0, node.room / (0.56 * len(node.label))))
    label = shorten(node.label, max(3, int(node.room / (0.56 * size))))
    away = node.r + 0.72 * size + 3
    y = node.y + (away if node.place == "input" else -away) + 0.3 * size
    math = f'font-family="{MATH}" font-style="italic"'
    return _text(node.x, y, label, size, colours.text, anchor="middle", more=math)
