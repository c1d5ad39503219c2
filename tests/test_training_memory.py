"""Out of memory, for real: a process whose address space is limited."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

MORE = 20 << 20
"""Bytes that a limited process may take beyond what it has."""


@contextmanager
def limited(at_once: bool = True) -> Iterator[list[int]]:
    """Little memory, until the block ends."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_AS)

    def limit(_: object = None) -> None:
        with open("/proc/self/statm", encoding="ascii") as file:
            used = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_AS, (used + MORE, before[1]))

    if at_once:
        limit()
    try:
        yield limit
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def main() -> None:
    """Prints what becomes of fits that need more memory than there is."""
    import torch

    from kanstudio import KAN
    from kanstudio.errors import KanStudioError

    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (12_000, 8))
    large, few = (x, np.sin(x[:, :1])), (x[:50], np.sin(x[:50, :1]))
    huge = (x.astype(np.float32).repeat(60, axis=0), np.zeros((720_000, 1), np.float32))

    def absolute(prediction, label):
        return (prediction - label).abs().mean()

    def fit(name: str, limit_now: bool, data, **options) -> None:
        model = KAN([8, 16, 16, 1], grid=20, dtype=torch.float64)
        # Everything is loaded and compiled before memory is short.
        model.fit(few, **{**options, "steps": 1})
        with limited(limit_now) as limit:
            seen = [model.network()]

            def watch(_):
                seen.append(model.network())
                if len(seen) == 3 and not limit_now:
                    limit()

            try:
                model.fit(data, steps=9, callbacks=[watch], **options)
                found = "no error"
            except KanStudioError as error:
                found = str(error)
        intact = model.network().same_values(seen[-1])
        # And the program goes on.
        model.fit(few, **{**options, "steps": 1})
        print(f"{name}: {len(seen) - 1} steps, {'intact' if intact else 'spoiled'}, {found}")

    plain = dict(log=0, update_grid=False)
    fit("kernel", True, large, opt="Adam", **plain)
    fit("marquardt", True, large, opt="LM", **plain)
    fit("torch", False, large, opt="Adam", loss_fn=absolute, batch=9_000, **plain)
    fit("data", True, huge, opt="Adam", **plain)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the address space")
def test_out_of_memory_is_a_message_and_the_model_is_intact() -> None:
    here = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        # What is freed goes back to the system at once, and is not there for the next step.
        "MALLOC_MMAP_THRESHOLD_": "65536",
        "MALLOC_TRIM_THRESHOLD_": "65536",
        "MALLOC_ARENA_MAX": "1",
    }
    done = subprocess.run(
        [sys.executable, __file__],
        capture_output=True,
        text=True,
        timeout=300,
        env=here,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = dict(line.split(": ", 1) for line in done.stdout.splitlines())
    assert found["kernel"].startswith("0 steps, intact, out of memory before the first step")
    assert found["marquardt"].startswith("0 steps, intact, out of memory")
    # Memory that was freed before the limit may be enough for another step.
    n_steps = int(found["torch"][0])
    expected = f"{n_steps} steps, intact, out of memory in step {n_steps + 1}; the network"
    assert 2 <= n_steps < 9
    assert found["torch"].startswith(expected)
    assert found["data"].startswith("0 steps, intact, out of memory while the data were read")


if __name__ == "__main__":
    main()
