"""Groups as a table: of what each is a number of, the statistic, and its spread or its band."""

import statistics

import numpy as np
import polars as pl
import pytest
from scipy import stats

from experiments.comparison.groups.table import Grouping, best_first, grouped, grouping
from experiments.comparison.runs_table import METRICS, Runs
from experiments.errors import UserError
from tests.comparison.test_choosing import TABLE

GAPS = np.random.default_rng(5).exponential(1.0, (3, 8))


def runs_of(varied: list[str], **columns: list) -> Runs:
    height = len(next(iter(columns.values())))
    given = {"run": [f"r{k}" for k in range(height)], "group": [""] * height, "status": ["completed"] * height}
    given |= {m: pl.Series([None] * height, dtype=pl.Float64) for m in METRICS} | {"train_loss": [1.0] * height}
    return Runs(pl.DataFrame(given | columns), varied)


@pytest.fixture
def runs() -> Runs:
    """Three rates, eight seeds each."""
    rates = np.repeat([0.3, 0.1, 0.2], 8).tolist()
    return runs_of(["lr", "seed"], lr=rates, seed=[*range(8)] * 3, gap=GAPS.ravel().tolist())


def test_each_setting_over_its_seeds_with_their_number_in_words(runs: Runs) -> None:
    by = grouping(runs, None, "mean", "interval")
    assert by == Grouping(["lr"], "mean", "interval")
    table = grouped(runs, runs.table, by)
    assert table["lr"].to_list() == [0.1, 0.2, 0.3] and table["over"].to_list() == ["8 seeds"] * 3
    low, high = stats.ttest_1samp(GAPS[1], 0).confidence_interval(0.95)
    assert table.select("gap mean", "gap low", "gap high").row(0) == pytest.approx((GAPS[1].mean(), low, high))
    best = best_first(runs.table, table, by)
    assert best["lr"][0] == [0.3, 0.1, 0.2][int(GAPS.mean(1).argmin())]


def test_what_was_lost_is_in_no_mean_and_is_said(runs: Runs) -> None:
    status = pl.Series(["diverged"] + ["completed"] * 22 + ["failed"])
    runs.table = runs.table.with_columns(status=status)
    table = grouped(runs, runs.table, Grouping(["lr"], "mean", "std"))
    assert table["over"].to_list() == ["8 seeds", "7 seeds, 1 lost", "7 seeds, 1 lost"]
    assert table["gap mean"][2] == pytest.approx(GAPS[0, 1:].mean())
    one = grouped(runs, runs.table.head(2), Grouping(["lr"], "mean", "std"))
    assert one.select("over", "gap low").row(0) == ("1 seed, 1 lost", None)


def test_runs_that_differ_in_more_than_the_seed_are_runs(runs: Runs) -> None:
    runs.table = runs.table.with_columns(all=pl.lit(1))
    assert grouped(runs, runs.table, Grouping(["all"], "mean", "sem"))["over"].to_list() == ["24 runs"]
    assert grouped(runs, runs.table, Grouping([], "median", "sem")).select("over", "gap median").row(0) == (
        "24 runs", pytest.approx(np.median(GAPS)),
    )  # fmt: skip


def test_folds_are_means_over_their_seeds_and_their_overlap_counts() -> None:
    columns = {"data.fold": [0, 0, 1, 1, 2, 2], "data.folds": [3] * 6, "seed": [0, 1] * 3}
    runs = runs_of(["data.fold", "seed"], **columns, gap=[1.0, 3.0, 4.0, 4.0, 5.0, 9.0])  # type: ignore[arg-type]
    row = grouped(runs, runs.table, grouping(runs, None, "mean", "sem")).row(0, named=True)
    assert row["over"] == "3 folds" and row["gap mean"] == pytest.approx(13 / 3)
    assert row["gap high"] - row["gap mean"] == pytest.approx(np.std([2, 4, 7], ddof=1) * np.sqrt(1 / 3 + 1 / 2))


@pytest.mark.parametrize("statistic", ["mean", "median", "iqm"])
def test_without_a_band_the_spread_and_the_ends(statistic: str, runs: Runs) -> None:
    table = grouped(runs, runs.table, Grouping(["lr"], statistic))
    middle = {"mean": np.mean, "median": np.median, "iqm": lambda v: stats.trim_mean(v, 0.25)}[statistic](GAPS[1])
    expected = (8, 0, middle, GAPS[1].std(ddof=1), GAPS[1].min(), GAPS[1].max())
    names = ["runs", "diverged", f"gap {statistic}", "gap std", "gap min", "gap max"]
    assert table.select(names).row(0) == pytest.approx(expected)


def test_runs_that_do_not_compare_are_apart_and_keys_are_checked(runs: Runs) -> None:
    runs.table = runs.table.with_columns(group=pl.Series(["a", "b"] * 12))
    assert grouping(runs, "lr,seed , lr", "mean", None).keys == ["group", "lr", "seed"]
    with pytest.raises(UserError, match="lrr: there is no such column; did you mean lr"):
        grouping(runs, "lrr", "mean", None)


def grouped_by(keys: str) -> pl.DataFrame:
    runs = Runs(TABLE, [])
    return grouped(runs, TABLE, grouping(runs, keys, "mean", None))


def test_groups_have_the_statistics_of_the_runs_that_did_not_diverge() -> None:
    groups = {row["optimizer"]: row for row in grouped_by("optimizer").iter_rows(named=True)}
    sgd, adam = groups["sgd"], groups["adam"]
    assert (sgd["runs"], sgd["diverged"], adam["runs"], adam["diverged"]) == (3, 1, 2, 0)
    assert sgd["gap mean"] == statistics.mean([4, 1]) and sgd["gap std"] == pytest.approx(statistics.stdev([4, 1]))
    assert (sgd["gap min"], sgd["gap max"]) == (1, 4)
    assert adam["gap mean"] == 2 and adam["gap std"] is None and adam["train_loss mean"] == 5
    assert not any(name.startswith("validation_loss") for name in sgd)


def test_groups_of_several_keys_in_their_order() -> None:
    table = grouped_by("lr,seed,lr")
    assert table.select("lr", "seed", "runs").rows() == [(0.1, 0, 2), (0.1, 1, 1), (0.2, 1, 1), (1.0, 0, 1)]
