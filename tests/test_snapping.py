"""Which functions edges look like: the search, the suggestions, and what KAN makes of them."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import CubicSpline
from strategies import fill, networks, samples

from kanstudio import (
    KAN,
    DataError,
    EditError,
    KanStudioError,
    add_function,
    functions,
    remove_function,
)
from kanstudio.network.build import empty_network
from kanstudio.network.edits import random_spline_network, set_function
from kanstudio.network.forward import evaluate
from kanstudio.network.network import ABSENT, EdgeRef, Network, frozen
from kanstudio.snapping import snap
from kanstudio.snapping.activations import activations
from kanstudio.snapping.search import best_fits
from kanstudio.snapping.shapes import shape
from kanstudio.snapping.suggest import COMMON, Taste, library, suggestions

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pytest.importorskip("kan")
    from kan.utils import SYMBOLIC_LIB, fit_params

EDGE = EdgeRef(0, 0, 0)


def curve_network(name: str, affine: tuple[float, ...]) -> Network:
    """One input, one edge with a function, one output."""
    return set_function(empty_network([1, 1]), EDGE, name, affine)


def window(name: str, rng: np.random.Generator) -> tuple[float, float]:
    """A random stretch of the argument, middle and half, on which the function has a shape."""
    domain = functions.get(name).domain
    if name in {"sin", "cos"}:
        return float(rng.uniform(-3, 3)), float(rng.uniform(0.2, 20))
    if name == "tan":
        half = rng.uniform(0.1, 1.4)
        return float(rng.uniform(-1, 1) * (1.5 - half)), float(half)
    if not math.isinf(domain.high):
        half = rng.uniform(0.1, 0.95)
        return float(rng.uniform(-1, 1) * (0.99 - half)), float(half)
    half = float(10 ** rng.uniform(-0.5, 0.7))
    if domain.hole or not math.isinf(domain.low):
        # Above the pole or the end, and by no more than lets one tell which power it is.
        return half * float(1 + 10 ** rng.uniform(-2, 0.5)), half
    return half * float(rng.uniform(-0.9, 0.9)), half


def fit(x: np.ndarray, y: np.ndarray, *names: str) -> tuple[np.ndarray, np.ndarray]:
    """a, b, c, d (F, 4) and R2 (F,) of one edge."""
    found = best_fits(
        torch.tensor(x)[None], torch.tensor(y)[None], [functions.get(name) for name in names]
    )
    return found.affine[0].numpy(), found.r2[0].numpy()


def values(name: str, affine: np.ndarray, x: np.ndarray) -> np.ndarray:
    a, b, c, d = affine
    return c * functions.get(name).torch(torch.tensor(a * x + b)).numpy() + d


@pytest.mark.parametrize("name", COMMON)
@settings(max_examples=6)
@given(seed=st.integers(0, 2**32 - 1))
def test_every_function_is_found_again(name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    middle, half = window(name, rng)
    u = np.concatenate([[-1, 1], rng.uniform(-1, 1, 200)])
    x = rng.normal() * 3 + 10 ** rng.uniform(-1, 1) * u * rng.choice([-1, 1])
    c = 10 ** rng.uniform(-6, 4) * rng.choice([-1, 1])
    y = c * functions.get(name).torch(torch.tensor(middle + half * u)).numpy() + c * rng.normal()
    (affine,), (r2,) = fit(x, y, name)
    assert r2 > 1 - 1e-9
    assert np.abs(values(name, affine, x) - y).max() < 1e-3 * np.ptp(y)


@pytest.mark.parametrize("name", ["1/x", "1/x^2", "1/x^3", "1/x^4", "1/x^5"])
@pytest.mark.parametrize("seed", range(3))
def test_a_pole_among_the_samples_is_found(name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, 500)
    y = values(name, np.array([1.0, rng.uniform(-0.9, 0.9), 2.0, -1.0]), x)
    _, (r2,) = fit(x, y, name)
    assert r2 > 1 - 1e-6


def smooth_curve(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """60 samples of a random spline, every fourth time with noise as large as itself."""
    rng = np.random.default_rng(seed)
    x = np.sort(rng.uniform(-1, 1, 60)) * 10 ** rng.uniform(-0.5, 0.5) + rng.normal()
    knots = np.linspace(x[0], x[-1], int(rng.integers(4, 8)))
    y = CubicSpline(knots, rng.normal(size=len(knots)))(x) * 10 ** rng.uniform(-2, 2)
    return x, y + (rng.normal(size=len(x)) * y.std() if seed % 4 == 3 else 0)


@pytest.mark.parametrize("seed", range(4))
def test_no_worse_than_pykan(seed: int) -> None:
    x, y = smooth_curve(seed)
    _, ours = fit(x, y, *COMMON)
    for name, r2 in zip(COMMON, ours, strict=True):
        function = SYMBOLIC_LIB[name][0]
        (a, b, *_), _ = fit_params(torch.tensor(x), torch.tensor(y), function, verbose=False)
        f = np.nan_to_num(function(a * torch.tensor(x) + b).numpy())
        f, v = f - f.mean(), y - y.mean()
        theirs = (f @ v) ** 2 / max((f @ f) * (v @ v), 1e-300)
        # Below, they spend a pole or an end of the domain on a single sample.
        if theirs > 0.5:
            assert r2 >= theirs - 1e-6, name


@settings(max_examples=8)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 40), ties=st.booleans())
def test_fits_are_finite_and_say_the_truth(seed: int, n: int, ties: bool) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=n), rng.normal(size=n) * 10 ** rng.uniform(-200, 100)
    if ties:
        x = np.round(x)
    names = [*COMMON, "gamma", "softplus", "lambertw", "floor", "arcsec", "x^3 - sin(2*x)"]
    affine, r2 = fit(x, y, *names)
    for name, numbers, share in zip(names, affine, r2, strict=True):
        assert share <= 1
        if share == -math.inf:
            continue
        assert np.isfinite(numbers).all()
        assert functions.get(name).inside(torch.tensor(numbers[0] * x + numbers[1])).all(), name
        rest = (y - values(name, numbers, x)) / np.abs(y).max()
        spread = (y - y.mean()) / np.abs(y).max()
        assert share == pytest.approx(1 - rest @ rest / (spread @ spread), abs=1e-6)


@settings(max_examples=4)
@given(seed=st.integers(0, 2**32 - 1))
def test_more_samples_and_other_units_change_nothing(seed: int) -> None:
    x, y = smooth_curve(seed)
    _, r2 = fit(x, y, *COMMON)
    # Powers of 2 are exact.
    _, scaled = fit(x * 2.0**-20, y * 2.0**-60, *COMMON)
    assert scaled == pytest.approx(r2, abs=1e-9)
    _, shuffled = fit(x[::-1].copy(), y[::-1].copy(), *COMMON)
    assert shuffled == pytest.approx(r2, abs=1e-9)


def test_samples_that_are_not_finite_count_nothing() -> None:
    x = np.linspace(-1, 1, 50)
    y = np.sin(3 * x)
    x_more = np.concatenate([[np.nan, 0.3, np.inf], x])
    y_more = np.concatenate([[0.0, np.inf, 1.0], y])
    _, r2 = fit(x, y, *COMMON)
    _, more = fit(x_more, y_more, *COMMON)
    assert more == pytest.approx(r2, abs=1e-6)


def test_the_number_of_threads_changes_no_bit() -> None:
    network = random_spline_network(empty_network([2, 3, 1], seed=4))
    x = samples(network, 500)
    edges = [EdgeRef(0, i, j) for i in range(2) for j in range(3)]
    one = suggestions(network, x, edges)
    torch.set_num_threads(4)
    try:
        assert suggestions(network, x, edges) == one
        assert torch.get_num_threads() == 4
    finally:
        torch.set_num_threads(1)


def test_equalities_of_functions_are_seen() -> None:
    def kinds(name: str) -> str:
        s = shape(functions.get(name))
        words = ("mirrored", "scaled", "shifted", "periodic", "stepped", "bent")
        return " ".join(word for word in words if getattr(s, word))

    assert kinds("x") == "mirrored scaled shifted"
    assert kinds("x^3") == kinds("1/x^2") == "mirrored scaled"
    assert kinds("x^0.5") == kinds("log") == "scaled"
    assert kinds("exp") == kinds("2^x") == "shifted"
    assert kinds("sin") == kinds("tan") == "mirrored periodic"
    assert kinds("tanh") == kinds("gaussian") == kinds("arcsin") == "mirrored"
    assert kinds("abs") == "mirrored scaled bent"
    assert kinds("relu") == "scaled bent"
    assert kinds("sgn") == "mirrored scaled stepped"
    assert kinds("exp(sin(x)) + x^2") == ""


def test_numbers_come_in_their_simplest_form() -> None:
    x = np.linspace(0.5, 4, 100)
    for name, true in {
        "x^2": (1, -2, 3, 0.5), "1/x": (1, 1, -2, 0), "exp": (-0.5, 0, 4, 1),
        "log": (1, 2, 3, 4), "sin": (3, 1, -2, 0), "tanh": (2, -3, 5, 6), "x": (1, 0, 7, 8),
    }.items():  # fmt: skip
        (affine,), _ = fit(x, values(name, np.array(true, dtype=float), x), name)
        assert affine == pytest.approx(np.array(true), abs=1e-4), name


def test_many_samples_are_thinned_but_not_at_the_ends() -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.uniform(0, 1, 20_000), [-0.25, 2.0]])
    y = np.sqrt(x + 0.25)
    (affine, _), r2 = fit(x, y, "x^0.5", "x")
    assert r2[0] > 1 - 1e-9
    assert affine == pytest.approx(np.array([1, 0.25, 1, 0]), abs=1e-5)
    assert functions.get("x^0.5").inside(torch.tensor(affine[0] * x + affine[1])).all()


def test_ranges_are_kept() -> None:
    x = np.linspace(-1, 1, 80)
    y = np.sin(5 * x + 1)
    found = best_fits(
        torch.tensor(x)[None], torch.tensor(y)[None],
        [functions.get(name) for name in COMMON], (4.0, 6.0), (0.5, 2.0),
    )  # fmt: skip
    a, b = found.affine[0, :, 0], found.affine[0, :, 1]
    kept = found.r2[0].isfinite()
    assert ((a >= 4 - 1e-9) & (a <= 6 + 1e-9) & (b >= 0.5 - 1e-9) & (b <= 2 + 1e-9))[kept].all()
    assert found.affine[0, COMMON.index("sin"), :2].tolist() == pytest.approx([5, 1], abs=1e-6)


# Suggestions


def test_the_simple_function_wins_among_its_limits() -> None:
    x = np.random.default_rng(0).uniform(-1, 1, (300, 1))
    for name, b in {"x": 2.0, "x^2": 2.0, "exp": 2.0, "sin": 0.3, "cos": 0.3, "log": 2.0}.items():
        network = curve_network(name, (1.5, b, 0.3, -1.0))
        (rows,) = suggestions(network, x, [EDGE])
        assert rows[0].name == name
        assert rows[0].r2 > 1 - 1e-9
        losses = [row.loss for row in rows]
        assert losses == pytest.approx(sorted(losses), abs=1e-8)


def test_weight_simple_moves_from_the_best_fit_to_the_simplest_function() -> None:
    x = np.random.default_rng(0).uniform(-1, 1, (300, 1))
    network = curve_network("arctan", (2.0, 0.5, 1.0, 0.0))
    names = [
        suggestions(network, x, [EDGE], taste=Taste(weight))[0][0].name for weight in (0.0, 1.0)
    ]
    assert names == ["arctan", "x"]


def test_a_constant_edge_is_the_constant() -> None:
    network = curve_network("sin", (0.0, 1.0, 2.0, 3.0))
    (rows,) = suggestions(network, np.linspace(-1, 1, 20)[:, None], [EDGE])
    (only,) = rows
    assert (only.name, only.r2) == (ABSENT, 1.0)
    assert only.affine[3] == pytest.approx(2 * math.sin(1) + 3)


def test_functions_of_users_are_in_the_library() -> None:
    assert tuple(function.name for function in library()) == COMMON
    add_function("bump", torch=lambda x: torch.exp(-(x**4)), sympy=None)
    try:
        assert [function.name for function in library()] == [*COMMON, "bump"]
        assert "bump" in {function.name for function in library("all")}
    finally:
        remove_function("bump")
    assert [function.name for function in library(["sqrt", "x^0.5", "0", "asin"])] == [
        "x^0.5", "arcsin",
    ]  # fmt: skip


def test_a_function_of_a_user_wins_where_it_is_the_one_that_fits() -> None:
    add_function("bump", torch=lambda x: torch.exp(-(x**4)), sympy=None)
    try:
        model = KAN.from_network(curve_network("bump", (1.5, 0.2, 2.0, 1.0)))
        model(torch.linspace(-1.5, 1.5, 200)[:, None])
        name, *_ = model.suggest_symbolic(0, 0, 0)
        assert name == "bump"
    finally:
        remove_function("bump")


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda n, x: suggestions(n, x[:1], [EDGE]), "at least 4 finite samples, not 1"),
        (lambda n, x: suggestions(n, x * math.nan, [EDGE]), "not 0"),
        (lambda n, x: suggestions(n, x, [EdgeRef(0, 5, 0)]), "there is no edge"),
        (lambda n, x: suggestions(n, x, [EdgeRef(7, 0, 0)]), "there are layers 0 to 0"),
        (lambda n, x: suggestions(n, x, [EdgeRef(-1, 0, 0)]), "whole number"),
        (lambda n, x: suggestions(n, x, [EDGE], ["sni"]), "did you mean sin"),
        (lambda n, x: suggestions(n, x, [EDGE], "some"), '"all"'),
        (lambda n, x: suggestions(n, x, [EDGE], a_range=(2, 1)), "low < high"),
        (lambda n, x: Taste(2.0), "from 0 to 1"),
        (lambda n, x: snap.fix_edge(n, EDGE, "sin", (1, 2)), "four finite numbers"),
        (lambda n, x: snap.best_fit(n, x, EDGE, "0"), "remove the edge"),
    ],
)
def test_errors_say_what_to_do(call, says) -> None:  # type: ignore[no-untyped-def]
    network, x = curve_network("sin", (1, 0, 1, 0)), np.linspace(-1, 1, 20)[:, None]
    with pytest.raises(KanStudioError, match=says):
        call(network, x)


def test_a_function_without_values_there_is_no_candidate() -> None:
    network = curve_network("x", (1, 0, 1, 0))
    x = np.linspace(-1, 1, 50)[:, None]
    only = {"a_range": (1.0, 2.0), "b_range": (-1.0, 0.5)}
    (rows,) = suggestions(network, x, [EDGE], ["log", "x"], **only)  # type: ignore[arg-type]
    assert [row.name for row in rows] == ["x"]
    with pytest.raises(EditError, match="log does not fit edge"):
        snap.best_fit(network, x, EDGE, "log", **only)  # type: ignore[arg-type]


# Networks


@settings(max_examples=20)
@given(network=networks())
def test_activations_add_up_to_the_subnodes(network: Network) -> None:
    network = replace(network, layers=network.layers[:1], levels=network.levels[:2])
    x = samples(network)
    layer = network.layers[0]
    edges = [EdgeRef(0, i, j) for j in range(layer.n_subnodes) for i in range(layer.n_sources)]
    found = activations(network, x, edges)
    sums = found.y.reshape(layer.n_subnodes, layer.n_sources, -1).sum(dim=1).T.numpy()
    sums = layer.subnode_scale * sums + layer.subnode_bias
    arities = [node.arity for node in network.levels[1]]
    starts = np.cumsum([0, *arities])[:-1]
    nodes = layer.node_scale * np.multiply.reduceat(sums, starts, axis=1) + layer.node_bias
    assert nodes == pytest.approx(_first_level(network, x), rel=1e-9, abs=1e-9)


def _first_level(network: Network, x: np.ndarray) -> np.ndarray:
    names = tuple(f"y{i}" for i in range(len(network.levels[-1])))
    return evaluate(replace(network, output_names=names), x)


def test_fixing_keeps_the_curve_and_unfixing_brings_the_spline_back() -> None:
    network = random_spline_network(empty_network([2, 2, 1], seed=3))
    layers = list(network.layers)
    layers[0] = layers[0].with_arrays(spline_mask=np.full((2, 2), 0.3))
    network, edge = network.with_layers(tuple(layers)), EdgeRef(0, 1, 0)
    x = samples(network, 200)
    found = snap.best_fit(network, x, edge, "x^3")
    fixed = snap.fix_edge(network, edge, found.name, found.affine)
    assert fixed.layers[0].functions[0][1] == "x^3"
    assert not fixed.layers[0].spline_active[0, 1]
    y, fit_y = activations(network, x, [edge]).y[0], activations(fixed, x, [edge]).y[0]
    assert float(1 - (fit_y - y).var() / y.var()) == pytest.approx(found.r2, abs=1e-9)
    back = snap.unfix_edge(fixed, edge)
    assert evaluate(back, x) == pytest.approx(evaluate(network, x), rel=1e-12)


def test_auto_symbolic_finds_the_formula_of_its_own_splines() -> None:
    rng = np.random.default_rng(1)
    x = rng.uniform(-1, 1, (400, 2))
    true = fill(empty_network([2, 1, 1], seed=1), ("0",), 1)
    for edge, name, affine in (
        (EdgeRef(0, 0, 0), "sin", (3.0, 0.2, 1.0, 0.0)),
        (EdgeRef(0, 1, 0), "x^2", (1.0, 0.3, 1.0, 0.1)),
        (EdgeRef(1, 0, 0), "exp", (0.7, 0.0, 1.0, 0.0)),
    ):
        true = snap.fix_edge(true, edge, name, affine)
    layers = [
        layer.with_arrays(
            spline_mask=np.ones_like(layer.spline_mask), scale_base=0 * layer.scale_base,
            scale_sp=0 * layer.scale_sp,
        )
        for layer in true.layers
    ]  # fmt: skip
    found, report = snap.auto_symbolic(true.with_layers(tuple(layers)), x)
    assert [str(row.best.name) for row in report if row.best] == ["sin", "x^2", "exp"]
    assert all(row.fixed for row in report)
    assert evaluate(found, x) == pytest.approx(evaluate(true, x), abs=1e-6)
    kept, report = snap.auto_symbolic(true.with_layers(tuple(layers)), x, ["x"], r2_threshold=0.999)
    assert not any(row.fixed for row in report)
    assert kept.same_values(true.with_layers(tuple(layers)))


def test_auto_symbolic_makes_a_constant_edge_a_bias() -> None:
    network = random_spline_network(empty_network([2, 1], seed=2))
    x = np.random.default_rng(0).uniform(-1, 1, (100, 2))
    x[:, 1] = 0.5
    found, report = snap.auto_symbolic(network, x, ["x", "x^2"])
    assert [row.best.name for row in report if row.best][1] == ABSENT
    assert found.layers[0].active.tolist() == [[True, False]]
    constant = activations(network, x, [EdgeRef(0, 1, 0)]).y[0, 0]
    assert found.layers[0].subnode_bias[0] == pytest.approx(float(constant))


# KAN


@pytest.fixture
def model() -> KAN:
    network = curve_network("sin", (2.0, 0.5, 3.0, 1.0))
    model = KAN.from_network(network, dtype=torch.float64)
    model(torch.linspace(-1, 1, 100, dtype=torch.float64)[:, None])
    return model


def test_suggest_symbolic_unpacks_like_pykans_and_changes_nothing(model: KAN) -> None:
    before = model.network()
    answer = model.suggest_symbolic(0, 0, 0, topk=3)
    name, function, r2, complexity = answer
    assert (name, function, complexity) == ("sin", functions.get("sin"), 2)
    assert r2 == pytest.approx(1)
    assert len(answer.rows) == 3
    assert str(answer).splitlines()[1].startswith("sin")
    assert model.network().same_values(before)


def test_fix_symbolic_fits_or_takes_the_unit(model: KAN) -> None:
    x = torch.linspace(-1, 1, 100, dtype=torch.float64)[:, None]
    before = model(x)
    r2 = model.fix_symbolic(0, 0, 0, "sin")
    assert r2 == pytest.approx(1)
    assert torch.allclose(model(x), before, atol=1e-9)
    assert model.fix_symbolic(0, 0, 0, "exp", fit_params_bool=False) is None
    assert torch.allclose(model(x), x.exp())
    model.fix_symbolic(0, 0, 0, "exp", fit_params_bool=False, random=True, seed=3)
    once = model.network()
    model.fix_symbolic(0, 0, 0, "exp", fit_params_bool=False, random=True, seed=3)
    assert model.network().same_values(once)
    mean = float(model(x).detach().mean())
    model.fix_symbolic(0, 0, 0, "0")
    assert model.n_edge == 0
    assert model(x).detach().numpy() == pytest.approx(mean)


def test_unfix_symbolic_all_leaves_absent_edges_absent() -> None:
    model = KAN([2, 2, 1], seed=1, dtype=torch.float64)
    x = torch.rand(100, 2, dtype=torch.float64)
    before = model(x)
    model.remove_edge(0, 0, 0)
    model.fix_symbolic(0, 1, 0, "x^2")
    model.unfix_symbolic_all()
    assert model.network().layers[0].active.tolist() == [[False, True], [True, True]]
    assert not any(layer.symbolic_active.any() for layer in model.network().layers)
    assert model(x).shape == before.shape


def test_what_needs_samples_says_so() -> None:
    model = KAN([2, 1])
    for call in (
        lambda: model.suggest_symbolic(0, 0, 0),
        lambda: model.fix_symbolic(0, 0, 0, "sin"),
        model.auto_symbolic,
    ):
        with pytest.raises(DataError, match="call the model or get_act"):
            call()
    assert frozen(model.network().layers[0].affine).shape == (1, 2, 4)
