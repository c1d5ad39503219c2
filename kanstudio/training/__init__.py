"""Samples, settings, and the runs that train a network on them."""

from __future__ import annotations

from kanstudio.training.batched import SeedResult, SeedTraining, train_seeds
from kanstudio.training.checkpoint import Checkpoint
from kanstudio.training.checkpoint_file import load_checkpoint, save_checkpoint
from kanstudio.training.checks import available_devices
from kanstudio.training.data import Dataset, FormulaData, sample_formula, table_dataset
from kanstudio.training.progress import Progress
from kanstudio.training.run import TrainingRun
from kanstudio.training.settings import TrainingSettings
from kanstudio.training.stream import Stream
from kanstudio.training.table import Table, read_table

__all__ = [
    "Checkpoint",
    "Dataset",
    "FormulaData",
    "Progress",
    "SeedResult",
    "SeedTraining",
    "Stream",
    "Table",
    "TrainingRun",
    "TrainingSettings",
    "available_devices",
    "load_checkpoint",
    "read_table",
    "sample_formula",
    "save_checkpoint",
    "table_dataset",
    "train",
    "train_seeds",
]

train = TrainingRun
"""Start a run; iterating over it trains."""
