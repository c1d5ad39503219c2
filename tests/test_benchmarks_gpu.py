"""The benchmark for GPUs, tried on the CPU with small networks; no time is looked at."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks import gpu
from benchmarks.efficient_kan import EfficientKAN, EfficientLayer
from kanstudio.network.build import empty_network
from kanstudio.network.forward import evaluate

pytestmark = pytest.mark.filterwarnings("ignore")  # pykan's


def test_the_measuring_stick_is_a_kan():
    torch.set_default_dtype(torch.float64)
    try:
        model = EfficientKAN([3, 4, 2], grid=5)
    finally:
        torch.set_default_dtype(torch.float32)
    network = empty_network([3, 4, 2], grid=5)
    layers = []
    for layer, theirs in zip(network.layers, model, strict=True):
        assert isinstance(theirs, EfficientLayer)
        base, spline, scale = (
            values.detach().numpy() for values in (theirs.base, theirs.spline, theirs.scale)
        )
        layers.append(
            layer.with_arrays(
                knots=theirs.knots.numpy(), coef=spline, scale_base=base, scale_sp=scale,
                spline_mask=np.ones_like(base),
            )
        )  # fmt: skip
    x = np.random.default_rng(0).uniform(-1, 1, (20, 3))
    expected = evaluate(network.with_layers(tuple(layers)), x)
    np.testing.assert_allclose(model(torch.tensor(x)).detach().numpy(), expected, rtol=1e-10)


@pytest.mark.parametrize(
    "case",
    [
        gpu.Case("batches", (5, 3, 2), 40, 10),
        gpu.Case("all samples", (3, 3, 1), 30),
        gpu.Case("seeds", (2, 3, 1), 20, n_seeds=3),
    ],
    ids=lambda case: case.name,
)
def test_every_library_takes_its_steps(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # pykan writes there
    found = gpu.row(case, 1, "cpu")
    assert len(found.milliseconds) == 3 and all(value > 0 for value in found.milliseconds)
    assert f"| {case.name} | **" in gpu.table([found])


def test_a_library_without_the_memory_is_left_out(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def full(case, data, device):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(gpu, "pykan", full)
    found = gpu.row(gpu.Case("small", (2, 2, 1), 20), 1, "cpu")
    assert found.milliseconds[1] is None and found.ratios[0] is None
    assert "| small |  | **" in gpu.table([found]) and "out of memory" in gpu.table([found])


def test_without_cuda_it_says_so_and_keeps_the_page(capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    text = gpu.measured(1)
    assert "not measured" in capsys.readouterr().out
    assert text.startswith(gpu.HEADING) and "\n# " not in text
