"""`compare --against`: each setting beside its baseline, by the seeds that they share."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy import stats

from experiments import compare, sweep
from experiments.__main__ import main
from experiments.comparison.against import against
from experiments.comparison.runs_table import collect
from experiments.errors import UserError
from experiments.sweeps.results import jobs_table

RATES = ["1e-05", "2e-05", "5e-05"]


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("against") / "swept"
    words = [f"optimizer.lr={','.join(RATES)}", "model=linear,manual", "seed=range(0,5)", "training.epochs=20"]
    sweep(*words, f"hydra.sweep.dir={folder}")
    return folder


def decided(folder: Path, baseline: str, statistic: str = "mean") -> pl.DataFrame:
    runs = collect([folder])
    return against(runs, runs.table, baseline, None, statistic)


def test_a_setting_is_held_against_the_one_that_differs_in_that_key_alone(swept: Path) -> None:
    table = collect([swept]).table
    found = decided(swept, "lr=1e-5")
    assert sorted(found.select("model", "optimizer.lr").rows()) == sorted(
        (model, lr) for model in ("linear", "manual") for lr in ("2e-05", "5e-05")
    )
    for row in found.iter_rows(named=True):
        of_model = table.filter(pl.col("model") == row["model"])
        ours, base = (
            of_model.filter(pl.col("optimizer.lr") == lr).sort("seed")["gap"].to_numpy()
            for lr in (float(row["optimizer.lr"]), 1e-5)
        )
        low, high = stats.ttest_rel(ours, base).confidence_interval(0.95)
        assert (row["low"], row["high"]) == (pytest.approx(low), pytest.approx(high))
        assert (row["seeds"], row["paired"], row["lost"]) == (5, True, 0)
        assert row["gap"] == pytest.approx(ours.mean())
        assert row["verdict"] == ("better" if row["p"] < 0.05 else row["verdict"])
    assert found["difference"].is_sorted()  # the best first: of a gap the least


@pytest.mark.parametrize("statistic", ["median", "iqm"])
def test_the_metric_shown_is_the_statistic_that_was_asked_for(statistic: str, swept: Path) -> None:
    found = decided(swept, "model=linear", statistic)
    table = collect([swept]).table.filter(pl.col("model") == "manual")
    for row in found.iter_rows(named=True):
        gaps = table.filter(pl.col("optimizer.lr") == float(row["optimizer.lr"]))["gap"].to_numpy()
        expected = np.median(gaps) if statistic == "median" else stats.trim_mean(gaps, 0.25)
        assert row["gap"] == pytest.approx(expected) != pytest.approx(gaps.mean())


def test_a_setting_that_lost_its_runs_has_no_difference_and_the_others_have(swept: Path) -> None:
    runs = collect([swept])
    lost = (pl.col("optimizer.lr") == 5e-5) & (pl.col("model") == "manual")
    table = runs.table.with_columns(status=pl.when(lost).then(pl.lit("diverged")).otherwise("status"))
    found = against(runs, table, "lr=1e-5", None, "mean")
    assert found.height == 4
    last = found.row(3, named=True)
    assert (last["seeds"], last["lost"], last["gap"], last["p"]) == (0, 5, None, None)
    assert last["verdict"] == "too few seeds" and "too few seeds" not in found["verdict"][:3]


def test_where_all_is_lost_that_is_said(swept: Path) -> None:
    runs = collect([swept])
    fast = pl.col("optimizer.lr") > 1e-5
    table = runs.table.with_columns(status=pl.when(fast).then(pl.lit("diverged")).otherwise("status"))
    with pytest.raises(UserError, match="too few runs are left, 20 diverged or failed"):
        against(runs, table, "lr=1e-5", None, "mean")


def test_python_gets_what_the_command_prints(swept: Path, tmp_path: Path) -> None:
    for baseline, statistic, flags in (("lr=1e-5", "mean", []), ("model=linear", "iqm", ["--sort", "train_loss"])):
        line = ["--against", baseline, "--statistic", statistic, *flags, "--parquet", str(tmp_path / "t.parquet")]
        assert main(["compare", str(swept), *line]) == 0
        table = compare(swept, against=baseline, metric=flags[1] if flags else None, statistic=statistic)
        assert pl.DataFrame(table).equals(pl.read_parquet(tmp_path / "t.parquet"))
        page = table._repr_html_()
        assert f"{table.height} settings against {baseline}, the best first" in page and table["verdict"][0] in page
    run = next(path for path in swept.iterdir() if path.name.startswith("0_"))
    assert compare([swept], against=run).height == 5
    with pytest.raises(UserError, match="go with against="):
        compare(swept, statistic="median")
    with pytest.raises(UserError, match="statistic=mode: must be one of mean, iqm, median"):
        compare(swept, against="lr=1e-5", statistic="mode")


def test_a_run_stands_for_its_setting(swept: Path) -> None:
    run = next(path for path in swept.iterdir() if path.name.startswith("0_"))
    found = decided(swept, str(run))
    assert found.height == 5
    same = found.filter((pl.col("model") == "manual") & (pl.col("optimizer.lr") == "1e-05"))
    assert same["difference"].to_list() == [pytest.approx(0, abs=1e-3)]


@pytest.mark.parametrize(
    ("baseline", "said"),
    [
        ("lr=3", "optimizer.lr is 1e-05, 2e-05, 5e-05 here"),
        ("modle=linear", "modle: there is no such column; did you mean model?"),
        ("nobody", "nobody: no run's folder"),
        ("seed=0", "seed repeats settings; name a key that they differ in"),
    ],
)
def test_what_is_no_baseline(baseline: str, said: str, swept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(swept), "--against", baseline]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1
    assert said in error


def test_the_table_as_a_file_and_what_it_does_not_go_with(swept: Path) -> None:
    assert main(["compare", str(swept), "--against", "model=linear", "--statistic", "iqm", "--csv", "t.csv"]) == 0
    assert pl.read_csv("t.csv")["model"].to_list() == ["manual"] * 3
    assert main(["compare", str(swept), "--against", "model=linear", "--html", "t.html"]) == 2


def test_top_and_reverse_are_of_its_rows_and_every_run_counts(swept: Path) -> None:
    words = ["compare", str(swept), "--against", "lr=1e-5", "--csv", "t.csv"]
    assert main(words) == 0
    whole = pl.read_csv("t.csv")
    assert main([*words, "--top", "1", "--reverse"]) == 0
    assert pl.read_csv("t.csv").rows() == whole.rows()[-1:]


def test_without_seeds_there_is_nothing_to_decide(tmp_path: Path) -> None:
    sweep("optimizer.lr=1e-5,2e-5", "training.epochs=2", f"hydra.sweep.dir={tmp_path / 's'}")
    with pytest.raises(UserError, match="needs at least two seeds of both settings"):
        decided(tmp_path / "s", "lr=1e-5")


def test_a_sweep_ends_with_which_setting_is_the_best_and_how_sure_that_is(swept: Path) -> None:
    table = collect([swept]).table.filter(pl.col("model") == "linear")
    rows = table.select("seed", "optimizer.lr", "gap", "status").to_dicts()
    said = jobs_table.surest(rows, ["optimizer.lr", "seed"], "gap")
    gaps = {lr: table.filter(pl.col("optimizer.lr") == float(lr)).sort("seed")["gap"].to_numpy() for lr in RATES}
    test = stats.ttest_rel(gaps["5e-05"], gaps["2e-05"])
    assert said is not None
    assert said.startswith("best: optimizer.lr=5e-05, whose mean gap differs by ")
    assert "from that of optimizer.lr=2e-05 (95 %: " in said and f"5 pairs, p {test.pvalue:.2g})" in said
    alike = [r | {"optimizer.lr": lr} for r in rows if r["optimizer.lr"] == 1e-5 for lr in (1, 2)]
    assert "the same" in str(jobs_table.surest(alike, ["optimizer.lr", "seed"], "gap"))
    assert jobs_table.surest(rows[:5], ["seed"], "gap") is None
