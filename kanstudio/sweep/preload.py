"""What a worker process of this machine does before its first run: `dask worker --preload`."""

from __future__ import annotations

import os
import signal
from typing import Any


def dask_setup(worker: Any) -> None:
    """Give way to the programs that people look at; import all that a run needs."""
    # Ctrl+C in the terminal is the owner's to answer.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Here, because the process that looks after the workers imports this file as well.
    from kanstudio.sweep import host
    from kanstudio.training.kernel import warm_up
    from kanstudio.training.worker import NICENESS

    assert host
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    warm_up()
