"""Parquet files whose groups of rows are large: read some columns at a time, and no more is asked for than fits."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from experiments.data.files.cache import converted
from experiments.data.prepared import Preparation
from experiments.data.sources.stream import Stream
from experiments.data.streaming import reader, streamed
from experiments.data.streaming.reader import Reader
from experiments.data.streaming.row_groups import group_bytes
from experiments.errors import UserError

FRAMES = {
    "numbers": pl.DataFrame({f"c{i}": np.arange(1000) + i for i in range(60)}),
    "of every kind": pl.DataFrame({"a": np.arange(1000.0), "s": ["x", None] * 500, "l": [[1, 2]] * 1000})
    .with_columns(b=pl.lit(True), d=pl.date(2024, 1, 1), t=pl.datetime(2024, 1, 1), r=pl.struct("a", "s"),
                  e=pl.col("s").cast(pl.Enum(["x"])), n=pl.lit("1.5").cast(pl.Decimal(10, 2))),
    "one column": pl.DataFrame({"*": np.arange(1000)}),
}  # fmt: skip


@pytest.mark.parametrize("name", FRAMES)
@pytest.mark.parametrize("rows", [1000, 300, 7])
def test_the_size_of_a_group_is_read_off_the_files_end(name: str, rows: int) -> None:
    path = Path("t.parquet")
    FRAMES[name].write_parquet(path, row_group_size=rows)
    assert group_bytes(path) == path.stat().st_size // -(-1000 // rows)


def test_a_description_that_is_not_understood_is_taken_for_one_group() -> None:
    Path("t.parquet").write_bytes(b"PAR1" + bytes(range(100)) + (100).to_bytes(4, "little") + b"PAR1")
    assert group_bytes(Path("t.parquet")) == 112


@pytest.mark.parametrize("name", FRAMES)
def test_columns_read_some_at_a_time_are_those_of_the_file(
    name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    frame = FRAMES[name]
    frame.write_parquet("t.parquet")
    widths: list[int] = []
    collect = pl.LazyFrame.collect

    def seen(table: pl.LazyFrame, *args: Any, **more: Any) -> Any:
        found: Any = collect(table, *args, **more)
        widths.append(found.width)
        return found

    for at_once, most in ((2**27, frame.width), (group_bytes(Path("t.parquet")) // 4, max(1, frame.width / 4)), (1, 1)):
        monkeypatch.setattr(reader, "AT_ONCE", at_once)
        with caplog.at_level(logging.WARNING):
            rows = Reader(Path("t.parquet"), 300)
        monkeypatch.setattr(pl.LazyFrame, "collect", seen)
        assert pl.concat([rows.frame(block, rows.names) for block in rows.blocks]).equals(frame)
        assert rows.frame(rows.blocks[1], rows.names[-1:]).equals(frame[300:600, -1:])
        monkeypatch.setattr(pl.LazyFrame, "collect", collect)
        assert 0.8 * most <= max(widths) <= most
        widths.clear()
    assert caplog.text.count("takes reading a whole group (0.0 GB), some columns at a time") == 2


def test_more_columns_than_an_optimum_takes_are_refused_and_some_of_them_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streamed, "MOST_COLUMNS", 59)
    FRAMES["numbers"].write_parquet("t.parquet")
    with pytest.raises(
        UserError, match=r"^data\.inputs: 60 columns in a stream, whose .* name 59 at most, or use data="
    ):
        Stream(path="t.parquet", targets=["c0"]).prepared(Preparation())
    some = Stream(path="t.parquet", targets=["c0"], inputs=[f"c{i}" for i in range(1, 59)])
    assert some.prepared(Preparation()).rows == 1000


def test_the_copy_of_a_wide_csv_has_groups_as_its_blocks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("experiments.data.order.BLOCK_NUMBERS", 6_000)
    FRAMES["numbers"].write_csv("t.csv")
    copy = converted(Path("t.csv"))
    assert group_bytes(copy) == copy.stat().st_size // 10 and pl.read_parquet(copy).equals(FRAMES["numbers"])
