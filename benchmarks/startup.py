"""How long a new process takes until its kernel is ready."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

_SCRIPT = """
import time
from kanstudio.training.kernel import warm_up
start = time.perf_counter()
warm_up()
print(time.perf_counter() - start)
"""


def kernel_seconds() -> tuple[float, float]:
    """(without, with) the compiled kernel on disk, imports apart."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"NUMBA_CACHE_DIR": folder}
        first, second = (
            float(
                subprocess.run(
                    [sys.executable, "-c", _SCRIPT],
                    env=environment, check=True, capture_output=True, text=True,
                ).stdout
            )
            for _ in range(2)
        )  # fmt: skip
    return first, second
