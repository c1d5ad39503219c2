"""The cards of the last two steps: prune what hardly matters, fix splines as functions."""

from __future__ import annotations

from typing import Any, get_args

from kanstudio.app.component import Message, Part, script
from kanstudio.app.present import small
from kanstudio.app.session import Selection, Session, Topic
from kanstudio.app.simplifier import Card, Library, Looks, Prospect, Simplifier
from kanstudio.editor.simplify import n_edges
from kanstudio.scene.labels import edge_name, pretty_function
from kanstudio.snapping.suggest import Suggestion

CARDS: tuple[Card, ...] = get_args(Card)
LIBRARIES: tuple[Library, ...] = get_args(Library)
WAIT = "The network is in training: stop it first, then look at what it has become."


class SimplifyCard(Part):
    """Opens above the inspector; shows what would happen before it does."""

    _esm = script("simplify.js")

    def __init__(self, session: Session, simplifier: Simplifier, **params: Any) -> None:
        super().__init__(**params)
        self._session = session
        self._simplifier = simplifier
        self._opened = 0
        self.actions = {
            "close": lambda _: self.close(),
            "thresholds": self._take_thresholds,
            "r2": self._take_r2,
            "library": self._take_library,
            "select": self._select,
            "apply": lambda _: self._apply(),
        }
        session.listen(self._update)

    def open(self, card: Card) -> None:
        self._opened += 1
        self._simplifier.open(card)
        self.put(opened=self._opened, kind=card, wrong="")
        self._show()

    def close(self) -> None:
        self._simplifier.open("")
        self.put(kind="")

    def _update(self, topics: frozenset[Topic]) -> None:
        if self._simplifier.card and topics & {"aside", "document", "run"}:
            self._show()

    def _show(self) -> None:
        simplifier = self._simplifier
        self.put(
            note=WAIT if simplifier.moving else "",
            prune=self._prune_state() if simplifier.card == "prune" else None,
            symbolify=self._symbolify_state() if simplifier.card == "symbolify" else None,
        )

    def _prune_state(self) -> dict[str, Any]:
        simplifier, network = self._simplifier, self._session.document.network
        prospect = simplifier.prospect
        hidden = sum(len(level) for level in network.levels[1:-1])
        return {
            "edge": simplifier.edge_threshold,
            "node": simplifier.node_threshold,
            "facts": _facts(prospect, n_edges(network), hidden) if prospect else None,
            "error": prospect.error if prospect else "",
            "ready": prospect is not None and prospect.n_edges > 0,
        }

    def _symbolify_state(self) -> dict[str, Any]:
        simplifier, network = self._simplifier, self._session.document.network
        looks, good = simplifier.all, {edge for edge, _ in simplifier.good()}
        rows = [
            {"id": network.edge_id(edge), "edge": edge_name(network, edge), "good": edge in good}
            | (guess(found[0]) if found else {"function": "nothing fits", "r2": "–", "c": ""})
            for edge, found in (looks.rows if looks else ())
        ]
        return {
            "r2": simplifier.r2_threshold,
            "library": simplifier.library,
            "rows": rows,
            "note": _progress(looks),
            "error": looks.error if looks else "",
            "count": len(good),
        }

    def _take_thresholds(self, message: Message) -> None:
        edge, node = message.number("edge"), message.number("node")
        for name, value in (("edge", edge), ("node", node)):
            if value is None or value < 0:
                self.put(wrong=name)
                return
        assert edge is not None and node is not None
        self.put(wrong="")
        self._simplifier.edge_threshold, self._simplifier.node_threshold = edge, node
        self._simplifier.open("prune")

    def _take_r2(self, message: Message) -> None:
        value = message.number("value")
        if value is None or value > 1:
            self.put(wrong="r2")
            return
        self.put(wrong="")
        self._simplifier.r2_threshold = value
        self._show()

    def _take_library(self, message: Message) -> None:
        self._simplifier.library = message.choice("name", LIBRARIES)
        self._simplifier.open("symbolify")

    def _select(self, message: Message) -> None:
        self._session.select(Selection("edge", message.text("edge", 100)))

    def _apply(self) -> None:
        """Do what the card shows, and close it."""
        simplifier = self._simplifier
        card = simplifier.card
        if card == "prune":
            simplifier.prune()
        elif card == "symbolify":
            simplifier.symbolify()
        self.close()


def guess(row: Suggestion) -> dict[str, str]:
    """A suggestion as the page shows it."""
    name = "constant" if row.name == "0" else pretty_function(row.name)
    # 1.0000 only where nothing is missing.
    r2 = f"{row.r2:.5f}" if row.r2 < 0.99999 else "1" if row.r2 == 1 else f"1 − {1 - row.r2:.0e}"
    return {"key": row.name, "function": name, "r2": r2, "c": str(row.complexity)}


def _progress(looks: Looks | None) -> str:
    """How far the search is; "" at its end."""
    if looks is None or looks.error:
        return ""
    total = len(looks.rows) + looks.left
    if not total:
        return "There is no spline left."
    return f"Looked at {len(looks.rows):,} of {total:,} edges …" if looks.left else ""


def _facts(prospect: Prospect, edges: int, hidden: int) -> list[tuple[str, str]]:
    facts = [
        ("Edges", f"{prospect.n_edges:,} of {edges:,} go"),
        ("Hidden nodes", f"{prospect.n_nodes:,} of {hidden:,} go"),
    ]
    if prospect.n_edges:
        facts += [
            ("Output changes by up to", small(prospect.change)),
            ("Test RMSE", f"{small(prospect.before)} → {small(prospect.after)}"),
        ]
    return facts
