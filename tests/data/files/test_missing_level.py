"""data.missing=level: a missing category is a level of its own, in tables, in streams, and when asked to predict."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from experiments.data.dataset import Dataset
from experiments.data.files.encoding import Encoding
from experiments.data.files.inputs import from_frame
from experiments.data.prepared import Preparation
from experiments.data.sources.stream import Stream
from experiments.data.sources.table import Table
from experiments.errors import UserError
from tests.support.requests import answered

FRAME = pl.DataFrame({
    "city": ["Rome", None, "Oslo", " ", "Rome", "Oslo"], "zone": [2, 10, None, 2, 10, 2],
    "a": [1.0, None, 3, 4, 5, 7], "y": [1.0, 2, 3, 4, 5, 9],
})  # fmt: skip


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def loaded(source: Any, path: str, **keys: Any) -> Dataset:
    keys = {"path": path, "targets": ["y"], "one_hot": ["city", "zone"], "missing": "level", **keys}
    return Table(**keys).load() if source is Table else Stream(block_rows=2, **keys).prepared(Preparation()).table


@pytest.mark.parametrize("source", [Table, Stream])
@pytest.mark.parametrize("path", ["t.csv", "t.parquet"])
def test_a_missing_category_is_the_last_level(source: Any, path: str) -> None:
    (FRAME.write_csv if path == "t.csv" else FRAME.write_parquet)(path)
    found = loaded(source, path)
    assert found.features == ("city=Rome", "city=(missing)", "zone=10", "zone=(missing)", "a")
    city, zone = [[1, 0], [0, 1], [0, 0], [0, 1], [1, 0], [0, 0]], [[0, 0], [1, 0], [0, 1], [0, 0], [1, 0], [0, 0]]
    assert found.x[:, :2].tolist() == city and found.x[:, 2:4].tolist() == zone
    assert found.x[1, 4] == pytest.approx(4)  # numbers take the mean


@pytest.mark.parametrize("source", [Table, Stream])
def test_a_category_of_nan_is_missing(source: Any) -> None:
    rows = {"zone": [2.0, float("nan"), 1.0, None], "y": [1.0, 2, 3, 4]}
    pl.DataFrame(rows).write_parquet("t.parquet")
    keys: dict[str, Any] = {"one_hot": ["zone"], "inputs": ["zone"]}
    assert loaded(source, "t.parquet", **keys).features == ("zone=2.0", "zone=(missing)")
    assert loaded(source, "t.parquet", missing="drop", **keys).features == ("zone=2.0",)
    with pytest.raises(UserError, match="row 2, column zone is missing"):
        loaded(source, "t.parquet", missing="error", **keys)


@pytest.mark.parametrize("source", [Table, Stream])
def test_a_column_without_missing_cells_has_no_such_level_and_refuses_them_later(source: Any) -> None:
    FRAME.fill_null(3).write_parquet("held.parquet")
    keys = {"one_hot": ["city"], "inputs": ["city"]}
    frame = FRAME.with_columns(city=pl.Series(["Rome", "Oslo"] * 3))
    frame.write_parquet("whole.parquet")
    assert loaded(source, "whole.parquet", **keys).features == ("city=Rome",)
    said = r"data.validation_path=held.parquet: row 2, column city is missing; correct it"
    with pytest.raises(UserError, match=said):
        loaded(source, "whole.parquet", validation_path="held.parquet", **keys)


def test_without_it_the_remedy_is_named_and_works() -> None:
    FRAME.with_columns(pl.col("a").fill_null(0)).write_parquet("t.parquet")
    for missing in ("error", "mean"):
        with pytest.raises(UserError, match=r"row 2, column city is missing; .*, or data\.missing=level, which makes"):
            loaded(Table, "t.parquet", one_hot=["city"], inputs=["city"], missing=missing)


def test_rows_to_predict_for_may_lack_such_a_category() -> None:
    encoding = Encoding(("city", "a"), {"city": ["Oslo", "Rome", "(missing)"]})
    for cells in (["", "Rome"], ["NA", "Rome"], [None, "Rome"], [" ", "Rome"]):
        found = from_frame(pl.DataFrame({"a": [1.0, 2], "city": cells}), encoding, "rows")
        assert found.tolist() == [[0, 1, 1], [1, 0, 2]]
    told = Encoding(("city", "a"), {"city": ["NA", "Oslo", "(missing)"]})
    assert from_frame(pl.DataFrame({"a": [1.0], "city": ["NA"]}), told, "rows").tolist() == [[0, 0, 1]]
    without = Encoding(("city", "a"), {"city": ["Oslo", "Rome"]})
    for cell in ("", "NA"):
        with pytest.raises(UserError, match="city is missing"):
            from_frame(pl.DataFrame({"a": [1.0], "city": [cell]}), without, "rows")


def test_a_run_and_its_predictions() -> None:
    FRAME.write_csv("t.csv")
    FRAME.write_parquet("t.parquet")
    answers = []
    for data, path in (("table", "t.csv"), ("stream", "t.parquet")):
        words = [f"data={data}", f"data.path={path}", "data.targets=[y]", "data.one_hot=[city]", "data.inputs=[a]"]
        words += ["data.missing=level", "tracking.figures=false", "training.epochs=3", f"hydra.run.dir={data}"]
        words += ["training.shuffle=false", "optimizer.lr=0.01"]
        status, _, err = answered(words)
        assert status == 0, err
        status, out, err = answered(["predict", str(Path(data).resolve()), "2,", "2,Rome"])
        assert status == 0 and not err
        answers.append(out)
    assert answers[0] == answers[1]
