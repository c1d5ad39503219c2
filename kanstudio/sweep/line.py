"""The line between the owner of runs and their workers, through Dask's scheduler.

Dask can run any function on a worker (``Client.run``), but that takes it half a millisecond
more than an operation that the worker knows, such as this one; live progress asks twenty
times a second.
"""

from __future__ import annotations

import pickle
from typing import Any

from distributed import Client

from kanstudio.sweep.host import Answer, Wish, exchange

OPERATION = "kanstudio_exchange"


def listen(dask_worker: Any) -> None:
    """Let a worker know the operation. Dask gives the worker by the name of the argument."""
    dask_worker.handlers[OPERATION] = _exchange


def _exchange(wishes: bytes) -> dict[str, Any]:
    # Pickled here, because Dask would look into everything for what it knows better.
    return {"status": "OK", "answers": pickle.dumps(exchange(pickle.loads(wishes)))}


class Line:
    """The owner's end."""

    def __init__(self) -> None:
        self._listening: set[str] = set()

    async def exchange(
        self, client: Client, place: str, wishes: dict[str, Wish]
    ) -> dict[str, Answer | None]:
        """Leave wishes with the worker at an address and take its answers, by run.

        None for a run that has not begun there. Raises OSError if the worker does not answer.
        """
        if place not in self._listening:
            await client.run(listen, workers=[place])
            self._listening.add(place)
        (reply,) = (
            await client.scheduler.broadcast(
                msg={"op": OPERATION, "wishes": pickle.dumps(wishes)},
                workers=[place],
                on_error="return_pickle",
            )
        ).values()
        if isinstance(reply, bytes):
            raise pickle.loads(reply)
        if reply is None:
            # Another worker has come to this address.
            self._listening.discard(place)
            return dict.fromkeys(wishes)
        answers: dict[str, Answer | None] = pickle.loads(reply["answers"])
        return answers
