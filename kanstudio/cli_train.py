"""Following a training run on the command line: lines, a bar, a file to go on from."""

from __future__ import annotations

import sys
from pathlib import Path

from tqdm import tqdm

from kanstudio.network.network import Network
from kanstudio.training.checkpoint_file import load_checkpoint, save_checkpoint
from kanstudio.training.data import Dataset
from kanstudio.training.progress import Progress
from kanstudio.training.run import TrainingRun
from kanstudio.training.settings import TrainingSettings

LINES = 20


def start(
    network: Network, dataset: Dataset, settings: TrainingSettings, path: str | None
) -> TrainingRun:
    """A new run, or one that goes on from the file if it is there.

    The settings of that file hold, but for the number of steps.
    """
    if path is None or not Path(path).exists():
        return TrainingRun(network, dataset, settings)
    return TrainingRun.resume(load_checkpoint(path), dataset, steps=settings.steps)


def follow(run: TrainingRun, path: str | None) -> list[Progress]:
    """Train to the end and say how it goes; the records of all steps that succeeded.

    On a terminal a bar shows every step. However the run ends, the file is left to go on
    from, if there shall be one.
    """
    records: list[Progress] = []
    every = max(1, run.settings.steps // LINES)
    print(f"start        {_losses(run.losses())}", flush=True)
    try:
        with tqdm(
            total=run.settings.steps, initial=run.n_steps, unit=" steps", leave=False, disable=None
        ) as bar:
            for progress in run:
                if not run.failed:
                    records.append(progress)
                    bar.update()
                    bar.set_postfix_str(_losses(progress), refresh=False)
                    if progress.step % every == 0 or run.finished:
                        with bar.external_write_mode():
                            print(f"step {progress.step:>6}  {_losses(progress)}", flush=True)
                if progress.message:
                    with bar.external_write_mode():
                        print(f"kanstudio: {progress.message}", file=sys.stderr)
    finally:
        if path is not None:
            save_checkpoint(run.checkpoint(), path)
    return records


def _losses(progress: Progress) -> str:
    return f"train {progress.train_loss:.3e}  test {progress.test_loss:.3e}"
