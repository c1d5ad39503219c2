"""What every test can rely on: fixed seeds, few threads, the browser tests last."""

from __future__ import annotations

import os
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings

# Tiny tensors on all cores are slower than on one, and the cores are shared.
torch.set_num_threads(1)

settings.register_profile(
    "default",
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("thorough", parent=settings.get_profile("default"), max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

E2E = Path(__file__).parent / "e2e"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Playwright keeps an event loop running in this thread until its session ends.
    items.sort(key=lambda item: E2E in item.path.parents)
    if not torch.cuda.is_available():
        reason = pytest.mark.skip(reason="no CUDA device")
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(reason)


@pytest.fixture(autouse=True)
def _seeds() -> None:
    """The product never draws from the global generators; pykan, the oracle, does."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
