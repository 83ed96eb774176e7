"""Cells as people write them: blanks around text and blanks alone, enumerations, whole numbers beyond float64."""

from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch

from experiments.data.dataset import Dataset
from experiments.data.files.levels import in_order
from experiments.data.prepared import Preparation
from experiments.data.sources.stream import Stream
from experiments.data.sources.table import Table
from experiments.errors import UserError


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def loaded(source: str, path: str, **keys: Any) -> Dataset:
    """The table as data=table or data=stream takes it; a stream's sample is all of it here."""
    keys = {"path": path, "targets": ["y"], **keys}
    if source == "table":
        return Table(**keys).load()
    return Stream(block_rows=2, **keys).prepared(Preparation(dtype=torch.float64)).table


@pytest.mark.parametrize("source", ["table", "stream"])
@pytest.mark.parametrize("path", ["t.csv", "t.parquet"])
def test_blanks_around_text_mean_nothing(source: str, path: str) -> None:
    frame = pl.DataFrame({"city": ["n", "s ", " n", "s", " s", "n"], "a": [f" {i} " for i in range(6)], "y": range(6)})
    (frame.write_csv if path == "t.csv" else frame.write_parquet)(path)
    found = loaded(source, path, one_hot=["city"])
    assert found.features == ("city=s", "a")
    assert found.x.tolist() == [[0, 0], [1, 1], [0, 2], [1, 3], [1, 4], [0, 5]]


@pytest.mark.parametrize("source", ["table", "stream"])
def test_names_that_polars_takes_for_patterns_are_names(source: str) -> None:
    frame = pl.DataFrame({"*": [1.0, 2, 4], "^.*$": [5.0, 6, 7], "a": ["n", "s", "n"], "y": [1.0, 2, 3]})
    frame.write_parquet("t.parquet")
    assert loaded(source, "t.parquet", inputs=["^.*$", "*"]).x.tolist() == [[5, 1], [6, 2], [7, 4]]
    assert loaded(source, "t.parquet", targets=["*"], one_hot=["a"]).features == ("^.*$", "a=s", "y")


@pytest.mark.parametrize("source", ["table", "stream"])
@pytest.mark.parametrize("path", ["t.csv", "t.parquet"])
def test_a_cell_of_blanks_is_missing(source: str, path: str) -> None:
    frame = pl.DataFrame({"city": ["n", "s", " ", "s", "n"], "a": ["1", "  ", "3", "4", "5"], "y": [1.0, 2, 3, 4, 5]})
    (frame.write_csv if path == "t.csv" else frame.write_parquet)(path)
    with pytest.raises(UserError, match=r"row 2, column a is missing; correct it, or use data\.missing=drop"):
        loaded(source, path)
    assert loaded(source, path, missing="mean").x[:, 0].tolist() == [1, 13 / 4, 3, 4, 5]
    kept = loaded(source, path, missing="drop", one_hot=["city"])
    assert kept.x.tolist() == [[0, 1], [1, 4], [0, 5]]
    for missing in ("error", "mean"):
        said = "row 3, column city is missing; correct it, or use data.missing=drop, or data.missing=level, which makes"
        with pytest.raises(UserError, match=said):
            loaded(source, path, one_hot=["city"], missing=missing, inputs=["city"])


@pytest.mark.parametrize("source", ["table", "stream"])
@pytest.mark.parametrize(
    ("values", "categories"),
    [
        (pl.Series([10, 9, 2, 100]), ("c=9", "c=10", "c=100")),
        (pl.Series(["low", "high", "mid", "mid"], dtype=pl.Enum(["low", "mid", "high"])), ("c=mid", "c=high")),
        (pl.Series([2.5, -1.0, 10.0, 2.5]), ("c=2.5", "c=10.0")),
        (pl.Series([True, False, True, False]), ("c=true",)),
        (pl.Series([date(2024, 1, 9), date(2023, 12, 31), None, None]), ("c=2024-01-09",)),
        (pl.Series(["b", "a", "c", "a"], dtype=pl.Categorical), ("c=b", "c=c")),
    ],
)
def test_levels_stand_in_the_order_of_their_type(source: str, values: pl.Series, categories: tuple[str, ...]) -> None:
    pl.DataFrame({"c": values, "y": [1.0, 2.0, 3.0, 4.0]}).write_parquet("t.parquet")
    assert loaded(source, "t.parquet", one_hot=["c"], missing="drop").features == categories


def test_whole_numbers_that_float64_cannot_tell_apart_have_one_order() -> None:
    numbers = {str(2**53 + k) for k in range(40)}
    assert in_order(numbers, pl.Int64()) == sorted(numbers)  # of one length: as text they have the same


@pytest.mark.parametrize("source", ["table", "stream"])
def test_whole_numbers_that_lose_digits_are_told(source: str, caplog: pytest.LogCaptureFixture) -> None:
    for kind, start, told in ((pl.Int64, 2**53 - 9, False), (pl.Int64, -(2**53) - 9, True), (pl.UInt64, 2**63, True)):
        caplog.clear()
        column = pl.Series([start + i for i in range(5)], dtype=kind)
        pl.DataFrame({"id": column, "y": [1.0, 3.0, 2.0, 5.0, 4.0]}).write_parquet("t.parquet")
        found = loaded(source, "t.parquet")
        assert found.x[:, 0].tolist() == [float(start + i) for i in range(5)]
        assert ("column id holds integers beyond 2^53" in caplog.text) == told


@pytest.mark.parametrize("source", ["table", "stream"])
def test_a_column_of_categories_named_twice_is_refused(source: str) -> None:
    Path("t.csv").write_text("c,y\na,1\nb,2\n")
    with pytest.raises(UserError, match=r"data\.one_hot: names c twice"):
        loaded(source, "t.csv", one_hot=["c", "c"])
    with pytest.raises(UserError, match=r"data\.one_hot and data\.targets both name y"):
        loaded(source, "t.csv", one_hot=["y"])


@pytest.mark.parametrize("source", ["table", "stream"])
def test_an_infinite_cell_is_named_and_not_the_missing_one_before_it(source: str) -> None:
    pl.DataFrame({"a": [1.0, None, 3.0, float("inf")], "y": [1.0, 2, 3, 4]}).write_parquet("t.parquet")
    with pytest.raises(UserError, match=r"row 4, column a is inf: infinite"):
        loaded(source, "t.parquet", missing="mean")


@pytest.mark.parametrize("source", ["table", "stream"])
@pytest.mark.parametrize("name", ["city=s", "y"])
def test_a_column_called_as_a_level_is_told(source: str, name: str) -> None:
    frame = pl.DataFrame({"city": ["n", "s", "n"], name: [1.0, 2, 3], "a": [1.0, 2, 4]})
    frame.rename({"y": "city=s"}, strict=False).write_parquet("t.parquet")
    keys: dict[str, Any] = {"one_hot": ["city"], "targets": ["a"] if name == "city=s" else ["city=s"]}
    with pytest.raises(UserError, match=r"^data\.one_hot: city=s is a level, and a column is called so; rename"):
        loaded(source, "t.parquet", **keys)
