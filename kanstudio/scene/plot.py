"""A network as a picture: in a notebook, as SVG, as PNG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kanstudio.errors import FileError
from kanstudio.network.measure import Measurement
from kanstudio.network.network import FloatArray, Network
from kanstudio.scene.frame import Frame, frame_of
from kanstudio.scene.png import rasterise
from kanstudio.scene.scene import Scene, build_scene
from kanstudio.scene.svg import draw_svg, size_of


@dataclass(frozen=True)
class Plot:
    """A picture of a network; shows itself in a notebook."""

    scene: Scene
    frame: Frame
    theme: str = "light"
    title: str | None = None

    def svg(self) -> str:
        """The picture as an SVG document."""
        return draw_svg(self.scene, self.frame, theme=self.theme, title=self.title)

    def png(self, scale: float = 2.0) -> bytes:
        """The picture as PNG, ``scale`` pixels per unit of the SVG; DataError if too large."""
        return rasterise(self.svg(), size_of(self.scene), scale)

    def save(self, path: str | Path, scale: float = 2.0) -> Path:
        """Write .svg or .png (by the name's ending); returns the path. Raises FileError."""
        target = Path(path)
        ending = target.suffix.lower()
        if ending not in {".svg", ".png"}:
            raise FileError(f"cannot save a picture as {target.name!r}: use .svg or .png")
        data = self.svg().encode() if ending == ".svg" else self.png(scale)
        try:
            target.write_bytes(data)
        except OSError as error:
            raise FileError(f"cannot write {target.name!r}: {error.strerror}") from error
        return target

    def _repr_svg_(self) -> str:
        return self.svg()


def plot_network(
    network: Network,
    x: FloatArray | Measurement | None = None,
    *,
    metric: str = "backward",
    beta: float = 3.0,
    theme: str = "light",
    title: str | None = None,
    in_vars: Sequence[str] | None = None,
    out_vars: Sequence[str] | None = None,
    colour_by: str = "front",
    n_points: int = 64,
) -> Plot:
    """The picture of a network on samples x (n, inputs).

    Without samples they are spread over the first layer's grids. metric: backward
    (attribution), forward_n or forward_u; opacity is tanh(beta * score). in_vars and
    out_vars rename inputs and outputs. colour_by: front, forward or attribution.
    """
    scene = build_scene(
        network,
        in_vars=None if in_vars is None else list(in_vars),
        out_vars=None if out_vars is None else list(out_vars),
    )
    frame = frame_of(
        network, scene, x, colour_by=colour_by, metric=metric, beta=beta, n_points=n_points
    )
    return Plot(scene, frame, theme, title)
