"""Samples, settings, and the runs that train a network on them."""

from __future__ import annotations

from kanstudio.training.data import Dataset, FormulaData, sample_formula, table_dataset
from kanstudio.training.run import Progress, TrainingRun, available_devices, train
from kanstudio.training.settings import TrainingSettings
from kanstudio.training.table import Table, read_table

__all__ = [
    "Dataset",
    "FormulaData",
    "Progress",
    "Table",
    "TrainingRun",
    "TrainingSettings",
    "available_devices",
    "read_table",
    "sample_formula",
    "table_dataset",
    "train",
]
