"""The Bokeh charts: built once, then only their sources and colours change."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import panel as pn
from bokeh.models import (
    ColumnDataSource,
    CustomJSTickFormatter,
    FixedTicker,
    HoverTool,
    Range1d,
    Span,
)
from bokeh.plotting import figure
from panel.io import push_notebook

from kanstudio.network.network import FloatArray

# The same hues as in tokens.css: a canvas knows no custom properties.
COLOURS = {
    "light": {
        "text": "#5c6577", "grid": "#e4e7ec", "symbolic": "#d7263d", "spline": "#23272f",
        "both": "#8143c6", "train": "#3a5bdc", "test": "#c2570c", "data": "#cdd6e6",
        "ground": "#ffffff",
    },
    "dark": {
        "text": "#9aa5b8", "grid": "#272d38", "symbolic": "#ff6b7a", "spline": "#d6dbe6",
        "both": "#b98cf5", "train": "#8aa4ff", "test": "#ffa45c", "data": "#39435a",
        "ground": "#12151b",
    },
}  # fmt: skip
FONT = "Inter, SF Pro Text, Segoe UI, Roboto, Noto Sans, Ubuntu, Liberation Sans, sans-serif"
LINES = {"total": (4.5, "solid"), "symbolic": (2.0, "solid"), "spline": (2.0, "dashed")}
"""Width and dash of an inspected edge's parts, the thickest at the bottom."""

MAX_POINTS = 600
"""More points of a loss curve than a screen has columns only cost time."""


def _plain(**settings: Any) -> Any:
    """A figure without tools, titles and borders."""
    return figure(
        tools="", toolbar_location=None, sizing_mode="stretch_both", min_border=0,
        outline_line_color=None, background_fill_alpha=0, border_fill_alpha=0,
        output_backend="canvas", **settings,
    )  # fmt: skip


def _quiet_axes(chart: Any) -> None:
    for axis in (*chart.xaxis, *chart.yaxis):
        axis.axis_line_color = None
        axis.major_tick_line_color = None
        axis.minor_tick_line_color = None
        axis.major_label_text_font = FONT
        axis.major_label_text_font_size = "11px"
    chart.xgrid.grid_line_color = None


def _paint_axes(chart: Any, theme: str) -> None:
    colours = COLOURS[theme]
    for axis in (*chart.xaxis, *chart.yaxis):
        axis.major_label_text_color = colours["text"]
    chart.ygrid.grid_line_color = colours["grid"]


class Chart:
    """A figure in its pane."""

    def __init__(self, chart: Any) -> None:
        self.figure = chart
        self.pane = pn.pane.Bokeh(chart, sizing_mode="stretch_both")

    def _push(self) -> None:
        """In a notebook, changes of a figure travel only when they are told to."""
        push_notebook(self.pane)


class LossChart(Chart):
    """RMSE of training and test samples over the steps, on a log axis."""

    def __init__(self) -> None:
        self._source = ColumnDataSource({"step": [], "train": [], "test": []})
        self._empty = True
        # Ranges of our own: an empty log axis has none, and automatic ones jump about.
        self._x, self._y = Range1d(0, 1), Range1d(1e-3, 1)
        super().__init__(_plain(y_axis_type="log", name="loss", x_range=self._x, y_range=self._y))
        _quiet_axes(self.figure)
        self._train = self.figure.line("step", "train", source=self._source, line_width=2)
        self._test = self.figure.line(
            "step", "test", source=self._source, line_width=2, line_dash="dashed"
        )
        self.figure.yaxis.formatter = CustomJSTickFormatter(
            code="return tick.toExponential(0).replace('e+', 'e')"
        )
        self._ticks = FixedTicker(ticks=log_ticks(1e-3, 1))
        self.figure.yaxis.ticker = self.figure.ygrid.ticker = self._ticks
        self.figure.add_tools(
            HoverTool(
                tooltips=[
                    ("step", "@step"),
                    ("train", "@train{0.00e+0}"),
                    ("test", "@test{0.00e+0}"),
                ],
                mode="vline",
                renderers=[self._train],
            )
        )
        self.paint("light")

    def paint(self, theme: str) -> None:
        _paint_axes(self.figure, theme)
        self._train.glyph.line_color = COLOURS[theme]["train"]
        self._test.glyph.line_color = COLOURS[theme]["test"]
        self._push()

    def show(self, step: Sequence[int], train: Sequence[float], test: Sequence[float]) -> None:
        """Replace the curves; losses of 0 or less have no place on a log axis."""
        chosen = thinned(len(step), MAX_POINTS)
        columns = {"step": np.asarray(step, dtype=float)[chosen]}
        for name, losses in (("train", train), ("test", test)):
            array = np.asarray(losses, dtype=float)[chosen]
            columns[name] = np.where(array > 0, array, np.nan)
        if self._empty and not len(chosen):
            return
        self._empty = not len(chosen)
        self._source.data = columns
        values = np.concatenate([columns["train"], columns["test"]])
        values = values[np.isfinite(values)]
        if values.size:
            low, high = np.log10(values.min()), np.log10(values.max())
            middle, reach = (low + high) / 2, max(0.55, 0.55 * (high - low))
            start, end = 10 ** (middle - reach), 10 ** (middle + reach)
            self._y.update(start=start, end=end)
            self._ticks.ticks = log_ticks(start, end)
            self._x.update(start=float(columns["step"][0]), end=float(columns["step"][-1]) + 1e-9)
        self._push()


def log_ticks(low: float, high: float, most: int = 5) -> list[float]:
    """At least three numbers of one digit in [low, high], which spans a decade or more.

    >>> log_ticks(0.008, 12), log_ticks(0.9, 11)
    ([0.01, 0.1, 1.0, 10.0], [1.0, 3.0, 10.0])
    """
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks: list[float] = []
    for digits in ((1,), (1, 3), (1, 2, 5)):
        ticks = [float(f"{digit}e{decade}") for decade in decades for digit in digits]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) > 2:
            break
    return ticks[:: -(-len(ticks) // most) or 1]


def thinned(n: int, most: int) -> np.ndarray:
    """At most ``most`` indices below n, evenly spread, the last one always among them."""
    if n <= most:
        return np.arange(n)
    return np.unique(np.linspace(0, n - 1, most).round().astype(int))


class CurveChart(Chart):
    """One edge: its fronts, their sum, and how its input is distributed."""

    def __init__(self) -> None:
        self._lines = ColumnDataSource({name: [0, 1] for name in ("x", *LINES)})
        self._bars = ColumnDataSource({"left": [], "right": [], "top": [], "bottom": []})
        super().__init__(_plain(name="curve"))
        _quiet_axes(self.figure)
        self._data = self.figure.quad(
            left="left", right="right", top="top", bottom="bottom", source=self._bars,
            line_color=None, fill_alpha=0.85,
        )  # fmt: skip
        self._parts = {
            name: self.figure.line("x", name, source=self._lines, line_width=width, line_dash=dash)
            for name, (width, dash) in LINES.items()
        }
        self._zero = Span(location=0, dimension="width", line_width=1)
        self.figure.add_layout(self._zero)
        self.figure.xaxis.ticker.desired_num_ticks = 5
        self.figure.yaxis.ticker.desired_num_ticks = 4
        # The data only set the stage: they don't stretch the axes of the curves.
        self.figure.y_range.renderers = list(self._parts.values())
        self.paint("light")

    def paint(self, theme: str) -> None:
        _paint_axes(self.figure, theme)
        colours = COLOURS[theme]
        for name, colour in (("symbolic", "symbolic"), ("spline", "spline"), ("total", "both")):
            self._parts[name].glyph.line_color = colours[colour]
        self._data.glyph.fill_color = colours["data"]
        self._zero.line_color = colours["grid"]
        self._push()

    def show(
        self,
        x: FloatArray,
        fronts: Mapping[str, FloatArray],
        total: FloatArray,
        samples: FloatArray,
    ) -> None:
        """fronts: of symbolic, spline and total those that are drawn, over x; total: their sum."""
        nothing = np.full(len(x), np.nan)
        self._lines.data = {"x": x, **dict.fromkeys(LINES, nothing), **fronts}
        self._bars.data = histogram(samples, x, total)
        self._push()


def histogram(samples: FloatArray, x: FloatArray, y: FloatArray) -> dict[str, FloatArray]:
    """Bars of the samples under a curve, the highest over a third of the curve's height."""
    finite = y[np.isfinite(y)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    height = (high - low) or 1.0
    counts, edges = np.histogram(samples, bins=24, range=(float(x[0]), float(x[-1])))
    share = counts / max(int(counts.max()), 1)
    bottom = np.full(len(counts), low - 0.06 * height)
    return {
        "left": edges[:-1], "right": edges[1:], "bottom": bottom,
        "top": bottom + 0.36 * height * share,
    }  # fmt: skip
