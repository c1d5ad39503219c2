"""Pictures without a browser: well-formed, safe, of the right size."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kanstudio.errors import DataError, FileError
from kanstudio.network.build import empty_network
from kanstudio.network.network import Network
from kanstudio.scene.plot import Plot, plot_network
from kanstudio.scene.style import palette, ramp_colour
from kanstudio.scene.svg import size_of

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "]]>&amp;",
    "\x00\x07\ud800￿",
    "a & b",
]


def dense(*width: int, **names: list[str]) -> Network:
    network = empty_network(list(width), seed=3, **names)
    layers = [
        layer.with_arrays(spline_mask=np.ones_like(layer.spline_mask)) for layer in network.layers
    ]
    return network.with_layers(tuple(layers))


def png_size(data: bytes) -> tuple[int, int]:
    assert data.startswith(b"\x89PNG\r\n\x1a\n") and data[12:16] == b"IHDR"
    width, height = struct.unpack(">II", data[16:24])
    return width, height


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_svg_holds_every_edge_node_and_name(theme: str) -> None:
    plot = plot_network(dense(2, 3, 1), theme=theme, title="Fit & finish")
    root = ElementTree.fromstring(plot.svg())
    assert len(root.findall(f".//{SVG}title")) == 9
    assert len(root.findall(f".//{SVG}circle")) == 6 + 4
    texts = [element.text for element in root.iter(f"{SVG}text")]
    assert {"x₁", "x₂", "y", "Layer 1", "Fit & finish", "symbolic"} <= set(texts)
    assert palette(theme).ground in plot.svg()


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_text(name: str) -> None:
    network = dense(2, 1, input_names=[name, "x"], output_names=[name])
    root = ElementTree.fromstring(plot_network(network, title=name).svg())
    allowed = {"svg", "g", "rect", "path", "circle", "text", "title", "polyline"}
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= allowed
    assert not any(key.startswith("on") for element in root.iter() for key in element.attrib)


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_name_and_title_make_well_formed_xml(name: str, title: str) -> None:
    network = dense(1, 1, input_names=[name], output_names=["y"])
    ElementTree.fromstring(plot_network(network, title=title).svg())


def test_no_number_in_the_picture_is_nan() -> None:
    network = empty_network([1, 1])
    layer = network.layers[0]
    layer = type(layer)(**{**vars(layer), "functions": (("1/x",),)})
    svg = plot_network(network.with_layers((layer,)), np.linspace(-1, 1, 50)[:, None]).svg()
    assert not re.search(r"\b(nan|inf)\b", svg)


@pytest.mark.parametrize("scale", [0.5, 1, 2])
def test_png_has_the_size_of_the_svg_times_scale(scale: float) -> None:
    plot = plot_network(dense(2, 2, 1))
    width, height = size_of(plot.scene)
    assert png_size(plot.png(scale)) == pytest.approx((width * scale, height * scale), abs=1)


def test_png_shows_lines_and_text_without_fonts_of_the_machine() -> None:
    plain = plot_network(dense(2, 1), in_vars=["a", "b"])
    other = plot_network(dense(2, 1), in_vars=["omega_0", "b"])
    assert plain.png(1) != other.png(1)
    assert plain.png(1) == plain.png(1)


def test_matrix_blocks_are_drawn_too() -> None:
    root = ElementTree.fromstring(plot_network(dense(8, 8)).svg())
    assert len(root.findall(f".//{SVG}title")) == 64
    assert len(root.findall(f".//{SVG}polyline")) == 8 + 8


def test_save_goes_by_the_ending(tmp_path: Path) -> None:
    plot = plot_network(dense(2, 1))
    assert plot.save(tmp_path / "net.svg").read_text(encoding="utf-8") == plot.svg()
    assert png_size(plot.save(str(tmp_path / "NET.PNG"), scale=1).read_bytes())
    with pytest.raises(FileError, match=r"use \.svg or \.png"):
        plot.save(tmp_path / "net.pdf")
    with pytest.raises(FileError, match="cannot write"):
        plot.save(tmp_path / "missing" / "net.svg")


def test_a_notebook_shows_the_svg() -> None:
    plot = plot_network(dense(2, 1))
    assert isinstance(plot, Plot) and plot._repr_svg_() == plot.svg()


def test_bad_settings_are_refused() -> None:
    network = dense(2, 1)
    with pytest.raises(DataError, match="theme"):
        plot_network(network, theme="blue").svg()
    with pytest.raises(DataError, match="metric"):
        plot_network(network, metric="sideways")
    for scale in (0, -1, 1000, 90):
        with pytest.raises(DataError, match="scale"):
            plot_network(network).png(scale)


@pytest.mark.parametrize("colour_by", ["front", "forward", "attribution"])
def test_colours_follow_the_question_asked(colour_by: str) -> None:
    plot = plot_network(dense(2, 1), colour_by=colour_by)
    colours = palette("light")
    spline = f'stroke="{colours.kinds[2]}" stroke-opacity'
    assert (spline in plot.svg()) == (colour_by == "front")


def luminance(colour: str) -> float:
    channels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(a: str, b: str) -> float:
    low, high = sorted([luminance(a), luminance(b)])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_contrast_is_wcag_aa(theme: str) -> None:
    colours = palette(theme)
    for ground in (colours.ground, colours.band, colours.card):
        for text in (colours.text, colours.muted, colours.node):
            assert contrast(text, ground) >= 4.5
        for line in (*colours.kinds[1:], ramp_colour(colours, 1.0), colours.stem):
            assert contrast(line, ground) >= 3


def test_the_browser_has_the_same_colours() -> None:
    app = Path(__file__).parents[1] / "kanstudio" / "app" / "js" / "canvas" / "palette.js"
    text = app.read_text(encoding="utf-8")
    for theme in ("light", "dark"):
        colours = palette(theme)
        for colour in (*colours.kinds, colours.text, colours.band, colours.card, colours.node):
            assert colour in text
