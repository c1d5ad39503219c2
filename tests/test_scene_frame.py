"""One moment of a network in bytes: what is written is read, and means what it should."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kanstudio.errors import DataError
from kanstudio.network.build import empty_network
from kanstudio.network.measure import curves, measure
from kanstudio.network.network import Network
from kanstudio.scene.frame import (
    BOTH,
    SPLINE,
    SYMBOLIC,
    Frame,
    decode_frame,
    encode_frame,
    frame_of,
    make_frame,
    normalised,
)
from kanstudio.scene.scene import build_scene


def mixed_network() -> Network:
    """Three inputs, one output: a symbolic edge, a spline, both."""
    network = empty_network([3, 1], seed=1)
    layer = network.layers[0].with_arrays(spline_mask=[[0.0, 1.0, 0.3]])
    layer = type(layer)(**{**vars(layer), "functions": (("sin", "0", "x^2"),)})
    return network.with_layers((layer,))


SAMPLES = np.random.default_rng(0).uniform(-1, 1, (200, 3))

float32s = st.floats(-1e6, 1e6, width=32)


@st.composite
def frames(draw: st.DrawFn) -> Frame:
    n, points = draw(st.integers(0, 5)), draw(st.integers(2, 6))
    values = hnp.arrays(np.float32, (n, points), elements=st.one_of(float32s, st.just(np.nan)))
    return Frame(
        sequence=draw(st.integers(0, 2**32 - 1)),
        key=draw(st.integers(0, 2**32 - 1)),
        colour_by=draw(st.sampled_from(["front", "forward", "attribution"])),
        beta=3.0,
        curves=draw(values),
        ranges=draw(hnp.arrays(np.float32, (n, 4), elements=float32s)),
        score=draw(hnp.arrays(np.float32, n, elements=float32s)),
        share=draw(hnp.arrays(np.float32, n, elements=float32s)),
        kind=draw(hnp.arrays(np.uint8, n)),
        alpha=draw(hnp.arrays(np.uint8, n)),
    )


@given(frames())
def test_a_frame_survives_its_bytes(frame: Frame) -> None:
    data = encode_frame(frame)
    n, points = frame.curves.shape
    assert len(data) == 32 + n * (4 * points + 26)
    again = decode_frame(data)
    for name, value in vars(frame).items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(getattr(again, name), value)
        else:
            assert getattr(again, name) == value


@given(st.binary(max_size=80))
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(DataError):
        decode_frame(data)


@pytest.mark.parametrize("cut", [slice(0, -1), slice(1, None)])
def test_damaged_frames_are_refused(cut: slice) -> None:
    network = mixed_network()
    data = make_frame(network, build_scene(network), SAMPLES)
    with pytest.raises(DataError):
        decode_frame(data[cut])


def test_kinds_and_order_are_those_of_the_scene() -> None:
    network = mixed_network()
    scene = build_scene(network)
    frame = decode_frame(make_frame(network, scene, SAMPLES, sequence=7))
    assert (frame.sequence, frame.key) == (7, scene.key)
    kinds = {edge.source: kind for edge, kind in zip(scene.edges, frame.kind, strict=True)}
    assert kinds == {0: SYMBOLIC, 1: SPLINE, 2: BOTH}


def test_curves_are_the_measured_ones_over_their_own_range() -> None:
    network = mixed_network()
    scene = build_scene(network)
    frame = frame_of(network, scene, SAMPLES, n_points=40)
    lines = curves(network, measure(network, SAMPLES), 40)[0]
    for index, edge in enumerate(scene.edges):
        x0, x1, low, high = frame.ranges[index]
        exact = lines.total[0, edge.source]
        assert frame.curves[index] * (high - low) + low == pytest.approx(exact, abs=1e-5)
        assert (x0, x1) == pytest.approx(lines.x[edge.source][[0, -1]])
        assert frame.curves[index].min() == 0 and frame.curves[index].max() == 1


@pytest.mark.parametrize(
    ("colour_by", "metric", "used"),
    [
        ("front", None, "backward"),
        ("front", "forward_u", "forward_u"),
        ("forward", None, "forward_n"),
        ("attribution", None, "backward"),
    ],
)
def test_opacity_is_tanh_of_beta_times_score(colour_by: str, metric: str | None, used: str) -> None:
    network = mixed_network()
    scene = build_scene(network)
    facts = measure(network, SAMPLES)
    frame = frame_of(network, scene, facts, colour_by=colour_by, metric=metric, beta=2.0)
    score = [facts.layers[0].score(used)[0, edge.source] for edge in scene.edges]
    assert frame.score == pytest.approx(score, rel=1e-6)
    assert frame.alpha == pytest.approx(255 * np.tanh(2 * np.array(score)), abs=0.51)


def test_a_frame_needs_no_samples_and_draws_the_same_each_time() -> None:
    network = mixed_network()
    scene = build_scene(network)
    state = np.random.get_state()[1].copy()
    assert make_frame(network, scene) == make_frame(network, scene)
    assert (np.random.get_state()[1] == state).all()


def test_an_empty_network_has_an_empty_frame() -> None:
    network = empty_network([2, 2])
    frame = decode_frame(make_frame(network, build_scene(network), SAMPLES[:, :2]))
    assert len(frame.curves) == 0


def test_a_scene_of_another_network_is_refused() -> None:
    with pytest.raises(DataError, match="build a new scene"):
        make_frame(mixed_network(), build_scene(empty_network([3, 1])), SAMPLES)
    with pytest.raises(DataError, match="colour_by"):
        frame_of(mixed_network(), build_scene(mixed_network()), SAMPLES, colour_by="red")


@given(
    hnp.arrays(
        np.float64,
        st.tuples(st.integers(0, 4), st.integers(2, 8)),
        elements=st.floats(allow_nan=True, allow_infinity=True),
    )
)
def test_normalised_curves_stay_in_their_card(values: np.ndarray) -> None:
    shapes, ends = normalised(values)
    finite = np.isfinite(values)
    assert (np.isfinite(shapes) == finite).all()
    assert ((shapes[finite] >= 0) & (shapes[finite] <= 1)).all()
    assert np.isfinite(ends).all() and (ends[:, 0] <= ends[:, 1]).all()


def test_a_constant_curve_lies_in_the_middle() -> None:
    values = np.array([[3.0, 3.0, 3.0], [3.0, 3.0 + 4e-16, 3.0], [np.nan, 2.0, np.inf]])
    shapes, ends = normalised(values)
    assert (shapes[:2] == 0.5).all() and shapes[2, 1] == 0.5
    assert ends[2].tolist() == [2.0, 2.0]
