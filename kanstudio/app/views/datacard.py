"""Where the samples come from: the formula, or columns of a file."""

from __future__ import annotations

import base64
import binascii
import math
from dataclasses import dataclass, field
from typing import Any

from kanstudio.app.bounds import change_of_ranges, read_range, spelled
from kanstudio.app.component import BadMessage, Message, Part, script
from kanstudio.app.present import left_out, plural
from kanstudio.app.session import Session, Topic
from kanstudio.editor.commands import OpenModel, SetData, UseTable
from kanstudio.editor.document import Document, Range
from kanstudio.editor.model_file import read_model
from kanstudio.errors import DataError, KanStudioError
from kanstudio.training.data import FormulaData, table_dataset
from kanstudio.training.table import Table, read_table

MAX_UPLOAD = 32 * 2**20
MAX_PIECE = 700_000
MAX_SAMPLES = 200_000
MODEL_SUFFIX = ".safetensors"


@dataclass
class Upload:
    """A file on its way, in pieces."""

    name: str
    size: int
    content: bytearray = field(default_factory=bytearray)


class DataCard(Part):
    """Draw samples of the formula, or read a table and choose its columns."""

    _esm = script("datacard.js")

    def __init__(self, session: Session, **params: Any) -> None:
        super().__init__(**params)
        self._session = session
        self._upload: Upload | None = None
        self._table: Table | None = None
        self._opened = self._closed = 0
        self.actions = {"draw": self._draw, "piece": self._piece, "table": self._use}
        session.listen(self._update)
        self._update(frozenset({"document"}))
        self.put(limit=MAX_UPLOAD)

    def open(self, kind: str, x: float | None, y: float | None) -> None:
        self._opened += 1
        where = {"x": 360.0 if x is None else x, "y": 10_000.0 if y is None else y}
        self.put(open={"count": self._opened, "kind": kind, **where}, error="")

    def _close(self) -> None:
        self._closed += 1
        self.put(closed=str(self._closed), error="")

    def _update(self, topics: frozenset[Topic]) -> None:
        if "document" not in topics:
            return
        document = self._session.document
        names = document.network.input_names
        spec = document.source or FormulaData(())
        self.put(
            hasFormula=document.formula is not None,
            ranges=[
                [name, spelled(low), spelled(high)]
                for name, (low, high) in zip(names, ranges_of(document), strict=True)
            ],
            outside="" if document.table_name else left_out(document),
            wrong=-1,
            spec={
                "n_train": spec.n_train,
                "n_test": spec.n_test,
                "noise": spec.noise,
                "seed": spec.seed,
            },
            inputs=list(names),
            outputs=list(document.network.output_names),
        )

    def _draw(self, message: Message) -> None:
        document = self._session.document
        names = document.network.input_names
        try:
            ranges = self._ranges(message, names)
            if ranges is not None:
                change = change_of_ranges(names, ranges_of(document), ranges)
                self._do(SetData(self._spec(message, ranges), change))
        except KanStudioError as error:
            self.put(error=str(error))

    def _ranges(self, message: Message, names: tuple[str, ...]) -> tuple[Range, ...] | None:
        """The ranges in the fields; None after saying which of them is wrong."""
        lows, highs = message.texts("lows"), message.texts("highs")
        if not len(lows) == len(highs) == len(names):
            raise BadMessage("a range for each input")
        ranges: list[Range] = []
        for name, low, high in zip(names, lows, highs, strict=True):
            try:
                ranges.append(read_range(name, low, high))
            except DataError as error:
                self.put(error=str(error), wrong=len(ranges))
                return None
        self.put(error="", wrong=-1)
        return tuple(ranges)

    def _spec(self, message: Message, ranges: tuple[Range, ...]) -> FormulaData:
        sizes = {}
        for key, words in (("n_train", "Training samples"), ("n_test", "Test samples")):
            value = message.whole(key)
            if value is None or not 1 <= value <= MAX_SAMPLES:
                raise DataError(f"{words} is a whole number from 1 to {MAX_SAMPLES:,}")
            sizes[key] = value
        noise, seed = message.number("noise"), message.whole("seed")
        if noise is None or not 0 <= noise <= 100 or not math.isfinite(noise):
            raise DataError("Noise is a number from 0 to 100, in units of the output's deviation")
        if seed is None or seed < 0:
            raise DataError("Seed is a whole number of at least 0")
        return FormulaData(ranges, **sizes, noise=noise, seed=seed)

    def _piece(self, message: Message) -> None:
        size, at = message.whole("size"), message.whole("at")
        if size is None or at is None or not 0 <= size <= MAX_UPLOAD:
            raise BadMessage("no size of a file")
        if at == 0:
            self._upload = Upload(message.text("name", 300), size)
        upload = self._upload
        if upload is None or len(upload.content) != at:
            raise BadMessage("a piece is missing")
        try:
            piece = base64.b64decode(message.text("base64", MAX_PIECE * 2), validate=True)
        except binascii.Error as error:
            raise BadMessage("no base64") from error
        upload.content += piece
        if len(upload.content) > upload.size:
            self._upload = None
            raise BadMessage("more bytes than announced")
        if len(upload.content) == upload.size:
            self._upload = None
            self._read(upload)

    def _read(self, upload: Upload) -> None:
        if upload.name.lower().endswith(MODEL_SUFFIX):
            self._open_model(upload)
            return
        try:
            table = read_table(bytes(upload.content), upload.name)
        except KanStudioError as error:
            self.put(error=str(error), table=None)
            self._table = None
            return
        self._table = table
        rows, columns = plural(table.n_rows, "row"), plural(len(table.names), "column")
        about = f"{table.filename}: {rows}, {columns} of numbers"
        if table.skipped:
            about += f"; not numbers: {', '.join(table.skipped[:6])}"
        self.put(error="", table={"about": about, "columns": list(table.names)})

    def _open_model(self, upload: Upload) -> None:
        try:
            document = read_model(bytes(upload.content))
        except KanStudioError as error:
            self.put(error=f"{upload.name[:80]}: {error}")
            return
        self._do(OpenModel(upload.name[:80], document))

    def _use(self, message: Message) -> None:
        if self._table is None:
            return
        fraction, seed = message.number("test_fraction"), message.whole("seed")
        try:
            if fraction is None or seed is None:
                raise DataError("The share for testing is a number, the seed a whole one")
            dataset = table_dataset(
                self._table, message.texts("inputs"), message.texts("outputs"), fraction, seed
            )
            self._do(UseTable(self._table.filename, dataset))
        except KanStudioError as error:
            self.put(error=str(error))

    def _do(self, command: SetData | UseTable | OpenModel) -> None:
        error = self._session.do(command)
        if error is None:
            self._close()
        else:
            self.put(error=str(error))


def ranges_of(document: Document) -> tuple[Range, ...]:
    """The ranges that the samples come from; of a file, those that its columns span."""
    if document.source is not None and len(document.source.ranges) == document.dataset.n_inputs:
        return document.source.ranges
    x = document.dataset.train_x
    columns = zip(x.min(axis=0), x.max(axis=0), strict=True)
    # A file's numbers have no end of digits; a range needs few, and a width.
    rough = [(float(f"{low:.3g}"), float(f"{high:.3g}")) for low, high in columns]
    return tuple((low, high if low < high else low + 1) for low, high in rough)
