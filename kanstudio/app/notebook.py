"""The Studio in a notebook cell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import panel as pn

from kanstudio.app.page import TICK_MS, Studio
from kanstudio.app.session import Session
from kanstudio.editor.document import network_document, new_document
from kanstudio.network.network import Network
from kanstudio.training.runner import shared_runner

if TYPE_CHECKING:
    from kanstudio.kan import KAN

HEIGHT = 760


class Cell:
    """A Studio that shows itself as the value of a notebook cell."""

    def __init__(self, room: Studio) -> None:
        self.room = room
        self.view = room.view(HEIGHT)

    @property
    def network(self) -> Network:
        """The network as it is now."""
        return self.room.session.network

    @property
    def model(self) -> KAN:
        """A model of the network as it is now."""
        from kanstudio.kan import KAN

        return KAN.from_network(self.network)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        return self.view._repr_mimebundle_(include, exclude)


def studio(model: KAN | str | None = None, ranges: Sequence[tuple[float, float]] = ()) -> Cell:
    """The Studio for a model or a formula, as the value of a notebook cell.

    model: a KAN, a formula's text, or None for the first example. ranges: (low, high)
    of each input of a KAN, by default (-1, 1); the model itself trains on what it
    computes now until other data are chosen. The model is copied, never changed: the
    edited one is the cell's ``model``.
    """
    # Inline: a notebook has no server of ours to fetch from, and perhaps no internet.
    pn.extension("mathjax", inline=True)
    if model is None:
        session = Session()
    elif isinstance(model, str):
        session = Session(new_document(model))
    else:
        network = model.network()
        chosen = tuple(ranges) or ((-1.0, 1.0),) * len(network.levels[0])
        session = Session(network_document(network, chosen), "model")
    room = Studio(shared_runner, session, page=False)
    pn.state.add_periodic_callback(room.tick, period=TICK_MS)
    return Cell(room)
