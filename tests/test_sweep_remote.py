"""Runs on a cluster: the same numbers as here, whatever dies on the way."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from sine import sine_data, sine_network

from kanstudio import load_functions, remove_function
from kanstudio.app.desk import Desk
from kanstudio.app.session import Session
from kanstudio.app.workshop import SCHEDULER, trainer, use_scheduler
from kanstudio.editor.commands import Perturb
from kanstudio.editor.document import new_document
from kanstudio.errors import TrainingError
from kanstudio.network.build import empty_network
from kanstudio.network.edits import set_function
from kanstudio.network.network import EdgeRef, Network
from kanstudio.sweep import Cluster, ClusterRunner, RemoteRun, Sweep
from kanstudio.sweep import cluster as cluster_module
from kanstudio.sweep import host as host_module
from kanstudio.sweep.host import Answer, Mailbox, Wish
from kanstudio.sweep.line import OPERATION, Line
from kanstudio.training import Dataset, TrainingSettings, train
from kanstudio.training.handle import RunStatus
from kanstudio.training.worker import Start

LONG = TrainingSettings(steps=1_000_000, update_grid=False)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(n_workers=2) as two:
        two.connect()
        yield two


@pytest.fixture(scope="module")
def data() -> Dataset:
    return sine_data()


@pytest.fixture(scope="module")
def network() -> Network:
    return sine_network()


class Watch:
    """Everything that a run reported."""

    def __init__(self, run: RemoteRun) -> None:
        self.run = run
        self.steps: list[int] = []
        self.network: Network | None = None
        self.observed: object = None
        self.last: RunStatus = RunStatus((), None, "running")

    def poll(self) -> None:
        self.last = self.run.poll()
        self.steps += [progress.step for progress in self.last.progress]
        assert bool(self.last.progress) >= (self.last.network is not None)
        if self.last.network is not None:
            self.network, self.observed = self.last.network, self.last.observed

    def until(self, condition: Callable[[], bool], timeout_s: float = 120.0) -> None:
        end = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < end, self.last
            time.sleep(0.01)
            self.poll()
        self.poll()

    def is_what_would_have_been_here(self, network: Network, data: Dataset) -> None:
        here = train(network, data, self.run.order.settings)
        for _ in self.steps:
            here.step()
        assert self.steps == list(range(1, len(self.steps) + 1))
        assert self.network is not None
        assert self.network.same_values(here.network())


def pids(cluster: Cluster) -> dict[str, int]:
    async def ask() -> dict[str, int]:
        return await (await cluster.client()).run(os.getpid)

    return cluster.submit(ask()).result()


def test_a_run_ends_with_the_numbers_of_a_run_here(cluster, network, data):
    watch = Watch(ClusterRunner(cluster).start(network, data, TrainingSettings(steps=40)))
    watch.until(lambda: watch.run.ended)
    assert watch.run.state == "finished"
    assert len(watch.steps) == 40
    watch.is_what_would_have_been_here(network, data)
    assert watch.run.seconds > 0
    point = watch.run.checkpoint()
    assert point is not None
    assert point.n_steps == 40


def test_pause_step_resume_stop(cluster, network, data):
    watch = Watch(ClusterRunner(cluster).start(network, data, LONG, paused=True))
    watch.until(lambda: bool(watch.run.worker))
    for count in (1, 2):
        watch.run.step()
        watch.until(lambda count=count: len(watch.steps) >= count)
    time.sleep(0.2)
    watch.poll()
    assert watch.steps == [1, 2]
    assert watch.run.state == "paused"
    watch.run.resume()
    watch.until(lambda: len(watch.steps) > 20)
    watch.run.pause()
    watch.until(lambda: watch.run.state == "paused")
    count = len(watch.steps)
    time.sleep(0.2)
    watch.poll()
    assert len(watch.steps) == count
    watch.run.stop()
    watch.until(lambda: watch.run.state == "stopped")
    watch.is_what_would_have_been_here(network, data)


def test_a_killed_worker_loses_only_the_last_steps(cluster, network, data):
    watch = Watch(ClusterRunner(cluster).start(network, data, LONG))
    watch.until(lambda: watch.run.checkpoint() is not None)
    place, before = watch.run.worker, len(watch.steps)
    os.kill(pids(cluster)[place], signal.SIGKILL)
    watch.until(lambda: len(watch.steps) > before + 3_000)
    assert watch.run.worker != place
    watch.run.stop()
    watch.until(lambda: watch.run.state == "stopped")
    watch.is_what_would_have_been_here(network, data)


def test_samples_that_died_with_all_workers_are_sent_again(cluster, network, data):
    """And a paused run waits on a new worker where it stood."""
    watch = Watch(ClusterRunner(cluster).start(network, data, LONG))
    watch.until(lambda: len(watch.steps) > 100)
    watch.run.pause()
    watch.until(lambda: watch.run.state == "paused" and watch.run.checkpoint() is not None)
    count = len(watch.steps)
    assert watch.run.checkpoint().n_steps == count
    for pid in pids(cluster).values():
        os.kill(pid, signal.SIGKILL)
    watch.run.step()
    watch.until(lambda: len(watch.steps) == count + 1)
    watch.is_what_would_have_been_here(network, data)
    watch.run.close()


def test_a_break_in_the_line_changes_no_number(cluster, network, data):
    """The connection comes back: the run goes on, and what ran meanwhile leaves its place."""

    async def cut() -> None:
        (await there.client()).scheduler_comm.comm.abort()

    with Cluster(cluster.submit(_address(cluster)).result()) as there:
        watch = Watch(ClusterRunner(there).start(network, data, LONG))
        watch.until(lambda: watch.run.checkpoint() is not None)
        there.submit(cut()).result()
        before = len(watch.steps)
        watch.until(lambda: len(watch.steps) > before + 3_000)
        watch.run.stop()
        watch.until(lambda: watch.run.ended)
    watch.is_what_would_have_been_here(network, data)


def test_a_worker_that_is_new_at_its_address_learns_to_answer(cluster):
    async def visit() -> list[object]:
        client, line = await cluster.client(), Line()
        place = next(iter(await client.nthreads()))
        found: list[object] = [await line.exchange(client, place, {"no run": Wish()})]
        await client.run(_forget, workers=[place])
        found += [await line.exchange(client, place, {"no run": Wish()}) for _ in range(2)]
        with pytest.raises(OSError, match=r"127\.0\.0\.1:1"):
            await line.exchange(client, "tcp://127.0.0.1:1", {})
        return found

    assert cluster.submit(visit()).result() == 3 * [{"no run": None}]


def _forget(dask_worker: Any) -> None:
    del dask_worker.handlers[OPERATION]


def test_samples_are_sent_once(cluster, network, data):
    runner = ClusterRunner(cluster)
    own = replace(data)
    watches = [
        Watch(runner.start(network, own, TrainingSettings(steps=3, seed=seed))) for seed in range(5)
    ]
    for watch in watches:
        watch.until(lambda watch=watch: watch.run.ended)

    async def held() -> list[str]:
        places = await (await cluster.client()).has_what()
        return [str(key) for keys in places.values() for key in keys]

    names = {key for key in cluster.submit(held()).result() if key.startswith("Dataset")}
    assert len(names) <= 2  # These samples, and perhaps those of the tests before.


def test_more_runs_than_workers_wait_or_take_turns(cluster, network, data):
    waiting = ClusterRunner(cluster)
    watches = [Watch(waiting.start(network, data, LONG)) for _ in range(3)]
    watches[0].until(lambda: [watch.poll() for watch in watches] and _begun(watches) == 2)
    (late,) = (watch for watch in watches if not watch.steps)
    late.run.stop()
    late.until(lambda: late.run.state == "stopped")
    assert late.steps == []
    sharing = ClusterRunner(cluster, share=True)
    more = [Watch(sharing.start(network, data, LONG)) for _ in range(3)]
    for watch in watches:
        watch.run.close()
    for watch in more:
        watch.until(lambda watch=watch: len(watch.steps) > 10)
    assert not any(watch.run.ended for watch in more)
    for watch in more:
        watch.run.close()


def _begun(watches: list[Watch]) -> int:
    return sum(bool(watch.steps) for watch in watches)


def test_the_observer_sees_every_snapshot(cluster, network, data):
    watch = Watch(
        ClusterRunner(cluster).start(network, data, LONG, observer=_describe, arguments=(7,))
    )
    watch.until(lambda: watch.observed is not None)
    watch.run.close()
    assert watch.observed == (7, 8)


def _describe(network: Network, number: int) -> tuple[int, int]:
    return number, network.layers[0].coef.shape[-1]


def test_workers_know_the_functions_of_a_file(cluster, data, tmp_path):
    """Both do, as code: the file is on none of their paths, and may be gone."""
    file = tmp_path / "mine.py"
    file.write_text(
        "import torch\n"
        "import kanstudio\n"
        "DEPTH = 2.0\n"
        "def well(x):\n"
        "    return DEPTH * (1 - torch.exp(-x)) ** 2\n"
        "kanstudio.add_function('morse', well)\n"
    )
    load_functions(str(file))
    file.unlink()
    network = set_function(empty_network([1, 1]), EdgeRef(0, 0, 0), "morse")
    runner = ClusterRunner(cluster)
    try:
        watches = [Watch(runner.start(network, data, LONG)) for _ in range(2)]
        for watch in watches:
            watch.until(lambda watch=watch: bool(watch.steps))
        for watch in watches:
            watch.run.stop()
            watch.until(lambda watch=watch: watch.run.ended)
            watch.is_what_would_have_been_here(network, data)
    finally:
        remove_function("morse")
    assert len({watch.run.worker for watch in watches}) == 2


def test_the_studios_runs_go_to_the_cluster(cluster, monkeypatch):
    local = cluster.submit(_address(cluster)).result()
    monkeypatch.setenv(SCHEDULER, "")
    use_scheduler(local)
    session = Session(new_document("sin(x)*y"))
    session.do(Perturb("all", 0.1))
    desk = Desk(session, trainer)
    desk.settings = TrainingSettings(steps=30)
    desk.train()
    end = time.monotonic() + 60
    while desk.state == "training":
        assert time.monotonic() < end
        desk.tick()
        time.sleep(0.02)
    assert desk.state == "idle", desk.message
    assert len(session.document.losses) == 30
    assert desk.max_error is not None
    runner = trainer()
    assert isinstance(runner, ClusterRunner)
    assert runner is trainer()
    runner.cluster.close()
    monkeypatch.setattr(cluster_module, "CONNECT_S", 0.5)
    with pytest.raises(TrainingError, match=r"there is no Dask scheduler at tcp://127\.0\.0\.1:1"):
        use_scheduler("tcp://127.0.0.1:1")


async def _address(cluster: Cluster) -> str:
    return str((await cluster.client()).scheduler.address)


def test_what_cannot_work_is_refused(cluster, network, data):
    runner = ClusterRunner(cluster)
    with pytest.raises(TrainingError, match="nothing to train"):
        runner.start(empty_network([1, 1]), data, LONG)
    with pytest.raises(TrainingError, match="top of a module"):
        runner.start(network, data, LONG, observer=lambda network: None)
    watch = Watch(runner.start(network, data, replace(LONG, device="cuda:7")))
    watch.until(lambda: watch.run.ended)
    assert watch.run.state == "error"
    assert "there is no device cuda:7" in watch.last.message
    assert runner.devices()[0] == "cpu"


def test_a_scheduler_elsewhere_is_used_by_its_address(cluster, network, data, monkeypatch):
    """And when it is gone, runs end with words, and what they learned stays."""
    monkeypatch.setattr(cluster_module, "CONNECT_S", 1.0)
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1",
               "--port", "0", "--no-dashboard", "--dashboard-address", "127.0.0.1:0"]  # fmt: skip
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", "--no-nanny", "--nthreads",
              "1", "--dashboard-address", "127.0.0.1:0"]  # fmt: skip
    with running(command, stderr=subprocess.PIPE, text=True) as scheduler:
        assert scheduler.stderr is not None
        address = next(
            line.split("at:")[1].strip() for line in scheduler.stderr if "Scheduler at:" in line
        )
        threading.Thread(target=scheduler.stderr.read, daemon=True).start()
        with Cluster(address) as there:
            runner = ClusterRunner(there, share=True)
            watch = Watch(runner.start(network, data, LONG))
            desk = training_desk(runner)
            watch.until(lambda: "waiting for a worker" in watch.last.message)
            with running([*worker, address], stderr=subprocess.DEVNULL):
                watch.until(lambda: len(watch.steps) > 100)
                watch.until(lambda: desk.tick() or desk.run_step > 100)
                assert there.n_slots() == 1
                study = Sweep(data, {"seed": range(9)}, model=network, opt="Adam",
                              steps=1_000_000, cluster=there)  # fmt: skip
                with pytest.raises(TrainingError, match="Dask scheduler at") as caught:
                    for _ in study:
                        scheduler.kill()
                watch.until(lambda: watch.run.ended)
            assert watch.run.state == "error"
            watch.is_what_would_have_been_here(network, data)
            assert max(outcome.steps for outcome in study.result().outcomes) > 0
            watch.until(lambda: desk.tick() or desk.state != "training")
            assert (desk.state, len(desk.curve()[0])) == ("error", desk.steps)
            # Who asks first hears that it is gone, the others that there is none.
            told = [watch.last.message, desk.message]
            assert all("what was learned before is kept" in words for words in told)
            told += [str(caught.value), *(o.message for o in study.result().outcomes)]
            assert any(f"the Dask scheduler at {address} is gone" in words for words in told)
            assert desk.steps > 100
            again = Watch(runner.start(network, data, LONG))
            again.until(lambda: again.run.ended)
            assert f"there is no Dask scheduler at {address}" in again.last.message


def training_desk(runner: ClusterRunner) -> Desk:
    """A session of the Studio whose run goes to these workers."""
    session = Session(new_document("sin(x)*y"))
    session.do(Perturb("all", 0.1))
    desk = Desk(session, lambda: runner)
    desk.settings = LONG
    desk.train()
    return desk


@contextmanager
def running(command: list[str], **options: Any) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(command, **options) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_script_needs_no_guard(tmp_path):
    """Workers never run the script that started them, and none outlives it."""
    script = tmp_path / "script.py"
    script.write_text(
        "import numpy as np\n"
        "from kanstudio import Sweep\n"
        "x = np.linspace(-1, 1, 30)[:, None]\n"
        "print(Sweep((x, x**2), {'seed': [0, 1]}, width=[1, 1], steps=2, workers=1).run())\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", str(script)], capture_output=True,
                          text=True, check=True, timeout=300)  # fmt: skip
    assert len(done.stdout.splitlines()) == 3
    assert done.stderr == ""


# The worker's side, without a cluster.


@pytest.fixture
def served(network, data) -> Iterator[Callable[..., Mailbox]]:
    """Serves a run in a thread of this process."""
    threads: list[tuple[threading.Thread, Mailbox]] = []

    def serve(settings: TrainingSettings, results: list[Answer] | None = None) -> Mailbox:
        box = Mailbox()
        host = host_module._Host(box, Start(network, data, settings))
        keep = [] if results is None else results
        thread = threading.Thread(target=lambda: keep.append(host.serve()))
        threads.append((thread, box))
        thread.start()
        return box

    yield serve
    for thread, box in threads:
        box.ask(Wish(stop=True))
        thread.join(30)
        assert not thread.is_alive()


def answer_of(box: Mailbox, wish: Wish, what: Callable[[Answer], object]) -> Answer:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        answer = box.ask(wish)
        if answer is not None and what(answer):
            return answer
        time.sleep(0.01)
    pytest.fail("no such answer came")


def test_an_answer_that_got_lost_comes_again(served):
    box = served(LONG)
    first = answer_of(box, Wish(), lambda answer: answer.update.progress)
    again = answer_of(
        box, Wish(), lambda answer: len(answer.update.progress) > len(first.update.progress)
    )
    known = list(first.update.progress)
    assert list(again.update.progress)[: len(known)] == known
    seen = again.update.progress.last
    later = answer_of(box, Wish(seen), lambda answer: min(answer.update.progress.steps) > seen)
    assert later.update.progress.steps[0] == seen + 1


def test_a_run_of_which_nobody_asks_ends(served, monkeypatch):
    monkeypatch.setattr(host_module, "LEASE_S", 0.2)
    results: list[Answer] = []
    served(LONG, results)
    end = time.monotonic() + 30
    while not results:
        assert time.monotonic() < end
        time.sleep(0.01)
    assert results[0].update.state == "stopped"
    assert pickle.loads(results[0].update.checkpoint).n_steps > 0


def test_a_host_that_began_anew_goes_on_from_the_checkpoint_it_is_given(served, network, data):
    here = train(network, data, LONG)
    for _ in range(5_000):
        here.step()
    box = served(LONG)
    wish = Wish(5_000, paused=True, steps=2, done=2, checkpoint=pickle.dumps(here.checkpoint()))
    answer = answer_of(box, wish, lambda answer: answer.began == 5_000)
    assert (answer.update.state, len(answer.update.progress)) == ("paused", 0)
    wish = replace(wish, steps=3)
    answer = answer_of(box, wish, lambda answer: answer.update.progress)
    assert list(answer.update.progress) == [here.step()]
    assert answer.done == 3
