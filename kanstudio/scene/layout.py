"""Where the nodes of a network stand: columns first, then rows.

World coordinates are CSS pixels at zoom 1; y grows downwards, so that outputs have
the smallest y. The same network always gets the same picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np

from kanstudio.network.network import FloatArray, Network

CARD = 44.0
"""Side of an edge's card."""
CARD_GAP = 12.0
LINK_ROOM = 10.0
"""What a link needs to pass between two cards of a lower row."""
CELL_W, CELL_H, CELL_GAP = 48.0, 34.0, 6.0
MAX_CELL_W = 84.0
"""Cells of a matrix block widen up to this where the picture is higher than wide."""
NODE_R, MULT_R, SUBNODE_R = 6.5, 11.0, 9.0
SUBNODE_PITCH = 34.0
NODE_PITCH = 44.0
COMFORT = 170.0
MATRIX_FROM = 51
"""Layers with at least so many active edges are drawn as a matrix block, if they are dense."""
MAX_CARDS = 400
"""So many edges of a sparse layer are still drawn as cards."""
MAX_BUS = 24
"""Matrices with more rows name their sources, but draw no wires to them."""
BUS_PITCH = 5.0
ASPECT = 1.65
MAX_ROWS = 3


@dataclass(frozen=True)
class LayerPlan:
    """How one layer is drawn.

    edges (E, 2): position (subnode, source) of every active edge, in drawing order.
    rows: number of staggered rows of cards; 0 for a matrix block.
    """

    edges: np.ndarray
    rows: int

    @property
    def is_matrix(self) -> bool:
        return self.rows == 0

    @property
    def pitch(self) -> float:
        """Least distance between the centres of two neighbouring cards."""
        return (CARD + CARD_GAP + (self.rows - 1) * LINK_ROOM) / self.rows


@dataclass(frozen=True)
class Columns:
    """All x positions: nodes and subnodes per level, card centres per layer; cell widths."""

    width: float
    cell: float
    plans: tuple[LayerPlan, ...]
    nodes: tuple[FloatArray, ...]
    subnodes: tuple[FloatArray, ...]
    cards: tuple[FloatArray, ...]
    matrix_columns: tuple[FloatArray, ...]


def spread(wanted: FloatArray, pitch: float, low: float, high: float) -> FloatArray:
    """Positions at least ``pitch`` apart, in [low, high], nearest to the wanted ones.

    wanted (n,) must not decrease. Least squares by pooling adjacent violators
    (Ayer et al. 1955): the gaps' lower bound becomes monotony of wanted - i * pitch.
    """
    steps = np.arange(len(wanted)) * pitch
    pools: list[tuple[float, int]] = []
    for value in wanted - steps:
        total, count = float(value), 1
        while pools and pools[-1][0] / pools[-1][1] > total / count:
            before = pools.pop()
            total, count = total + before[0], count + before[1]
        pools.append((total, count))
    level = np.repeat([t / c for t, c in pools], [c for _, c in pools]) if pools else steps
    last = steps[-1] if len(steps) else 0.0
    placed: FloatArray = np.clip(level, low, max(low, high - last)) + steps
    return placed


def place_columns(
    network: Network, max_rows: int, height: float, matrix_from: int = MATRIX_FROM
) -> Columns:
    """The columns for a picture of about the given height; at most max_rows rows of cards."""
    plans = _plan(network, max_rows, matrix_from)
    cell = _cell_width(network, plans, height)
    width = _total_width(network, plans, cell, height)
    return _columns(network, plans, width, cell)


def _plan(network: Network, max_rows: int, matrix_from: int) -> tuple[LayerPlan, ...]:
    floor = max(_level_width(network, level) for level in range(len(network.levels)))
    limit = max(
        [floor, 0.0]
        + [
            n * LayerPlan(np.empty((n, 2)), max_rows).pitch
            for n in (int(layer.active.sum()) for layer in network.layers)
            if n < matrix_from
        ]
    )
    plans = []
    for index, layer in enumerate(network.layers):
        edges = np.argwhere(layer.active)
        # A long sum has nodes enough to stand beside: as a matrix it would be one high column.
        room = max(_level_width(network, level) for level in (index, index + 1))
        sparse = len(edges) <= MAX_CARDS and len(edges) * LayerPlan(edges, max_rows).pitch <= room
        if len(edges) >= matrix_from and not sparse:
            plans.append(LayerPlan(edges, 0))
            continue
        fits = (r for r in range(1, max_rows) if len(edges) * LayerPlan(edges, r).pitch <= limit)
        plans.append(LayerPlan(edges, next(fits, max_rows)))
    return tuple(plans)


def _group_widths(network: Network, level: int) -> FloatArray:
    return np.array(
        [max(NODE_PITCH, node.arity * SUBNODE_PITCH + 10) for node in network.levels[level]]
    )


def _level_width(network: Network, level: int) -> float:
    return float(_group_widths(network, level).sum())


def matrix_columns(network: Network, layer: int, cell: float) -> FloatArray:
    """Centres of a matrix block's columns about 0; the ports of one node stand close."""
    gaps = [
        cell + CELL_GAP + (CELL_GAP if port == 0 and i and node.is_mult else 0)
        for i, (node, port) in enumerate(network.subnode_owner(layer + 1))
    ]
    centres = np.cumsum(gaps) - gaps[0]
    return np.asarray(centres - centres[-1] / 2, dtype=np.float64)


def block_width(network: Network, layer: int, cell: float) -> float:
    """Width of a layer's matrix block, without its wires."""
    columns = matrix_columns(network, layer, cell)
    return float(columns[-1] - columns[0] + cell)


def bus_width(network: Network, layer: int) -> float:
    """What the wires and row labels of a matrix block need at its left."""
    n = len(network.levels[layer])
    return 70.0 + (BUS_PITCH * n if n <= MAX_BUS else 0.0)


def _cell_width(network: Network, plans: tuple[LayerPlan, ...], height: float) -> float:
    cell = MAX_CELL_W
    for layer, plan in enumerate(plans):
        if plan.is_matrix:
            n = sum(node.arity for node in network.levels[layer + 1])
            room = ASPECT * height - 2 * bus_width(network, layer)
            cell = min(cell, room / n - CELL_GAP)
    return max(CELL_W, cell)


def _total_width(
    network: Network, plans: tuple[LayerPlan, ...], cell: float, height: float
) -> float:
    """The content's width: never less than needed, more where the screen has room."""
    needed, comfort = 0.0, 0.0
    for level in range(len(network.levels)):
        groups = _group_widths(network, level)
        needed = max(needed, float(groups.sum()))
        roomy = np.maximum(groups, min(COMFORT, 1100 / len(groups)))
        comfort = max(comfort, float(roomy.sum()))
    for index, plan in enumerate(plans):
        if plan.is_matrix:
            width = block_width(network, index, cell) + 2 * bus_width(network, index)
            needed = max(needed, width)
        else:
            needed = max(needed, len(plan.edges) * plan.pitch + CARD_GAP)
            comfort = max(comfort, len(plan.edges) * plan.pitch * 1.4)
    # A tall picture has room at its sides: let it breathe.
    return max(needed, min(max(comfort, 0.75 * ASPECT * height), 1.9 * comfort, ASPECT * height))


def _columns(network: Network, plans: tuple[LayerPlan, ...], width: float, cell: float) -> Columns:
    nodes, subnodes, matrices = [], [], []
    for level in range(len(network.levels)):
        below = plans[level - 1] if level else None
        above = plans[level] if level < network.depth else None
        if below is not None and below.is_matrix:
            columns = matrix_columns(network, level - 1, cell) + width / 2
            matrices.append(columns)
            nodes.append(_means(network, level, columns))
            subnodes.append(columns)
            continue
        if level:
            matrices.append(np.empty(0))
        groups = _group_widths(network, level)
        room = width
        if above is not None and above.is_matrix:
            # Sources of a matrix stand under it, not all over the screen.
            room = min(width, max(float(groups.sum()), block_width(network, level, cell)))
        slots = groups + max(0.0, room - float(groups.sum())) / len(groups)
        centres = np.cumsum(slots) - slots / 2 + (width - float(slots.sum())) / 2
        nodes.append(centres)
        subnodes.append(_fan(network, level, centres, slots))
    cards = tuple(_cards(plan, nodes[i], subnodes[i + 1], width) for i, plan in enumerate(plans))
    ordered, placed = zip(*cards, strict=True)
    return Columns(width, cell, ordered, tuple(nodes), tuple(subnodes), placed, tuple(matrices))


def _means(network: Network, level: int, subnodes: FloatArray) -> FloatArray:
    """Each node above the middle of its own subnodes."""
    ends = np.cumsum([node.arity for node in network.levels[level]])
    return np.array([part.mean() for part in np.split(subnodes, ends[:-1])])


def _fan(network: Network, level: int, centres: FloatArray, slots: FloatArray) -> FloatArray:
    """The subnodes of every node, evenly about the node; empty at the inputs."""
    if level == 0:
        return np.empty(0)
    places: list[float] = []
    for node, centre, slot in zip(network.levels[level], centres, slots, strict=True):
        step = min(64.0, (slot - 10) / node.arity)
        places += [centre + (port - (node.arity - 1) / 2) * step for port in range(node.arity)]
    return np.array(places)


def _cards(
    plan: LayerPlan, sources: FloatArray, subnodes: FloatArray, width: float
) -> tuple[LayerPlan, FloatArray]:
    """The plan with its edges from left to right, and the centres of their cards."""
    if plan.is_matrix or not len(plan.edges):
        return plan, np.empty(0)
    target, source = plan.edges[:, 0], plan.edges[:, 1]
    wanted = (sources[source] + subnodes[target]) / 2
    # Sorting by source plus target keeps links that need not cross from crossing.
    order = np.lexsort((target, source, np.round(wanted, 6)))
    n = len(order)
    roomy = sqrt(1.0 + max(0.0, (width - CARD_GAP) / (n * plan.pitch) - 1.0))
    pitch = plan.pitch * min(1.6, roomy) if plan.rows == 1 else plan.pitch
    half = CARD / 2
    placed = spread(wanted[order], pitch, half, width - half)
    return LayerPlan(plan.edges[order], plan.rows), placed
