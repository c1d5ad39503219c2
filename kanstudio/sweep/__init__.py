"""Training on many machines: sweeps over seeds, shapes and settings, and runs on a cluster."""

from __future__ import annotations

from kanstudio.sweep.cluster import Cluster
from kanstudio.sweep.points import Point
from kanstudio.sweep.remote import ClusterRunner, RemoteRun
from kanstudio.sweep.result import Outcome, SweepResult
from kanstudio.sweep.sweep import Record, Sweep

__all__ = [
    "Cluster",
    "ClusterRunner",
    "Outcome",
    "Point",
    "Record",
    "RemoteRun",
    "Sweep",
    "SweepResult",
]
