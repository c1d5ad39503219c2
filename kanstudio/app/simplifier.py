"""What could be pruned, and what edges look like, worked out while nobody waits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from kanstudio.app.aside import Aside
from kanstudio.app.present import plural, root_mean_square
from kanstudio.app.session import Session, Topic
from kanstudio.editor.commands import output_change
from kanstudio.editor.document import Document
from kanstudio.editor.simplify import (
    Fix,
    FixEdges,
    Prune,
    edge_ids,
    n_edges,
    pruned,
    samples,
)
from kanstudio.errors import KanStudioError
from kanstudio.network.forward import evaluate
from kanstudio.network.network import EdgeRef, Network
from kanstudio.network.prune import EDGE_THRESHOLD, NODE_THRESHOLD
from kanstudio.scene.labels import edge_name, pretty_function
from kanstudio.snapping.suggest import Suggestion, suggestions

Card = Literal["", "prune", "symbolify"]
Library = Literal["common", "all"]
R2_THRESHOLD = 0.99
TOP = 5
REST_S = 0.25
AT_ONCE = 16
"""So many edges are looked at in one go: the page shows how far it is."""


@dataclass(frozen=True)
class Look:
    """Question: what do these edges look like?"""

    document: Document
    edges: tuple[EdgeRef, ...]
    library: Library = "common"


@dataclass(frozen=True)
class Looks:
    """Answer: per edge the best guesses first; error: why there is none.

    left: edges that are still to be looked at.
    """

    rows: tuple[tuple[EdgeRef, tuple[Suggestion, ...]], ...] = ()
    error: str = ""
    left: int = 0


@dataclass(frozen=True)
class Cut:
    """Question: what would be left with these thresholds?"""

    document: Document
    node: float
    edge: float


@dataclass(frozen=True)
class Prospect:
    """Answer: what goes, in numbers; gone: the ids of the edges.

    change: of the output, at most; before, after: loss on the test samples.
    """

    n_edges: int = 0
    n_nodes: int = 0
    gone: frozenset[str] = frozenset()
    change: float | None = None
    before: float | None = None
    after: float | None = None
    error: str = ""


def look(key: Look) -> Looks:
    """What the edges look like."""
    library = "all" if key.library == "all" else None
    try:
        found = suggestions(key.document.network, samples(key.document), key.edges, library)
    except KanStudioError as error:
        return Looks(error=str(error))
    return Looks(tuple(zip(key.edges, (rows[:TOP] for rows in found), strict=True)))


def cut(key: Cut) -> Prospect:
    """What pruning would do."""
    document = key.document
    old = document.network
    try:
        new = pruned(document, old, key.node, key.edge)
    except KanStudioError as error:
        return Prospect(error=str(error))
    after = replace(document, network=new, unperturbed=None)
    return Prospect(
        n_edges=n_edges(old) - n_edges(new),
        n_nodes=sum(map(len, old.levels)) - sum(map(len, new.levels)),
        gone=frozenset(edge_ids(old)) - frozenset(edge_ids(new)),
        change=output_change(document, after),
        before=_test_loss(document, old),
        after=_test_loss(document, new),
    )


def _test_loss(document: Document, network: Network) -> float | None:
    return root_mean_square(document, evaluate(network, document.dataset.test_x), test=True)


def spline_edges(network: Network) -> tuple[EdgeRef, ...]:
    """All edges with a spline, from the inputs up."""
    return tuple(
        EdgeRef(index, int(source), int(subnode))
        for index, layer in enumerate(network.layers)
        for subnode, source in np.argwhere(layer.spline_active)
    )


def _same_look(one: Look, other: Look) -> bool:
    same = one.document.network is other.document.network
    return same and (one.edges, one.library) == (other.edges, other.library)


def _same_cut(one: Cut, other: Cut) -> bool:
    same = one.document.network is other.document.network
    return same and (one.node, one.edge) == (other.node, other.edge)


class Simplifier:
    """Follows the selection and the open card; what it finds is told as "aside".

    While a run moves the network nothing is looked for: it would be out of date at once.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.card: Card = ""
        self.node_threshold, self.edge_threshold = NODE_THRESHOLD, EDGE_THRESHOLD
        self.r2_threshold = R2_THRESHOLD
        self.library: Library = "common"
        self._one = Aside(look, self._tell, same=_same_look, lane="slow")
        self._all = Aside(look, self._take, same=_same_look, lane="slow")
        self._whole: tuple[Look, Looks] | None = None
        self._cut = Aside(cut, self._show_cut, same=_same_cut, rest_s=REST_S, lane="slow")
        session.listen(self._update)

    @property
    def moving(self) -> bool:
        return self._session.running

    @property
    def one(self) -> Looks | None:
        """What the selected edge looks like; None while it is not known."""
        return self._one.value

    @property
    def all(self) -> Looks | None:
        """What all edges with splines look like, with the symbolify card open.

        None while nothing is known; for a time it is known of some edges only.
        """
        return None if self._whole is None else self._whole[1]

    @property
    def prospect(self) -> Prospect | None:
        """What would be pruned, with the prune card open."""
        return self._cut.value

    def has_spline(self) -> bool:
        """Whether the selected edge has a spline, so that it may look like something."""
        edge = self._session.selected_edge()
        if edge is None:
            return False
        layer = self._session.network.layers[edge.layer]
        return bool(layer.spline_active[edge.subnode, edge.source])

    def open(self, card: Card) -> None:
        """This card is open from now on."""
        self.card = card
        self._want()
        self._show_cut()

    def fix_selected(self, function: str) -> None:
        """Make the selected edge one of the functions that it looks like."""
        found = self.one.rows if self.one else ()
        for edge, rows in found:
            for row in rows:
                if row.name == function:
                    self._do(FixEdges((self._fix(edge, row),), self._words(edge, row)))
                    return

    def good(self) -> tuple[tuple[EdgeRef, Suggestion], ...]:
        """The edges that would be fixed, with the best guess for each."""
        found = self.all.rows if self.all and not self.all.left else ()
        best = ((edge, rows[0]) for edge, rows in found if rows)
        return tuple((edge, row) for edge, row in best if row.r2 >= self.r2_threshold)

    def symbolify(self) -> None:
        """Fix all edges that look enough like a function."""
        good = self.good()
        what = plural(len(good), "edge")
        self._do(FixEdges(tuple(self._fix(edge, row) for edge, row in good), what))

    def prune(self) -> None:
        """Prune as the card shows it."""
        prospect = self.prospect
        if prospect is None:
            return
        what = plural(prospect.n_edges, "edge")
        if prospect.n_nodes:
            what += f", {plural(prospect.n_nodes, 'node')}"
        self._do(Prune(self.node_threshold, self.edge_threshold, what))

    def _do(self, command: FixEdges | Prune) -> None:
        self._session.do(command)

    def _fix(self, edge: EdgeRef, row: Suggestion) -> Fix:
        return Fix(self._session.network.edge_id(edge), row.name, row.affine)

    def _words(self, edge: EdgeRef, row: Suggestion) -> str:
        network = self._session.network
        return f"{edge_name(network, edge)} as {pretty_function(row.name)}"

    def _update(self, topics: frozenset[Topic]) -> None:
        if topics & {"document", "selection", "run"}:
            self._want()

    def _want(self) -> None:
        session = self._session
        document, still = session.document, not self.moving
        edge = session.selected_edge()
        wanted = still and edge is not None and self.has_spline()
        self._one.want(Look(document, (edge,)) if wanted and edge is not None else None)
        self._want_all(document if still and self.card == "symbolify" else None)
        pruning = still and self.card == "prune"
        self._cut.want(Cut(document, self.node_threshold, self.edge_threshold) if pruning else None)

    def _want_all(self, document: Document | None) -> None:
        """Look at all edges with splines, some at a time; None: at none."""
        if document is None:
            self._whole = None
            self._all.want(None)
            return
        whole = Look(document, spline_edges(document.network), self.library)
        if self._whole is None or not _same_look(self._whole[0], whole):
            self._whole = whole, Looks(left=len(whole.edges))
        self._want_more()

    def _want_more(self) -> None:
        assert self._whole is not None
        whole, known = self._whole
        start = len(known.rows)
        some = replace(whole, edges=whole.edges[start : start + AT_ONCE])
        self._all.want(some if known.left and not known.error else None)

    def _take(self) -> None:
        """The next edges have been looked at."""
        found = self._all.value
        if found is None or self._whole is None:
            return
        whole, known = self._whole
        rows = (*known.rows, *found.rows)
        left = len(whole.edges) - len(rows)
        self._whole = whole, Looks(rows, found.error, left)
        self._want_more()
        self._tell()

    def _show_cut(self) -> None:
        """What would go fades on the canvas."""
        prospect = self.prospect
        self._session.fade(prospect.gone if prospect else frozenset())
        self._tell()

    def _tell(self) -> None:
        self._session.tell("aside")

    def tick(self) -> None:
        """Take up what was worked out; called many times a second."""
        for aside in (self._one, self._all, self._cut):
            aside.tick()

    def close(self) -> None:
        """Nobody asks any more."""
        for aside in (self._one, self._all, self._cut):
            aside.close()
