"""The network value: evaluation, expansion, perturbation, grids and scores."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import BSpline
from strategies import networks, samples

from kanstudio.errors import DataError, EditError
from kanstudio.network import edits
from kanstudio.network.build import empty_network
from kanstudio.network.forward import evaluate
from kanstudio.network.grid import refine, update_grid_from_samples
from kanstudio.network.measure import curves, measure
from kanstudio.network.network import Network, frozen
from kanstudio.network.spline import basis


def spline_network(width: list[int], seed: int = 0) -> Network:
    return edits.random_spline_network(empty_network(width, seed=seed))


def reference_value(network: Network, x: np.ndarray) -> np.ndarray:
    """The definition of a network, edge by edge in plain Python and scipy."""
    simple = {
        "x": lambda v: v,
        "x^2": lambda v: v * v,
        "sin": np.sin,
        "cos": np.cos,
        "tanh": np.tanh,
        "gaussian": lambda v: np.exp(-v * v),
        "exp": np.exp,
        "abs": np.abs,
        "arctan": np.arctan,
    }
    values = x
    for layer, nodes in zip(network.layers, network.levels[1:], strict=True):
        subnodes = np.zeros((len(x), layer.n_subnodes))
        for j in range(layer.n_subnodes):
            for i in range(layer.n_sources):
                v = values[:, i]
                spline = BSpline(layer.knots[i], layer.coef[j, i], network.degree)(v)
                inside = (v >= layer.knots[i][network.degree]) & (
                    v < layer.knots[i][-network.degree - 1]
                )
                extended = basis_value(layer.knots[i], layer.coef[j, i], network.degree, v)
                spline = np.where(inside, spline, extended)
                base = v / (1 + np.exp(-v))
                front = layer.scale_base[j, i] * base + layer.scale_sp[j, i] * spline
                subnodes[:, j] += layer.spline_mask[j, i] * front
                name = layer.functions[j][i]
                if name != "0":
                    a, b, c, d = layer.affine[j, i]
                    subnodes[:, j] += layer.symbolic_mask[j, i] * (c * simple[name](a * v + b) + d)
        subnodes = subnodes * layer.subnode_scale + layer.subnode_bias
        first, columns = 0, []
        for node in nodes:
            columns.append(subnodes[:, first : first + node.arity].prod(axis=1))
            first += node.arity
        values = np.stack(columns, axis=1) * layer.node_scale + layer.node_bias
    return values


def basis_value(knots: np.ndarray, coef: np.ndarray, degree: int, x: np.ndarray) -> np.ndarray:
    """Sum of scipy's single basis elements, each zero outside its own support."""
    total = np.zeros_like(x)
    for index, weight in enumerate(coef):
        element = BSpline.basis_element(knots[index : index + degree + 2], extrapolate=False)
        total += weight * np.nan_to_num(element(x))
    return total


@given(
    st.lists(st.floats(0.05, 2), min_size=6, max_size=12),
    st.integers(1, 4),
    st.integers(0, 2**31),
)
def test_basis_matches_scipy(widths: list[float], degree: int, seed: int) -> None:
    knots = np.cumsum(widths)
    x = np.random.default_rng(seed).uniform(knots[0] - 0.5, knots[-1] + 0.5, 40)
    ours = basis(torch.tensor(x)[:, None], torch.tensor(knots)[None], degree)[:, 0].numpy()
    for index in range(len(knots) - degree - 1):
        element = BSpline.basis_element(knots[index : index + degree + 2], extrapolate=False)
        np.testing.assert_allclose(ours[:, index], np.nan_to_num(element(x)), atol=1e-12)


@given(
    st.lists(st.floats(0.05, 2), min_size=7, max_size=12),
    st.integers(2, 5),
    st.integers(0, 2**31),
)
def test_slopes_of_the_basis_match_scipy(widths: list[float], degree: int, seed: int) -> None:
    knots = np.cumsum(widths)
    x = np.random.default_rng(seed).uniform(knots[0] - 0.5, knots[-1] + 0.5, 40)
    points = torch.tensor(x)[:, None].requires_grad_()
    values = basis(points, torch.tensor(knots)[None], degree)[:, 0]
    for index in range(len(knots) - degree - 1):
        (slope,) = torch.autograd.grad(values[:, index].sum(), points, create_graph=True)
        (bend,) = torch.autograd.grad(slope.sum(), points, retain_graph=True)
        element = BSpline.basis_element(knots[index : index + degree + 2], extrapolate=False)
        for order, ours in ((1, slope), (2, bend)):
            expected = np.nan_to_num(element.derivative(order)(x))
            np.testing.assert_allclose(
                ours[:, 0].detach().numpy(), expected, atol=1e-11 * (1 + np.abs(expected).max())
            )


@pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")  # torch's own
@pytest.mark.parametrize("repeated", [False, True])
def test_the_basis_can_be_differentiated_in_every_way(repeated: bool) -> None:
    rng = np.random.default_rng(0)
    knots = torch.tensor(np.sort(rng.uniform(-1, 1, (3, 12))))
    if repeated:
        knots[1, 4:6], knots[2, :3] = knots[1, 4].clone(), knots[2, 0].clone()
    x = torch.tensor(rng.uniform(-1.1, 1.1, (4, 3))).requires_grad_()

    def values(x: torch.Tensor) -> torch.Tensor:
        return basis(x, knots, 4)

    def total(x: torch.Tensor) -> torch.Tensor:
        return values(x).square().sum()

    assert torch.autograd.gradcheck(values, x, check_forward_ad=True, check_batched_grad=True)
    assert torch.autograd.gradgradcheck(values, x)
    forward_over_reverse = torch.func.hessian(total)(x.detach())
    twice_reverse = torch.autograd.functional.hessian(total, x.detach())
    np.testing.assert_allclose(forward_over_reverse, twice_reverse, rtol=1e-10, atol=1e-10)


def test_basis_sums_to_one_with_repeated_knots() -> None:
    knots = torch.tensor([[0.0, 0, 0, 0, 1, 1, 2, 3, 3, 3, 3]], dtype=torch.float64)
    x = torch.linspace(0, 2.999, 50, dtype=torch.float64)[:, None]
    np.testing.assert_allclose(basis(x, knots, 3).sum(-1).numpy(), 1, atol=1e-14)


@given(networks())
def test_evaluation_matches_the_definition(network: Network) -> None:
    x = samples(network)
    expected = reference_value(network, x)
    np.testing.assert_allclose(evaluate(network, x), expected, rtol=1e-9, atol=1e-9)


def test_wrong_number_of_inputs_is_an_error() -> None:
    with pytest.raises(DataError, match=r"\[n, 2\]"):
        evaluate(spline_network([2, 1]), np.zeros((4, 3)))


@given(networks(), st.data())
def test_expanding_preserves_output_exactly(network: Network, data: st.DataObject) -> None:
    x = samples(network)
    before = evaluate(network, x)
    for _ in range(data.draw(st.integers(1, 4))):
        if network.depth == 1 or data.draw(st.booleans()):
            level = data.draw(st.sampled_from([None, *range(network.depth + 1)]))
            network = edits.expand_depth(network, level)
            continue
        arities = data.draw(st.lists(st.integers(2, 4), min_size=1, max_size=3))
        network = edits.expand_width(
            network,
            data.draw(st.integers(1, network.depth - 1)),
            len(arities),
            sum_bool=data.draw(st.booleans()),
            mult_arity=arities,
        )
    assert np.array_equal(evaluate(network, x), before, equal_nan=True)


def test_expanding_keeps_ids_and_everything_trained() -> None:
    old = spline_network([2, 2, 1])
    new = edits.expand_width(old, 1, 2)
    assert new.levels[1][2:] == old.levels[1]
    assert new.width == [[2, 0], [4, 0], [1, 0]]
    np.testing.assert_array_equal(new.layers[0].coef[2:], old.layers[0].coef)
    np.testing.assert_array_equal(new.layers[1].coef[:, 2:], old.layers[1].coef)
    mult = edits.expand_width(old, 1, 2, sum_bool=False, mult_arity=[2, 3])
    assert mult.levels[1][:2] == old.levels[1]
    assert mult.mult_arity == [[], [2, 3], []]
    assert mult.n_edge == old.n_edge


def test_adding_a_layer_above_no_level_is_an_error() -> None:
    with pytest.raises(EditError, match="levels 0 to 1"):
        edits.expand_depth(spline_network([2, 1]), 2)


@pytest.mark.parametrize("layer", [0, 2, -1])
def test_expanding_a_level_that_is_not_hidden_is_an_error(layer: int) -> None:
    with pytest.raises(EditError, match="hidden layers 1 to 1"):
        edits.expand_width(spline_network([2, 2, 1]), layer, 1)


@pytest.mark.parametrize(("count", "arity"), [(1, 1), (2, [2]), (0, 2), (2, [2, 0])])
def test_arities_that_make_no_node_are_errors(count: int, arity: int | list[int]) -> None:
    with pytest.raises(EditError):
        edits.expand_width(spline_network([2, 2, 1]), 1, count, sum_bool=False, mult_arity=arity)


def test_new_mult_node_can_learn() -> None:
    from kanstudio.kan import KAN

    network = edits.expand_width(spline_network([2, 2, 1]), 1, 1, sum_bool=False, mult_arity=3)
    model = KAN.from_network(edits.perturb(network, "all", 0.1), dtype=torch.float64)
    model(torch.rand(100, 2, dtype=torch.float64)).square().mean().backward()
    gradient = model.layers[0].coef.grad
    assert gradient is not None and float(gradient[2:].abs().max()) > 1e-6


@given(networks(), st.integers(0, 100))
def test_non_intrusive_perturbation_never_changes_the_output(network: Network, seed: int) -> None:
    x = samples(network)
    perturbed = edits.perturb(network, "non-intrusive", 0.3, seed)
    np.testing.assert_allclose(evaluate(perturbed, x), evaluate(network, x), rtol=1e-12, atol=1e-12)


def test_second_non_intrusive_call_keeps_what_the_last_layer_learned() -> None:
    once = edits.perturb(spline_network([2, 2, 1]), "non-intrusive", 0.3)
    learned = once.layers[-1].with_arrays(scale_sp=np.full((1, 2), 0.7))
    trained = once.with_layers((once.layers[0], learned))
    again = edits.perturb(trained, "non-intrusive", 0.3)
    np.testing.assert_array_equal(again.layers[-1].scale_sp, learned.scale_sp)


@given(networks(), st.sampled_from(["all", "minimal"]), st.integers(0, 9))
def test_perturbation_is_a_function_of_its_seed(network: Network, mode: str, seed: int) -> None:
    state = torch.random.get_rng_state()
    first = edits.perturb(network, mode, 0.2, seed)  # type: ignore[arg-type]
    second = edits.perturb(network, mode, 0.2, seed)  # type: ignore[arg-type]
    assert first.same_values(second)
    assert torch.equal(torch.random.get_rng_state(), state)
    wanted = first.layers[0].spline_mask == 0.2
    assert wanted.all() if mode == "all" else (wanted >= network.layers[0].active).all()


@pytest.mark.parametrize(("mode", "mag"), [("some", 0.1), ("all", -1.0), ("all", float("nan"))])
def test_perturbation_that_makes_no_sense_is_an_error(mode: str, mag: float) -> None:
    with pytest.raises(EditError):
        edits.perturb(spline_network([2, 1]), mode, mag)  # type: ignore[arg-type]


@given(networks(), st.integers(0, 2**31))
def test_grid_update_never_gives_nan(network: Network, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 2, (40, len(network.levels[0])))
    x[:, 0] = rng.choice([0.0, 3.0, 1e-30])
    moved = update_grid_from_samples(network, x)
    for layer in moved.layers:
        assert all(np.isfinite(values).all() for _, values in layer.arrays())
        assert (np.diff(layer.knots, axis=1) > 0).all()
    assert np.isfinite(evaluate(moved, x)).all()


def test_grid_update_keeps_a_spline_that_is_inside() -> None:
    network = spline_network([1, 1], seed=3)
    x = np.linspace(-0.999, 0.999, 4000)[:, None]
    moved = update_grid_from_samples(network, x)
    np.testing.assert_allclose(evaluate(moved, x), evaluate(network, x), atol=1e-3)


def test_refining_to_a_multiple_is_exact() -> None:
    network = spline_network([2, 3, 1])
    fine, change = refine(network, 20)
    assert fine.grid == 20 and change < 1e-12
    x = samples(network)
    np.testing.assert_allclose(evaluate(fine, x), evaluate(network, x), atol=1e-11)
    with pytest.raises(EditError):
        refine(fine, 5)


def test_attribution_ignores_the_unit_of_the_output() -> None:
    network = spline_network([2, 3, 1])
    x = samples(network, 200)
    small = replace(network, layers=(network.layers[0], scaled(network.layers[1], 1e-9)))
    for a, b in zip(measure(network, x).layers, measure(small, x).layers, strict=True):
        np.testing.assert_allclose(a.backward, b.backward, rtol=1e-6)


def scaled(layer, factor: float):  # type: ignore[no-untyped-def]
    return layer.with_arrays(scale_base=layer.scale_base * factor, scale_sp=layer.scale_sp * factor)


@given(networks())
def test_curves_add_up_and_stay_finite(network: Network) -> None:
    for edge in curves(network, measure(network, samples(network)), 16):
        np.testing.assert_allclose(edge.total, edge.symbolic + edge.spline)
        assert np.isfinite(edge.total).all() and (np.diff(edge.x, axis=1) > 0).all()


@given(networks())
@settings(max_examples=20)
def test_edge_ids_lead_back_to_their_edges(network: Network) -> None:
    for layer_index, layer in enumerate(network.layers):
        for subnode, source in np.argwhere(layer.active):
            found = network.find_edge(
                network.edge_id(edits_ref(layer_index, int(source), int(subnode)))
            )
            assert found == edits_ref(layer_index, int(source), int(subnode))
    assert network.find_edge("nothing") is None


def edits_ref(layer: int, source: int, subnode: int):  # type: ignore[no-untyped-def]
    from kanstudio.network.network import EdgeRef

    return EdgeRef(layer, source, subnode)


def test_arrays_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        frozen([1.0])[0] = 2
