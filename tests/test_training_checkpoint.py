"""A run that is stopped, saved, loaded and resumed gives the bits of one that never stopped."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import fill
from test_training import noise_data, splines
from threadpoolctl import threadpool_limits

from kanstudio.errors import FileError, KanStudioError
from kanstudio.files.container import pack, unpack
from kanstudio.network.build import empty_network
from kanstudio.network.threads import ALONE
from kanstudio.training import (
    Checkpoint,
    Dataset,
    FormulaData,
    TrainingRun,
    TrainingSettings,
    load_checkpoint,
    sample_formula,
    save_checkpoint,
)
from kanstudio.training.checkpoint_file import checkpoint_bytes, checkpoint_from_bytes


@pytest.fixture(scope="module")
def data() -> Dataset:
    return sample_formula(
        lambda x: np.exp(np.sin(np.pi * x[:, :1]) + x[:, 1:2] ** 2),
        FormulaData(((-1, 1), (-1, 1)), 100, 50),
    )


CASES = {
    "adam": dict(),
    "batch": dict(batch=20, seed=7),
    "lbfgs": dict(optimizer="LBFGS", steps=8),
    "lbfgs-batch": dict(optimizer="LBFGS", steps=6, batch=40),
    "lm": dict(optimizer="LM", steps=12),
    "lm-dual": dict(optimizer="LM", steps=8, batch=30),
    "auto": dict(optimizer="auto", steps=10),
    "cosine": dict(schedule="cosine"),
    "exponential": dict(schedule="exponential", batch=30),
    "lbfgs-cosine": dict(optimizer="LBFGS", schedule="cosine", steps=6),
    "plateau": dict(schedule="plateau", rate_every=3, learning_rate=0.3),
    "regularised": dict(lamb=0.01, steps=20),
    "early": dict(patience=30, min_delta=0.001),
    "maps": dict(affine_trainable=True, clip=0.5),
    "float32": dict(dtype="float32", steps=20),
}


def halves(network, data, chosen, backend="auto"):
    """Records and final networks of a run in one piece, and of one in two."""
    whole = TrainingRun(network, data, chosen, backend=backend)
    expected = list(whole)
    first = TrainingRun(network, data, chosen, backend=backend)
    found = [first.step() for _ in range(len(expected) // 2)]
    saved = checkpoint_from_bytes(checkpoint_bytes(first.checkpoint()))
    second = TrainingRun.resume(saved, data, backend=backend)
    found += list(second)
    return expected, found, whole, second


def same(one, other) -> bool:
    """True if two files say the same."""
    return (
        one[0] == other[0]
        and one[1].keys() == other[1].keys()
        and all(np.array_equal(one[1][name], other[1][name]) for name in one[1])
    )


@pytest.mark.parametrize("backend", ["torch", "auto"])
@pytest.mark.parametrize("case", CASES)
def test_two_halves_are_the_whole_bit_for_bit(data, case, backend):
    chosen = TrainingSettings(
        **{"steps": 40, "grid_update_num": 5, "stop_grid_update_step": 30, **CASES[case]}
    )
    expected, found, whole, second = halves(splines(), data, chosen, backend)
    assert found == expected
    assert second.network().same_values(whole.network())
    assert second.message == whole.message


@pytest.mark.parametrize("case", CASES)
def test_the_number_of_threads_changes_no_bit(data, case):
    chosen = TrainingSettings(
        **{"steps": 20, "grid_update_num": 3, "stop_grid_update_step": 15, **CASES[case]}
    )
    found = []
    for n_threads in (1, 2, 3):
        before = torch.get_num_threads()
        torch.set_num_threads(n_threads)
        try:
            run = TrainingRun(splines(), data, chosen)
            found.append((list(run), run.network()))
            assert torch.get_num_threads() == n_threads
        finally:
            torch.set_num_threads(before)
    for records, network in found[1:]:
        assert records == found[0][0]
        assert network.same_values(found[0][1])


@pytest.mark.parametrize("chosen", [{"clip": 0.1}, {"optimizer": "LBFGS"}], ids=str)
def test_the_threads_of_numpy_change_no_bit_of_a_large_network(chosen):
    """BLAS takes several threads for the scalar products of long vectors."""
    network = splines([40, 40, 1])
    data = noise_data(network)
    asked = TrainingSettings(steps=3, update_grid=False, **chosen)
    found = []
    for n_threads in (1, 4):
        with threadpool_limits(n_threads):
            run = TrainingRun(network, data, asked)
            found.append((list(run), run.checkpoint().params))
    assert found[0][0] == found[1][0]
    assert len(found[0][1]) > ALONE
    np.testing.assert_array_equal(found[0][1], found[1][1])


def test_silent_splines_and_symbolic_edges_are_resumed_exactly(data):
    """A spline that is silent at first is computed apart; the resumed run does so, too."""
    network = fill(empty_network([2, [2, 1], 1], seed=1), ("sin", "x", "0", "exp(sin(x))"), 5)
    last = network.layers[1]
    silent = last.with_arrays(
        spline_mask=np.ones_like(last.spline_mask),
        scale_base=0 * last.scale_base,
        scale_sp=0 * last.scale_sp,
    )
    network = network.with_layers((network.layers[0], silent))
    expected, found, whole, second = halves(network, data, TrainingSettings(steps=20), "torch")
    assert found == expected
    assert second.network().same_values(whole.network())


def test_a_step_that_is_undone_after_the_break_is_undone_alike(data):
    network = fill(empty_network([2, 2, 1], seed=1), ("exp",), 0)
    chosen = TrainingSettings(steps=60, learning_rate=3000.0, update_grid=False)
    run = TrainingRun(network, data, chosen)
    points, expected = [run.checkpoint()], []
    for progress in run:
        expected.append(progress)
        points.append(run.checkpoint())
    noted = [p.step for p in expected if p.message]
    assert noted
    for step in noted[:3]:
        again = TrainingRun.resume(checkpoint_from_bytes(checkpoint_bytes(points[step - 1])), data)
        assert list(again) == expected[step - 1 :]


@pytest.mark.parametrize("optimizer", ["Adam", "LBFGS", "LM"])
def test_a_hundred_steps_are_fifty_saved_loaded_and_fifty_more(data, optimizer, tmp_path):
    chosen = TrainingSettings(optimizer=optimizer, steps=100, patience=0)
    whole = TrainingRun(splines(), data, chosen)
    expected = list(whole)
    first = TrainingRun(splines(), data, chosen)
    found = [first.step() for _ in range(50)]
    save_checkpoint(first.checkpoint(), tmp_path / "half.kan")
    second = TrainingRun.resume(load_checkpoint(tmp_path / "half.kan"), data)
    assert found + list(second) == expected
    assert len(expected) == 100
    assert second.network().same_values(whole.network())


def test_a_longer_run_can_follow(data, tmp_path):
    run = TrainingRun(splines(), data, TrainingSettings(steps=10, update_grid=False))
    expected = list(TrainingRun(splines(), data, TrainingSettings(steps=20, update_grid=False)))
    found = list(run)
    save_checkpoint(run.checkpoint(), tmp_path / "run.kan")
    later = TrainingRun.resume(load_checkpoint(tmp_path / "run.kan"), data, steps=20)
    assert found + list(later) == expected
    assert [path.name for path in tmp_path.iterdir()] == ["run.kan"]


def test_a_checkpoint_stays_while_the_run_goes_on(data):
    run = TrainingRun(splines(), data, TrainingSettings(steps=10))
    run.step()
    point = run.checkpoint()
    before = unpack(checkpoint_bytes(point))
    list(run)
    assert same(unpack(checkpoint_bytes(point)), before)


def test_a_checkpoint_says_everything(data):
    run = TrainingRun(splines(), data, TrainingSettings(steps=20, optimizer="LBFGS", patience=3))
    for _ in range(3):
        run.step()
    point = run.checkpoint()
    again = checkpoint_from_bytes(checkpoint_bytes(point))
    assert isinstance(again, Checkpoint)
    assert again.network.same_values(point.network)
    assert again.best.network.same_values(point.best.network)
    for item in fields(point):
        if item.name in ("settings", "n_steps", "slowdown", "plateau"):
            assert getattr(again, item.name) == getattr(point, item.name)
    assert all(np.array_equal(again.memory[name], point.memory[name]) for name in point.memory)


# --- files that are not whole ------------------------------------------------------------


@pytest.fixture(scope="module")
def content() -> bytes:
    x = np.linspace(-1, 1, 9)[:, None]
    run = TrainingRun(splines((1, 1)), Dataset(x, x, x, x), TrainingSettings(steps=5))
    run.step()
    return checkpoint_bytes(run.checkpoint())


@settings(max_examples=300)
@given(place=st.floats(0, 1), bit=st.integers(0, 7))
def test_a_flipped_bit_is_found(content, place, bit):
    damaged = bytearray(content)
    damaged[min(int(place * len(content)), len(content) - 1)] ^= 1 << bit
    try:
        found = checkpoint_from_bytes(bytes(damaged))
    except FileError:
        return
    # Blanks between the parts of the header mean nothing.
    assert same(unpack(checkpoint_bytes(found)), unpack(content))


@given(length=st.floats(0, 0.999))
def test_a_shortened_file_is_refused(content, length):
    with pytest.raises(FileError):
        checkpoint_from_bytes(content[: int(length * len(content))])


@given(noise=st.binary(max_size=200))
def test_noise_is_refused(noise):
    with pytest.raises(FileError):
        checkpoint_from_bytes(noise)


def rewritten(content: bytes, change) -> bytes:
    """The file with another manifest or other arrays, and a checksum that fits."""
    manifest, arrays = unpack(content)
    change(manifest, arrays)
    return pack(manifest, arrays)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m, a: m.update(kind="photo"), "no training checkpoint"),
        (lambda m, a: m.pop("settings"), "settings"),
        (lambda m, a: m.update(n_steps=-1), "whole number"),
        (lambda m, a: m.update(n_steps=True), "whole number"),
        (lambda m, a: m["settings"].update(optimizer="SGD"), "one of Adam"),
        (lambda m, a: m["settings"].update(unknown=1), "unexpected"),
        (lambda m, a: m["settings"].update(optimizer="LBFGS"), "memory"),
        (lambda m, a: m["network"]["functions"][0].append([0, 0, "nonsense"]), "nonsense"),
        (lambda m, a: m["network"]["levels"].append([[-7, 1]]), "a node"),
        (lambda m, a: m["network"].update(inputs=["a", "b"]), "names"),
        (lambda m, a: a.pop("network.0.coef"), "coef"),
        (lambda m, a: a.update({"network.0.coef": np.zeros((1, 2))}), "coef"),
        (lambda m, a: a.update(params=np.zeros(3)), "finite parameters"),
        (lambda m, a: a.update(safe=np.full(10, np.nan)), "finite parameters"),
        (lambda m, a: a.update({"memory.more": np.zeros(3)}), "memory"),
        (lambda m, a: a.update({"memory.mean": np.zeros(3)}), "memory"),
    ],
)
def test_what_is_not_a_checkpoint_is_refused(content, change, message):
    again = checkpoint_bytes(checkpoint_from_bytes(rewritten(content, lambda m, a: None)))
    assert same(unpack(again), unpack(content))
    with pytest.raises(FileError, match=message):
        checkpoint_from_bytes(rewritten(content, change))


def test_files_that_cannot_be_read_or_written_say_so(content, tmp_path):
    with pytest.raises(FileError, match="cannot read"):
        load_checkpoint(tmp_path / "nothing")
    with pytest.raises(FileError, match="cannot write"):
        save_checkpoint(checkpoint_from_bytes(content), tmp_path / "no" / "folder")


def test_a_checkpoint_and_other_data_do_not_resume(content, data):
    with pytest.raises(KanStudioError, match="maps 1 inputs"):
        TrainingRun.resume(checkpoint_from_bytes(content), data)
