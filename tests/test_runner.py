"""Runs in worker processes: control, fairness, and what happens when a worker dies."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from sine import sine_data, sine_network

from kanstudio import add_function, remove_function
from kanstudio.errors import TrainingError
from kanstudio.network.build import empty_network
from kanstudio.network.edits import set_function
from kanstudio.network.forward import evaluate
from kanstudio.network.network import EdgeRef, Network
from kanstudio.training import Dataset, TrainingSettings, train
from kanstudio.training.handle import RunHandle, RunStatus
from kanstudio.training.progress import Progress, Records
from kanstudio.training.runner import Runner
from kanstudio.training.worker import Start, Update, begin

LONG = TrainingSettings(steps=1_000_000, update_grid=False)


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    pool = Runner(n_workers=2)
    yield pool
    pool.close()


@pytest.fixture(scope="module")
def data() -> Dataset:
    return sine_data()


@pytest.fixture(scope="module")
def network() -> Network:
    return sine_network()


class Watch:
    """Everything that a run reported."""

    def __init__(self, handle: RunHandle) -> None:
        self.handle = handle
        self.steps: list[int] = []
        self.network: Network | None = None
        self.last: RunStatus | None = None
        self.observed: list[object] = []

    def poll(self) -> RunStatus:
        self.last = self.handle.poll()
        self.steps += [p.step for p in self.last.progress]
        assert bool(self.last.progress) >= (self.last.network is not None)
        if self.last.network is not None:
            self.network = self.last.network
            self.observed.append(self.last.observed)
        return self.last

    def until(self, condition: Callable[[], bool], timeout_s: float = 90.0) -> None:
        # The first run of all waits until the kernel is compiled.
        end = time.monotonic() + timeout_s
        while self.poll() is not None and not condition():
            assert time.monotonic() < end, self.last
            time.sleep(0.01)


def test_a_run_ends_with_the_numbers_of_a_run_here(runner, network, data):
    chosen = TrainingSettings(steps=40)
    watch = Watch(runner.start(network, data, chosen))
    watch.until(lambda: watch.handle.ended)
    here = train(network, data, chosen)
    list(here)
    assert watch.handle.state == "finished"
    assert watch.steps == list(range(1, 41))
    assert watch.network.same_values(here.network())
    assert not watch.network.layers[0].coef.flags.writeable


def test_a_function_that_was_added_here_is_known_there(runner, data):
    add_function("morse", lambda x: (1 - torch.exp(-x)) ** 2)
    try:
        network = set_function(empty_network([1, 1]), EdgeRef(0, 0, 0), "morse")
        watch = Watch(runner.start(network, data, TrainingSettings(steps=5)))
        watch.until(lambda: watch.handle.ended)
        here = train(network, data, TrainingSettings(steps=5))
        list(here)
    finally:
        remove_function("morse")
    assert watch.handle.state == "finished", watch.last.message
    assert watch.network.same_values(here.network())


def test_pause_step_resume_stop(runner, network, data):
    watch = Watch(runner.start(network, data, LONG, paused=True))
    watch.until(lambda: watch.handle.state == "paused")
    time.sleep(0.2)
    watch.poll()
    assert watch.steps == []
    for count in (1, 2):
        watch.handle.step()
        watch.until(lambda count=count: len(watch.steps) >= count)
    assert watch.steps == [1, 2]
    watch.handle.resume()
    watch.until(lambda: len(watch.steps) > 20)
    watch.handle.pause()
    watch.until(lambda: watch.handle.state == "paused")
    count = len(watch.steps)
    time.sleep(0.2)
    watch.poll()
    assert len(watch.steps) == count
    watch.handle.stop()
    watch.until(lambda: watch.handle.state == "stopped")
    assert watch.steps == list(range(1, len(watch.steps) + 1))


def test_progress_and_snapshot_belong_together(runner, network, data):
    watch = Watch(runner.start(network, data, LONG))
    seen = 0
    while seen < 5:
        status = watch.poll()
        if status.network is not None:
            seen += 1
            error = evaluate(status.network, data.test_x) - data.test_y
            expected = np.sqrt((error**2).mean())
            assert status.progress[-1].test_loss == pytest.approx(expected, rel=1e-9)
        time.sleep(0.06)
    watch.handle.close()


def test_runs_share_nothing_and_take_turns(runner, network, data):
    other = network.with_layers(
        tuple(layer.with_arrays(coef=2 * layer.coef) for layer in network.layers)
    )
    watches = [Watch(runner.start(start, data, LONG)) for start in (network, other, network, other)]
    for watch in watches:
        watch.until(lambda watch=watch: len(watch.steps) >= 30)
        watch.handle.pause()
    for watch, start in zip(watches, (network, other, network, other), strict=True):
        watch.until(lambda watch=watch: watch.handle.state == "paused")
        here = train(start, data, LONG)
        for _ in watch.steps:
            here.step()
        assert watch.network.same_values(here.network())
        watch.handle.close()


def test_a_killed_worker_loses_only_the_last_steps(runner, network, data):
    watches = [Watch(runner.start(network, data, LONG)) for _ in range(3)]
    for watch in watches:
        watch.until(lambda watch=watch: len(watch.steps) >= 10)
    for pid in runner.pids:
        os.kill(pid, signal.SIGKILL)
    for watch in watches:
        before = len(watch.steps)
        watch.until(lambda watch=watch, before=before: len(watch.steps) > before + 500)
        # No step is missing and none comes twice.
        assert watch.steps == list(range(1, len(watch.steps) + 1))
        assert not watch.handle.ended
        watch.handle.pause()
        watch.until(lambda watch=watch: watch.handle.state == "paused")
        # The optimiser went on as well: these are the numbers of a run without a break.
        here = train(network, data, LONG)
        for _ in watch.steps:
            here.step()
        assert watch.network.same_values(here.network())
        watch.handle.close()


@pytest.mark.parametrize("paused", [False, True])
def test_a_stop_that_its_killed_worker_never_heard_of_counts(runner, network, data, paused):
    watch = Watch(runner.start(network, data, LONG, paused=paused))
    watch.until(lambda: watch.handle.checkpoint() is not None)
    for pid in runner.pids:
        # A process that stands still hears nothing.
        os.kill(pid, signal.SIGSTOP)
    watch.handle.stop()
    for pid in runner.pids:
        os.kill(pid, signal.SIGKILL)
    watch.until(lambda: watch.handle.ended)
    assert watch.handle.state == "stopped"


def test_a_run_goes_on_from_the_checkpoint_of_another(runner, network, data):
    first = Watch(runner.start(network, data, TrainingSettings(steps=60), paused=True))
    for count in range(1, 4):
        first.handle.step()
        first.until(lambda count=count: len(first.steps) >= count)
    first.until(lambda: first.handle.checkpoint() is not None)
    point = first.handle.checkpoint()
    assert point.n_steps == 3
    first.handle.close()
    chosen = TrainingSettings(steps=60)
    second = Watch(runner.start(network, data, chosen, checkpoint=point))
    second.until(lambda: second.handle.ended)
    here = train(network, data, chosen)
    list(here)
    assert second.steps == list(range(4, 61))
    assert second.network.same_values(here.network())


def test_a_run_that_stands_still_has_told_where(network, data):
    hosted = begin(Start(network, data, LONG))
    first = hosted.update(0.0)
    hosted.kept_at = now = time.monotonic()
    hosted.work(now)
    assert hosted.update(now).progress and hosted.told == "running"
    hosted.paused = True
    last = hosted.update(now)
    assert not last.progress and last.network is None
    assert pickle.loads(last.checkpoint).n_steps == hosted.run.n_steps > 0
    assert first.checkpoint is None


def test_a_stopped_run_leaves_its_last_step_behind(runner, network, data):
    for _ in range(3):
        watch = Watch(runner.start(network, data, LONG))
        watch.until(lambda watch=watch: len(watch.steps) > 20)
        watch.handle.stop()
        watch.until(lambda watch=watch: watch.handle.ended)
        assert watch.handle.checkpoint().n_steps == watch.steps[-1]


def test_a_run_that_kills_its_worker_is_given_up(runner, network, data):
    watch = Watch(runner.start(network, data, LONG, observer=_die))
    watch.until(lambda: watch.handle.ended)
    assert watch.handle.state == "error"
    assert "again and again" in watch.last.message
    # The pool is as good as new.
    after = Watch(runner.start(network, data, TrainingSettings(steps=3)))
    after.until(lambda: after.handle.ended)
    assert after.handle.state == "finished"


def test_a_run_that_gets_on_is_never_given_up(network, data):
    handle = RunHandle(NobodysRunner(), 1, Start(network, data, LONG))
    for step in range(1, 20):
        news = Records.of([Progress(step, 1.0, 1.0)])
        handle.take(Update("running", progress=news, network=pickle.dumps(network)))
        assert handle.order_again() is not None
    assert [handle.order_again() is None for _ in range(4)] == [False, False, True, True]


class NobodysRunner:
    def tell(self, handle: RunHandle, verb: str) -> None: ...

    def drop(self, handle: RunHandle) -> None: ...


def test_the_observer_sees_every_snapshot(runner, network, data):
    watch = Watch(runner.start(network, data, LONG, observer=_describe, arguments=(7,)))
    watch.until(lambda: len(watch.observed) >= 3)
    watch.handle.close()
    assert all(seen == (7, 8) for seen in watch.observed)


def test_an_observer_that_fails_does_not_end_the_run(runner, network, data):
    watch = Watch(runner.start(network, data, LONG, observer=_fail))
    watch.until(lambda: len(watch.observed) >= 2)
    assert watch.handle.state == "running"
    assert "cannot show" in watch.last.message or watch.last.network is None
    watch.handle.close()


def _die(network: Network) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _fail(network: Network) -> None:
    raise ValueError("no picture")


def _describe(network: Network, number: int) -> tuple[int, int]:
    return number, network.layers[0].coef.shape[-1]


def test_a_loss_that_is_not_finite_comes_with_a_message(runner, network):
    broken = Dataset(*(np.full((2, 1), value) for value in (1.0, 1e200, 1.0, 1.0)))
    watch = Watch(runner.start(network, broken, LONG))
    watch.until(lambda: watch.handle.ended)
    assert watch.handle.state == "error"
    assert "not finite" in watch.last.message


def test_what_cannot_work_is_refused_at_once(runner, network, data):
    with pytest.raises(TrainingError, match="nothing to train"):
        runner.start(empty_network([1, 1]), data, LONG)
    with pytest.raises(TrainingError, match="top of a module"):
        runner.start(network, data, LONG, observer=lambda network: None)


def test_no_call_waits_for_a_worker_that_hangs(runner, network, data):
    watch = Watch(runner.start(network, data, LONG))
    watch.until(lambda: len(watch.steps) > 3)
    pids = runner.pids
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        begun = time.monotonic()
        big = Dataset(*(np.zeros((200_000, 1)) for _ in range(4)))
        handles = [runner.start(network, big, LONG) for _ in range(3)]
        for handle in (watch.handle, *handles):
            handle.pause()
            handle.poll()
            handle.close()
        assert time.monotonic() - begun < 5
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def test_workers_end_with_the_server():
    script = (
        "import time, numpy as np\n"
        "from kanstudio.training.runner import Runner\n"
        "pool = Runner(n_workers=1)\n"
        "while not pool.pids: time.sleep(0.01)\n"
        "print(pool.pids[0], flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        pid = int(server.stdout.readline())
        os.kill(pid, 0)
        server.kill()
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.02)
    pytest.fail(f"worker {pid} outlived its server")


def test_closing_twice_is_safe_and_ends_the_workers(network, data):
    pool = Runner(n_workers=1)
    pool.close()
    pool.close()
    with pytest.raises(TrainingError, match="closed"):
        pool.start(network, data, LONG)


def test_networks_survive_pickling(network):
    copy = pickle.loads(pickle.dumps(network))
    assert copy.same_values(network)
    with pytest.raises(ValueError, match="read-only"):
        copy.layers[0].coef[:] = 0
