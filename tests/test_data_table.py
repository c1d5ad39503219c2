"""Tables from CSV and Parquet files, friendly and hostile."""

from __future__ import annotations

import io
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kanstudio.errors import DataError
from kanstudio.training import read_table, table_dataset
from kanstudio.training import table as table_module

numbers = st.floats(allow_nan=False, allow_infinity=False)
tables = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(numbers, min_size=width, max_size=width), min_size=1)
)


def parquet(frame: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.to_parquet(buffer)
    return buffer.getvalue()


@settings(max_examples=40)
@given(rows=tables, separator=st.sampled_from(",;\t"), end=st.sampled_from(["\n", "\r\n"]))
def test_csv_keeps_every_number(rows, separator, end):
    names = [f"c{i}" for i in range(len(rows[0]))]
    lines = [separator.join(map(str, line)) for line in [names, *rows]]
    table = read_table(end.join(lines).encode(), "t.csv")
    assert table.names == tuple(names)
    assert np.allclose(table.values, rows, rtol=1e-15, atol=0)


@settings(max_examples=20)
@given(rows=tables)
def test_parquet_keeps_every_number(rows):
    frame = pd.DataFrame(rows, columns=[f"c{i}" for i in range(len(rows[0]))])
    table = read_table(parquet(frame), "t.parquet")
    assert np.array_equal(table.values, np.array(rows))


@settings(max_examples=200, deadline=None)
@given(content=st.one_of(st.binary(), st.text("0123456789.,;\t\n\"'eE+-_ xna\r").map(str.encode)))
def test_any_bytes_give_a_finite_table_or_a_data_error(content):
    try:
        table = read_table(content, "t.csv")
    except DataError:
        return
    assert table.values.shape == (table.n_rows, len(table.names))
    assert table.n_rows >= 1 and np.isfinite(table.values).all()


@settings(max_examples=30, deadline=None)
@given(at=st.integers(0, 10_000), byte=st.integers(0, 255))
def test_a_damaged_parquet_file_gives_a_finite_table_or_a_data_error(at, byte):
    content = bytearray(parquet(pd.DataFrame({"a": [1.0, 2.0], "b": [3, 4]})))
    content[at % len(content)] = byte
    try:
        table = read_table(bytes(content), "t.parquet")
    except DataError:
        return
    assert np.isfinite(table.values).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n3,x\n", r"line 3, column 'b': 'x' is not a finite number"),
        ("a,b\n1,2\n\n3,\n", r"line 4, column 'b': the cell is empty"),
        ("a,b\n1,2\n3,nan\n", r"line 3, column 'b': 'nan'"),
        ("a,b\n1,2\n3,inf\n", r"line 3, column 'b': 'inf'"),
        ("a,b\n1,2\n3,1_000\n", r"line 3, column 'b': '1_000'"),
        ("a,b\n1,2\n3,1e999\n", r"line 3, column 'b': '1e999'"),
        ("a,b\n1,2\n3\n", r"line 3: 1 cells, but there are 2 columns"),
        ("a,b\n1,2\n3,4,5\n", r"line 3: 3 cells, but there are 2 columns"),
        ('a,b\n"1\n2",3\n4,5\n', r"line 2, column 'a'"),
        ("a,a\n1,2\n", r"two columns 'a'"),
        ("a,b\n", r"names but no rows"),
        ("a\nx\ny\n", r"no column of numbers"),
        ("", "is empty"),
        (" \n\n", "is empty"),
        ("\u2028\u00a0\n", "is empty"),
        ("a,b,c\n1,2\n3,4,5,6\n", r"line 2: 2 cells, but there are 3 columns"),
        ("a\0b\n1\n", "line 1: a zero byte"),
        ("x" * 300 + "\n1\n", "too long"),
    ],
)
def test_what_is_wrong_and_where(text, message):
    with pytest.raises(DataError, match=message):
        read_table(text.encode(), "t.csv")


def test_not_utf8_names_the_line():
    with pytest.raises(DataError, match="line 2: not UTF-8"):
        read_table(b"a\n\xff\n", "t.csv")


def test_a_column_of_text_is_skipped_and_cannot_be_chosen():
    table = read_table(b"name,x,y\nanna,1,2\nbert,3,4\n", "t.csv")
    assert (table.names, table.skipped) == (("x", "y"), ("name",))
    with pytest.raises(DataError, match="holds no numbers"):
        table_dataset(table, ["name"], ["y"])


def test_rows_without_names_are_all_data():
    table = read_table("\ufeff1,2\n3,4\n".encode(), "t.csv")
    assert table.names == ("column 1", "column 2")
    assert table.values.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    "content",
    [
        b"," * 1_000_000,
        b"a,b\n" + b"," * 1_000_000,
        b"a\n" + b"1\n" * 1_100_000,
        b"PAR1" + b"\0" * 1_000_000,
        b'"' + b"a," * 500_000,
        b"a,b\n" + b'"' * 999_999,
        b"9" * 1_000_000,
    ],
    ids=["commas", "long row", "rows", "parquet", "open quote", "quotes", "digits"],
)
def test_hostile_content_is_refused_without_work(content):
    start = time.process_time()
    with pytest.raises(DataError):
        read_table(content, "t.csv")
    # Not a benchmark: a reader that falls for it needs 15 s and more.
    assert time.process_time() - start < 5


def test_too_many_bytes_are_refused(monkeypatch):
    monkeypatch.setattr(table_module, "MAX_BYTES", 10)
    with pytest.raises(DataError, match="MiB"):
        read_table(b"a\n" + b"1\n" * 10, "t.csv")


def test_too_large_a_parquet_file_is_refused(monkeypatch):
    content = parquet(pd.DataFrame({"a": np.zeros(100)}))
    monkeypatch.setattr(table_module, "MAX_ROWS", 99)
    with pytest.raises(DataError, match="100 rows"):
        read_table(content, "t.parquet")


def test_a_path_is_not_read(tmp_path):
    path = tmp_path / "secret.csv"
    path.write_text("a\n1\n")
    with pytest.raises(DataError, match="bytes"):
        read_table(str(path), "t.csv")  # type: ignore[arg-type]
    with pytest.raises(DataError):
        read_table(str(path).encode(), "t.csv")


def test_parquet_names_the_row_that_is_missing():
    with pytest.raises(DataError, match="row 2, column 'a'"):
        read_table(parquet(pd.DataFrame({"a": [1.0, None]})), "t.parquet")


def test_the_split_uses_every_row_once():
    table = read_table(b"x,y\n" + b"".join(b"%d,%d\n" % (i, 2 * i) for i in range(10)), "t.csv")
    data = table_dataset(table, ["x"], ["y"], test_fraction=0.3, seed=1)
    assert (data.n_train, data.n_test) == (7, 3)
    assert sorted([*data.train_x[:, 0], *data.test_x[:, 0]]) == list(range(10))
    assert np.array_equal(data.train_y, 2 * data.train_x)
    assert data.same_values(table_dataset(table, ["x"], ["y"], test_fraction=0.3, seed=1))
    assert (data.input_names, data.output_names) == (("x",), ("y",))


@pytest.mark.parametrize(
    ("inputs", "outputs", "fraction", "message"),
    [
        ([], ["y"], 0.2, "at least one input"),
        (["x"], ["x"], 0.2, "twice"),
        (["z"], ["y"], 0.2, "no column 'z'; it has x, y"),
        (["x"], ["y"], 1.0, "test_fraction"),
        (["x"], ["y"], float("nan"), "test_fraction"),
    ],
)
def test_a_wrong_choice_is_explained(inputs, outputs, fraction, message):
    table = read_table(b"x,y\n1,2\n3,4\n", "t.csv")
    with pytest.raises(DataError, match=message):
        table_dataset(table, inputs, outputs, fraction)
