"""Who trains for this server: its own worker processes, or a cluster elsewhere."""

from __future__ import annotations

import os
from functools import cache

from kanstudio.training.handle import Trainer
from kanstudio.training.runner import shared_runner

SCHEDULER = "KANSTUDIO_SCHEDULER"
"""The variable of the environment with the address of a Dask scheduler."""


def trainer() -> Trainer:
    """What the runs of all sessions go to, made at the first call of each process."""
    address = os.environ.get(SCHEDULER)
    return shared_runner() if not address else _cluster(address, os.getpid())


@cache
def _cluster(address: str, _: int) -> Trainer:
    from kanstudio.sweep import Cluster, ClusterRunner

    return ClusterRunner(Cluster(address), share=True)


def use_scheduler(address: str) -> None:
    """Let the runs of this server go to a cluster. Raises TrainingError if it is not there."""
    from kanstudio.sweep import Cluster

    with Cluster(address) as cluster:
        cluster.connect()
    os.environ[SCHEDULER] = address
