"""The gap against what was swept: which keys become axes, and the numbers at each setting."""

import polars as pl
import pytest

from experiments.comparison.groups.table import Grouping
from experiments.comparison.runs_table import METRICS
from experiments.comparison.swept import independent, sweep_of


def table(**columns: list) -> pl.DataFrame:
    height = len(next(iter(columns.values())))
    given = {"run": [f"r{i}" for i in range(height)], "status": ["completed"] * height, "train_loss": [9.0] * height}
    given |= {m: pl.Series([None] * height, dtype=pl.Float64) for m in METRICS[1:]}
    return pl.DataFrame(given | columns)


def test_one_number_is_a_line_of_mean_least_and_largest_over_the_seeds() -> None:
    runs = table(lr=[0.1, 0.1, 0.2, 0.2], seed=[0, 1, 0, 1], gap=[1.0, 3.0, 5.0, 9.0])
    swept = sweep_of(runs, ["lr", "seed"])
    assert swept is not None
    assert (swept.axes, swept.averaged, swept.measure) == (["lr"], ["seed"], "gap")
    assert swept.table.select("lr", "centre", "low", "high", "runs").rows() == [
        (0.1, 2.0, 1.0, 3.0, 2),
        (0.2, 7.0, 5.0, 9.0, 2),
    ]
    assert swept.title == "final gap, mean over 2 seeds"


def test_what_diverged_is_in_no_mean_and_is_counted() -> None:
    runs = table(lr=[0.1, 0.1, 0.9], seed=[0, 1, 0], gap=[2.0, 1e30, 1e35]).with_columns(
        status=pl.Series(["completed", "diverged", "diverged"])
    )
    swept = sweep_of(runs, ["lr", "seed"])
    assert swept is not None
    assert swept.table.select("lr", "centre", "without", "runs").rows() == [(0.1, 2.0, 1, 2), (0.9, None, 1, 1)]


def test_of_seeds_that_all_diverged_there_is_no_spread() -> None:
    assert sweep_of(table(seed=[0, 1], gap=[1e30, 1e31], status=["diverged"] * 2), ["seed"]) is None


def test_two_numbers_are_a_map_the_one_with_more_values_across() -> None:
    runs = table(size=[1, 1, 1, 2, 2, 2], lr=[0.1, 0.2, 0.3] * 2, gap=[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    swept = sweep_of(runs, ["size", "lr"])
    assert swept is not None
    assert swept.axes == ["lr", "size"]
    assert swept.grid
    assert dict(zip(zip(swept.table["lr"], swept.table["size"], strict=True), swept.table["centre"], strict=True)) == {
        (0.1, 1): 1.0, (0.2, 1): 2.0, (0.3, 1): 3.0, (0.1, 2): 4.0, (0.2, 2): 5.0, (0.3, 2): 6.0,
    }  # fmt: skip


def test_settings_drawn_at_random_are_points_and_not_a_map() -> None:
    runs = table(lr=[0.1, 0.23, 0.37, 0.41, 0.5], momentum=[0.9, 0.1, 0.8, 0.3, 0.2], gap=[1.0, 2, 3, 4, 5])
    swept = sweep_of(runs, ["lr", "momentum"])
    assert swept is not None
    assert not swept.grid


def test_a_word_beside_a_number_is_a_line_for_each() -> None:
    runs = table(optimizer=["sgd", "sgd", "adam", "adam"], lr=[0.1, 0.2] * 2, gap=[1.0, 2.0, 3.0, 4.0])
    swept = sweep_of(runs, ["optimizer", "lr"])
    assert swept is not None
    assert swept.axes == ["lr"]
    assert swept.table.select("line", "lr", "centre").rows() == [
        ("adam", 0.1, 3.0), ("adam", 0.2, 4.0), ("sgd", 0.1, 1.0), ("sgd", 0.2, 2.0),
    ]  # fmt: skip


def test_keys_of_some_runs_and_keys_that_follow_from_a_word_are_no_axes() -> None:
    runs = table(
        optimizer=["sgd", "sgd", "adamw", "adamw"], decay=[0.0, 0.0, 0.01, 0.01], momentum=[0.5, 0.9, None, None],
        lr=[0.1, 0.2, 0.1, 0.2], seed=[0, 1, 2, 3],
    )  # fmt: skip
    assert independent(runs, ["optimizer", "decay", "momentum", "lr", "seed"]) == (["lr"], ["optimizer"])


def test_seeds_alone_are_the_spread_of_their_runs() -> None:
    swept = sweep_of(table(seed=[0, 1, 2], gap=[1.0, 2.0, 4.0]), ["seed"])
    assert swept is not None
    assert swept.axes == []
    assert swept.table["centre"].to_list() == pytest.approx([1.0, 2.0, 4.0])


def test_runs_without_any_gap_are_compared_by_their_loss_and_one_run_with_nothing() -> None:
    runs = table(lr=[0.1, 0.2], gap=pl.Series([None, None], dtype=pl.Float64).to_list())
    swept = sweep_of(runs.with_columns(pl.col("gap").cast(pl.Float64)), ["lr"])
    assert swept is not None
    assert swept.measure == "train_loss"
    assert sweep_of(table(lr=[0.1], gap=[1.0]), []) is None


def test_what_follows_from_an_axis_is_not_averaged_over() -> None:
    runs = table(lr=[0.1, 0.1, 0.2, 0.2], rate=[1.0, 1.0, 2.0, 2.0], seed=[0, 1, 0, 1], gap=[1.0, 3.0, 5.0, 9.0])
    swept = sweep_of(runs, ["lr", "rate", "seed"], Grouping(["rate"], "mean", "std"))
    assert swept is not None
    assert (swept.axes, swept.averaged, swept.title) == (["rate"], ["seed"], "final gap, mean over 2 seeds")
    deviation = 2**0.5
    assert swept.table.select("centre", "low", "high").row(0) == pytest.approx((2, 2 - deviation, 2 + deviation))
    iqm = sweep_of(runs, ["lr", "rate", "seed"], Grouping(["lr"], "median"))
    assert iqm is not None and iqm.table.select("centre", "low", "high").rows() == [(2, 1, 3), (7, 5, 9)]
