"""What is said of cells that are no numbers is true, and the remedy works."""

import logging
import re
from typing import Any

import polars as pl
import pytest

from experiments.data.prepared import Preparation
from experiments.data.sources.stream import Stream
from experiments.data.sources.table import Table
from experiments.errors import UserError
from tests.support.requests import answered

SOURCES = [Table, Stream]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def refused(source: Any, **columns: list) -> str:
    """What is said of a table of these columns and `a`, with `y` the target."""
    pl.DataFrame({"a": [1.0, 2, 3, 4], **columns}).write_csv("t.csv")
    keys = {"path": "t.csv", "targets": ["y"], "inputs": ["a", *(n for n in columns if n != "y")]}
    with pytest.raises(UserError) as caught:
        source(**keys).prepared(Preparation())
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("source", SOURCES)
def test_a_target_of_text_is_not_told_of_one_hot(source: Any) -> None:
    said = refused(source, y=["setosa", "virginica", "setosa", "virginica"])
    assert "row 1, column y is setosa, no number" in said
    assert "loss=cross_entropy, which predicts labels" in said and "one_hot" not in said


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("33,919.02", "33919.02"), ("33.919,02", "33919.02"), ("-1,234,567", "-1234567"), ("1 234,5", "1234.5"),
        ("3,5", "3.5"), ("$1,200", "1200"), ("12 %", "12"), ("1'000.25", "1000.25"), ("€5", "5"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("column", ["b", "y"])
def test_a_number_with_separators_is_written_out(source: Any, cell: str, written: str, column: str) -> None:
    cells = ["1", "2", cell, "4"]
    said = refused(source, **({"b": cells, "y": [1.0, 2, 3, 4]} if column == "b" else {"y": cells}))
    assert f"row 3, column {column} is {cell}, no number; write it as {written}, digits and a point alone" in said
    assert "one_hot" not in said
    assert re.fullmatch(r"-?\d+(\.\d+)?", written)


@pytest.mark.parametrize("cell", ["n/k", "12 kg", "1,2,3", "12,34,567", ""])
def test_other_text_is_not_taken_for_a_number(cell: str) -> None:
    said = refused(Table, b=["1", "2", "x" + cell, "4"], y=[1.0, 2, 3, 4])
    assert "write it as" not in said and "correct the cell, or use data.one_hot=[b]" in said


def test_a_column_of_such_numbers_that_is_left_out_is_told_how(caplog: pytest.LogCaptureFixture) -> None:
    pl.DataFrame({"a": [1.0, 2], "price": ["33,919.02", "1,200"], "city": ["Rome", "Oslo"], "y": [3.0, 5]}).write_csv(
        "t.csv"
    )
    with caplog.at_level(logging.WARNING, "experiments"):
        Table(path="t.csv", targets=["y"]).load()
    assert caplog.messages == [
        "not used: price, city, which hold text; data.one_hot=[city] makes inputs of the categories; write the numbers "
        "of price with digits and a point alone, as 33919.02"
    ]


def test_the_command_gives_the_remedy_for_a_target_of_text() -> None:
    pl.DataFrame({"a": [1.0, 2, 3], "class": ["n", "s", "n"]}).write_csv("t.csv")
    status, _, err = answered(["data=table", "data.path=t.csv", "data.targets=[class]", "tracking.figures=false"])
    assert status == 2 and err.count("\n") == 1
    assert err.startswith("error: data.path=") and "loss=cross_entropy" in err and "one_hot" not in err
