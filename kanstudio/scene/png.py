"""SVG to PNG without a browser: resvg, with fonts of our own.

The fonts lie beside this file, so a picture looks the same on every machine, also on
one without any fonts.
"""

from __future__ import annotations

from pathlib import Path

import resvg_py

from kanstudio.errors import DataError

MAX_PIXELS = 64_000_000
_FONTS = sorted(str(path) for path in (Path(__file__).parent / "fonts").glob("*.ttf"))


def rasterise(svg: str, size: tuple[float, float], scale: float = 2.0) -> bytes:
    """The SVG as PNG, scale times its size (width, height) in pixels.

    Scales of less than 64 million pixels; a larger picture is a DataError.
    """
    if not 0 < scale < 100:
        raise DataError(f"scale {scale} is not between 0 and 100")
    width, height = (max(1, round(side * scale)) for side in size)
    if width * height > MAX_PIXELS:
        raise DataError(
            f"{width} x {height} pixels are too many; scale {scale} is larger than this "
            f"network allows ({(MAX_PIXELS / (size[0] * size[1])) ** 0.5:.2g})"
        )
    return resvg_py.svg_to_bytes(
        svg_string=svg,
        width=width,
        height=height,
        skip_system_fonts=True,
        font_files=_FONTS,
        font_family="DejaVu Sans",
        sans_serif_family="DejaVu Sans",
        serif_family="DejaVu Serif",
    )
