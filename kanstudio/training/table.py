"""Tables of numbers from CSV and Parquet files that nobody vouches for.

Rows, columns and bytes are bounded before any parser sees the content, and content
is always bytes: a text handed to pandas could be a path.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kanstudio.errors import DataError
from kanstudio.network.network import FloatArray, frozen

MAX_BYTES = 64 * 2**20
MAX_ROWS = 1_000_000
MAX_COLUMNS = 1_000
MAX_CELLS = 10_000_000
MAX_NAME = 200

_DELIMITERS = ",;\t"


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of finite numbers.

    names: the columns that hold numbers, in the order of the file.
    values (n_rows, len(names)): read-only float64.
    skipped: names of the columns that hold no number at all.
    """

    filename: str
    names: tuple[str, ...]
    values: FloatArray
    skipped: tuple[str, ...] = field(default=())

    @property
    def n_rows(self) -> int:
        return int(self.values.shape[0])

    def column(self, name: str) -> FloatArray:
        """The values of one column, shape (n_rows,)."""
        if name in self.skipped:
            raise DataError(f"column {name!r} of {self.filename} holds no numbers")
        if name not in self.names:
            known = ", ".join(self.names[:20])
            raise DataError(f"{self.filename} has no column {name!r}; it has {known}")
        column: FloatArray = self.values[:, self.names.index(name)]
        return column


def read_table(content: bytes, filename: str) -> Table:
    """Read a CSV or a Parquet file, chosen by its content and the end of its name.

    CSV: UTF-8; comma, semicolon or tab; a first row that holds only numbers is data.
    Raises DataError with line and column name for the first cell that is missing, not a
    number or not finite, and for everything that is too large.
    """
    if not isinstance(content, bytes | bytearray | memoryview):
        raise DataError("the content of a table must be bytes")
    content = bytes(content)
    if len(content) > MAX_BYTES:
        raise DataError(
            f"{filename} has {len(content) / 2**20:.0f} MiB; at most {MAX_BYTES >> 20} are read"
        )
    filename = str(filename)
    if not content.strip():
        raise DataError(f"{filename} is empty")
    if content[:4] == b"PAR1" or filename.lower().endswith((".parquet", ".pq")):
        return _read_parquet(content, filename)
    return _read_csv(content, filename)


# --- CSV -------------------------------------------------------------------------------


def _read_csv(content: bytes, filename: str) -> Table:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(f"{filename}, line {line}: not UTF-8 text") from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise DataError(f"{filename}, line {line}: a zero byte; this is not a CSV file")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        # Spaces that only Unicode knows.
        raise DataError(f"{filename} is empty")
    delimiter = _bounded(text, filename)
    names, has_header = _header(text, delimiter, filename)
    # pandas drops surplus cells of a row when it is told the names: count them first.
    if any(line.count(delimiter) != len(names) - 1 for line in text.split("\n") if line.strip()):
        return _read_csv_carefully(text, delimiter, names, has_header, filename)
    import pandas as pd  # late: training processes never need it

    try:
        frame = pd.read_csv(
            io.StringIO(text),
            sep=delimiter,
            header=0 if has_header else None,
            names=list(names),
            index_col=False,
            dtype=np.float64,
            skipinitialspace=True,
            engine="c",
        )
        values = frame.to_numpy(dtype=np.float64)
        plain = bool(np.isfinite(values).all()) and len(values) > 0
    except (ValueError, OverflowError, MemoryError, pd.errors.ParserError):
        plain = False
    if plain:
        return Table(filename, names, frozen(values))
    return _read_csv_carefully(text, delimiter, names, has_header, filename)


def _bounded(text: str, filename: str) -> str:
    """The delimiter; DataError if rows or columns are too many to be parsed at all."""
    n_lines = text.count("\n") + 1
    if n_lines > MAX_ROWS + 2:
        raise DataError(f"{filename} has {n_lines:,} lines; at most {MAX_ROWS:,} rows are read")
    first = next(line for line in text.split("\n") if line.strip())
    delimiter = max(_DELIMITERS, key=first.count)
    for number, line in enumerate(text.split("\n"), start=1):
        if line.count(delimiter) >= MAX_COLUMNS:
            raise DataError(
                f"{filename}, line {number}: {line.count(delimiter) + 1:,} columns; "
                f"at most {MAX_COLUMNS:,} are read"
            )
    if text.count(delimiter) + n_lines > MAX_CELLS:
        raise DataError(f"{filename} has more than {MAX_CELLS:,} cells")
    return delimiter


def _rows(text: str, delimiter: str, filename: str) -> Iterator[tuple[int, list[str]]]:
    """(line number, stripped cells) of every row that is not blank."""
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True)
    line = 1
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                yield line, [cell.strip() for cell in row]
            line = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{filename}, line {line}: {error}") from error


def _header(text: str, delimiter: str, filename: str) -> tuple[tuple[str, ...], bool]:
    _, first = next(_rows(text, delimiter, filename), (1, [""]))
    if all(_number(cell) is not None for cell in first):
        return tuple(f"column {i + 1}" for i in range(len(first))), False
    names = tuple(name or f"column {i + 1}" for i, name in enumerate(first))
    return _checked_names(names, filename), True


def _checked_names(names: tuple[str, ...], filename: str) -> tuple[str, ...]:
    seen: set[str] = set()
    for name in names:
        if len(name) > MAX_NAME:
            raise DataError(f"{filename}: the column name {name[:30]!r}... is too long")
        if name in seen:
            raise DataError(f"{filename} has two columns {name!r}")
        seen.add(name)
    return names


def _number(cell: str) -> float | None:
    # float() also reads "1_000", which no other program takes for a number.
    try:
        return None if "_" in cell else float(cell)
    except ValueError:
        return None


def _read_csv_carefully(
    text: str, delimiter: str, names: tuple[str, ...], has_header: bool, filename: str
) -> Table:
    """Cell by cell: finds the bad cell, or the columns that are text throughout."""
    rows = list(_rows(text, delimiter, filename))[1 if has_header else 0 :]
    if not rows:
        raise DataError(f"{filename} has names but no rows")
    for line, cells in rows:
        if len(cells) != len(names):
            raise DataError(
                f"{filename}, line {line}: {len(cells)} cells, but there are {len(names)} columns"
            )
    columns: list[list[float]] = []
    kept: list[str] = []
    for index, name in enumerate(names):
        values = [_number(cells[index]) for _, cells in rows]
        if all(value is None for value in values) and any(cells[index] for _, cells in rows):
            continue
        numbers: list[float] = []
        for value, (line, cells) in zip(values, rows, strict=True):
            if value is None or not math.isfinite(value):
                raise DataError(_bad_cell(filename, f"line {line}", name, cells[index]))
            numbers.append(value)
        columns.append(numbers)
        kept.append(name)
    return _table(filename, names, kept, columns)


def _bad_cell(filename: str, where: str, name: str, cell: str) -> str:
    if not cell:
        return f"{filename}, {where}, column {name!r}: the cell is empty"
    shown = cell if len(cell) <= 30 else cell[:30] + "..."
    return f"{filename}, {where}, column {name!r}: {shown!r} is not a finite number"


def _table(filename: str, names: tuple[str, ...], kept: list[str], columns: list[Any]) -> Table:
    if not kept:
        raise DataError(f"{filename} has no column of numbers")
    skipped = tuple(name for name in names if name not in kept)
    return Table(filename, tuple(kept), frozen(np.stack(columns, axis=1)), skipped)


# --- Parquet ---------------------------------------------------------------------------


def _read_parquet(content: bytes, filename: str) -> Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    # pyarrow raises far more kinds than its own base class on a damaged file.
    try:
        file = pq.ParquetFile(pa.BufferReader(content))
        names, kept = _parquet_columns(file, filename)
        columns = _parquet_values(file, kept, filename)
    except DataError:
        raise
    except Exception as error:
        raise DataError(f"{filename} is not a Parquet file that can be read") from error
    for name, column in zip(kept, columns, strict=True):
        bad = np.flatnonzero(~np.isfinite(column))
        if bad.size:
            raise DataError(_bad_cell(filename, f"row {bad[0] + 1}", name, str(column[bad[0]])))
    return _table(filename, names, kept, columns)


def _parquet_columns(file: Any, filename: str) -> tuple[tuple[str, ...], list[str]]:
    """All names, and those of numeric columns, after the bounds are checked."""
    meta = file.metadata
    n_columns = meta.num_columns
    if meta.num_rows < 1:
        raise DataError(f"{filename} has no rows")
    if meta.num_rows > MAX_ROWS or n_columns > MAX_COLUMNS or meta.num_rows * n_columns > MAX_CELLS:
        raise DataError(
            f"{filename} has {meta.num_rows:,} rows and {n_columns:,} columns; at most "
            f"{MAX_ROWS:,} rows, {MAX_COLUMNS:,} columns and {MAX_CELLS:,} cells are read"
        )
    unpacked = sum(meta.row_group(i).total_byte_size for i in range(meta.num_row_groups))
    if unpacked > 8 * MAX_BYTES:
        raise DataError(f"{filename} unpacks to {unpacked >> 20} MiB, which is too much")
    import pyarrow as pa

    schema = file.schema_arrow
    names = _checked_names(tuple(str(name) for name in schema.names), filename)
    kept = [
        item.name
        for item in schema
        if pa.types.is_integer(item.type)
        or pa.types.is_floating(item.type)
        or pa.types.is_boolean(item.type)
        or pa.types.is_decimal(item.type)
    ]
    return names, kept


def _parquet_values(file: Any, kept: list[str], filename: str) -> list[FloatArray]:
    import pyarrow as pa

    parts: list[list[FloatArray]] = [[] for _ in kept]
    n_rows = 0
    if not kept:
        return []
    for batch in file.iter_batches(batch_size=65_536, columns=kept, use_threads=False):
        n_rows += batch.num_rows
        if n_rows > MAX_ROWS:
            raise DataError(f"{filename} has more rows than it declares")
        for part, column in zip(parts, batch.columns, strict=True):
            values = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
            part.append(np.asarray(values, dtype=np.float64))
    return [np.concatenate(part) for part in parts]
