"""Where things stand in the picture: nothing overlaps, nothing is lost, names are readable."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kanstudio.network.build import empty_network
from kanstudio.network.edits import expand_depth, expand_width
from kanstudio.network.network import EdgeRef, Network
from kanstudio.scene.labels import level_detail, pretty_function, pretty_name
from kanstudio.scene.layout import spread
from kanstudio.scene.scene import build_scene

widths = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 4)), min_size=1, max_size=4)


def masked(network: Network, share: float, seed: int) -> Network:
    """The network with the splines of a random share of its edges switched on."""
    rng = np.random.default_rng(seed)
    layers = [
        layer.with_arrays(spline_mask=(rng.random(layer.spline_mask.shape) < share).astype(float))
        for layer in network.layers
    ]
    return network.with_layers(tuple(layers))


@st.composite
def networks(draw: st.DrawFn) -> Network:
    pairs = [(max(s, 1 - min(m, 1)), m) for s, m in draw(widths)]
    arities = [[draw(st.integers(2, 5)) for _ in range(m)] for _, m in pairs]
    network = empty_network([[draw(st.integers(1, 8)), 0], *map(list, pairs)], [[], *arities])
    return masked(network, draw(st.sampled_from([0.0, 0.3, 0.8, 1.0])), draw(st.integers(0, 99)))


def boxes(network: Network) -> list[tuple[float, float, float, float]]:
    scene = build_scene(network)
    round_things = [*scene.nodes, *scene.subnodes]
    return [(e.x, e.y, e.w, e.h) for e in scene.edges] + [
        (n.x - n.r, n.y - n.r, 2 * n.r, 2 * n.r) for n in round_things
    ]


@given(networks())
def test_no_two_cards_or_nodes_overlap(network: Network) -> None:
    x, y, w, h = np.array(boxes(network)).T
    apart = (
        (x[:, None] + w[:, None] <= x[None] + 1e-6)
        | (x[None] + w[None] <= x[:, None] + 1e-6)
        | (y[:, None] + h[:, None] <= y[None] + 1e-6)
        | (y[None] + h[None] <= y[:, None] + 1e-6)
    )
    np.fill_diagonal(apart, True)
    assert apart.all()


@given(networks())
def test_links_pass_no_card_but_their_own(network: Network) -> None:
    scene = build_scene(network)
    for edge, other in itertools.permutations(scene.edges, 2):
        if edge.link and other.link and edge.layer == other.layer:
            # Between the rows of cards a link runs straight up at its own card's middle.
            assert not other.x + 1 < edge.link[6] < other.x + other.w - 1


@given(networks())
def test_everything_lies_in_the_bounds_and_in_its_band(network: Network) -> None:
    scene = build_scene(network)
    for x, y, w, h in boxes(network):
        assert min(x, y) >= 0 and x + w <= scene.width and y + h <= scene.height
    bands = {band.level: band for band in scene.bands}
    for node in scene.nodes:
        band = bands[node.level]
        assert band.y < node.y < band.y + band.h
    for edge in scene.edges:
        band = bands[edge.layer + 1]
        assert band.y < edge.y and edge.y + edge.h < band.y + band.h
    tops = [bands[level].y for level in sorted(bands)]
    assert tops == sorted(tops, reverse=True)


@given(networks())
def test_exactly_the_active_edges_have_cards(network: Network) -> None:
    scene = build_scene(network)
    active = {
        network.edge_id(EdgeRef(layer_index, source, subnode))
        for layer_index, layer in enumerate(network.layers)
        for subnode, source in np.argwhere(layer.active).tolist()
    }
    assert {edge.id for edge in scene.edges} == active
    assert len(scene.edges) == len(active) == network.n_edge
    assert {node.id for node in scene.nodes} == {n.node_id for lv in network.levels for n in lv}
    for edge, place in zip(scene.edges, np.concatenate(scene.positions).tolist(), strict=True):
        assert network.find_edge(edge.id) == EdgeRef(edge.layer, place[1], place[0])


@given(networks())
def test_links_join_source_card_and_subnode(network: Network) -> None:
    scene = build_scene(network)
    nodes = {node.id: node for node in scene.nodes}
    subnodes = {subnode.id: subnode for subnode in scene.subnodes}
    for edge in scene.edges:
        if edge.link:
            source, target = nodes[edge.source], subnodes[f"{edge.target}.{edge.port}"]
            assert edge.link[:2] == pytest.approx((source.x, source.y - source.r))
            assert edge.link[14:] == pytest.approx((target.x, target.y + target.r))
            middle = edge.x + edge.w / 2
            assert (edge.link[6], edge.link[8]) == pytest.approx((middle, middle))


@given(networks())
def test_the_structure_is_json_and_the_same_every_time(network: Network) -> None:
    scene = build_scene(network)
    text = json.dumps(scene.structure(), allow_nan=False)
    assert json.dumps(build_scene(network).structure()) == text
    assert scene == build_scene(network)


def test_wires_of_a_matrix_block_do_not_cross() -> None:
    scene = build_scene(masked(empty_network([9, 9]), 1.0, 0))
    rows = [wire for wire in scene.wires if wire.kind == "row"]
    segments = [
        (wire.node, *sorted([points[i : i + 2], points[i + 2 : i + 4]]))
        for wire in rows
        for points in [wire.points]
        for i in range(0, len(points) - 2, 2)
    ]
    assert len(rows) == 9
    for (a, a0, a1), (b, b0, b1) in itertools.permutations(segments, 2):
        if a != b and a0[1] == a1[1] and b0[0] == b1[0]:
            assert not (a0[0] < b0[0] < a1[0] and b0[1] < a0[1] < b1[1])


def test_layers_with_many_edges_become_blocks_of_rows_and_columns() -> None:
    scene = build_scene(masked(empty_network([10, 10, 2]), 1.0, 0))
    assert [matrix.layer for matrix in scene.matrices] == [0]
    block = [edge for edge in scene.edges if edge.layer == 0]
    assert len({edge.x for edge in block}) == len({edge.y for edge in block}) == 10
    assert all(not edge.link for edge in block)
    assert all(edge.link for edge in scene.edges if edge.layer == 1)


def test_crossings_are_few_where_the_order_of_nodes_allows_none() -> None:
    network = empty_network([6, 6])
    layer = network.layers[0].with_arrays(spline_mask=np.eye(6))
    scene = build_scene(network.with_layers((layer,)))
    assert all(edge.link[0] == edge.link[8] == edge.link[14] for edge in scene.edges)


def test_ids_of_nodes_and_edges_survive_edits() -> None:
    network = masked(empty_network([3, 2, 1]), 1.0, 0)
    before = build_scene(network)
    after = build_scene(expand_width(expand_depth(network), 1, 2))
    assert {node.id for node in before.nodes} <= {node.id for node in after.nodes}
    assert {edge.id for edge in before.edges} <= {edge.id for edge in after.edges}
    assert before.key != after.key


@given(
    st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=12).map(sorted),
    st.floats(1, 50),
)
def test_spread_keeps_distance_order_and_limits(wanted: list[float], pitch: float) -> None:
    low, high = -600.0, 600.0 + 12 * pitch
    placed = spread(np.array(wanted), pitch, low, high)
    assert (np.diff(placed) >= pitch - 1e-9).all()
    assert placed[0] >= low - 1e-9 and placed[-1] <= high + 1e-9
    if (np.diff(wanted) >= pitch).all() and wanted[0] >= low and wanted[-1] <= high:
        assert placed == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("name", "pretty"),
    [
        ("omega_0", "ω₀"), ("x_1", "x₁"), ("theta1", "θ₁"), ("x", "x"), ("lambda", "λ"),
        ("Omega_12", "Ω₁₂"), ("x_max", "xₘₐₓ"), ("mass", "mass"), ("x_y", "x_y"),
        ("E_n", "Eₙ"), ("<b>", "<b>"), ("a" * 40, "a" * 17 + "…"), ("v_b", "v_b"),
    ],
)  # fmt: skip
def test_names_are_pretty_where_unicode_has_them(name: str, pretty: str) -> None:
    assert pretty_name(name) == pretty


@pytest.mark.parametrize(
    ("name", "pretty"),
    [("x^2", "x²"), ("1/x^3", "1/x³"), ("x^0.5", "√x"), ("x^12", "x¹²"), ("sin", "sin")],
)
def test_functions_are_pretty(name: str, pretty: str) -> None:
    assert pretty_function(name) == pretty


def test_bands_say_what_their_level_holds() -> None:
    network = empty_network([[3, 0], [1, 3], [1, 0]], [[], [3, 2, 3], []])
    assert level_detail(network, 1) == "1 sum · 3 mult (3, 2, 3)"
    titles = [(band.title, band.name) for band in build_scene(network).bands]
    assert titles == [
        ("Inputs", "Layer 0, inputs"),
        ("Layer 1", "Layer 1"),
        ("Output", "Layer 2, output"),
    ]


def test_in_vars_and_out_vars_rename_the_picture_only() -> None:
    network = masked(empty_network([2, 1]), 1.0, 0)
    scene = build_scene(network, in_vars=["alpha"], out_vars=["omega"])
    assert [node.label for node in scene.nodes] == ["α", "x₂", "ω"]
    assert scene.edges[0].name == "α → ω"
    assert network.input_names == ("x1", "x2")


def test_a_long_sum_is_broad_and_not_high() -> None:
    """Each term has a node of its own: a matrix of one column would be as high as it has terms."""
    network = empty_network([[1, 0], [119, 0], [1, 0]])
    scene = build_scene(masked(network, 1.0, 0))
    assert len(scene.edges) == 2 * 119
    assert scene.width > 3 * scene.height
