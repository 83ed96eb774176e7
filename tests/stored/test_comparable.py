"""Which runs compare: one loss on one data set; ranked, averaged and drawn apart where they do not."""

from pathlib import Path
from typing import Any

import matplotlib.image
import orjson
import polars as pl
import pytest

from benchmarks.stored_runs import write_run
from experiments import compare
from experiments.__main__ import main
from experiments.comparison.choosing import ordered
from experiments.comparison.curves import gather
from experiments.comparison.groups.table import grouped, grouping
from experiments.comparison.runs_table import collect
from experiments.comparison.swept import sweep_of
from experiments.stored.comparable import groups, remarks

CROPS = {"loss": "mse", "data": "crops", "data.validation": 0.0, "data.split_seed": 0, "data.inputs": None}
HUBER = CROPS | {"loss": "huber", "loss.delta": 1.0}
MADE = CROPS | {"data": "synthetic", "data.seed": 0}


@pytest.mark.parametrize(
    ("flats", "labels"),
    [
        ([CROPS, CROPS | {"seed": 1, "optimizer": "adam"}], ["", ""]),
        ([CROPS, CROPS | {"loss": "manual_mse"}], ["", ""]),  # the same loss, written out
        ([CROPS, CROPS | {"data.validation": 0.2, "data.split_seed": 5, "data.inputs": ["a"]}], ["", ""]),
        ([CROPS, HUBER], ["mse", "huber"]),
        ([CROPS | {"loss.l2": 0.0}, CROPS | {"loss.l2": 0.1}], ["loss.l2=0", "loss.l2=0.1"]),
        ([CROPS | {"loss.l2": v, "data.validation": 0.2} for v in (0.0, 0.1)], ["", ""]),  # judged by the held-out loss
        ([HUBER, HUBER | {"loss.delta": 2.0}], ["loss.delta=1", "loss.delta=2"]),
        ([CROPS, HUBER, HUBER | {"loss.delta": 2.0}], ["mse", "huber, loss.delta=1", "huber, loss.delta=2"]),
        ([CROPS, MADE, MADE | {"data.seed": 1}], ["crops", "synthetic, data.seed=0", "synthetic, data.seed=1"]),
        ([CROPS | {"data.targets": "a"}, CROPS | {"data.targets": "b"}], ["data.targets=a", "data.targets=b"]),
    ],
)  # fmt: skip
def test_runs_of_one_loss_on_one_data_set_compare(flats: list[dict[str, Any]], labels: list[str]) -> None:
    assert groups(flats) == labels
    assert groups(flats[::-1]) == labels[::-1]


def test_a_table_that_changed_under_its_name_is_another() -> None:
    assert groups([CROPS] * 4, ["a", "a", "b", None]) == ["data.hash=a", "data.hash=a", "data.hash=b", "data.hash=a"]
    assert groups([CROPS] * 3, ["a", "a", None]) == ["", "", ""]
    assert groups([CROPS, CROPS | {"data.split_seed": 1}], ["a", "b"]) == ["", ""]  # other rows of the same table


def test_what_does_not_compare_is_said() -> None:
    said = remarks(["mse", "huber", "mse"], [CROPS, HUBER, CROPS])
    assert said == ["losses of other kinds or data do not compare: 2 groups are kept apart, mse (2); huber (1)"]
    assert remarks(["", ""], [CROPS, CROPS | {"data.split_seed": 1}]) == []  # without held-out rows nothing is split
    held = [CROPS | {"data.validation": 0.2, "data.split_seed": seed} for seed in (0, 1)]
    (note,) = remarks(["", ""], held)
    assert "data.split_seed" in note and "means" in note
    assert len(remarks([f"{k}" for k in range(9)], [CROPS] * 9)[0].split(";")) == 6


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """Three runs with a squared loss; two with huber, which has no optimum and a smaller loss."""
    for n in range(5):
        folder = write_run(tmp_path / "runs" / str(n), 1e-5 * (n + 1), n, epochs=3)
        if n >= 3:
            config, result = (orjson.loads((folder / f"{name}.json").read_bytes()) for name in ("config", "result"))
            config["loss"] = {"_target_": "experiments.learning.losses.Huber", "delta": 1.0}
            result["metrics"] |= {"train_loss": 0.1 * n, "gap": None, "gap_relative": None, "optimum_loss": None}
            (folder / "config.json").write_bytes(orjson.dumps(config))
            (folder / "result.json").write_bytes(orjson.dumps(result))
            lines = [{"epoch": e, "step": e, "loss/train": 0.1 * n + 1 / e} for e in (1, 2, 3)]
            (folder / "metrics.jsonl").write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
    return tmp_path / "runs"


def test_each_group_is_ranked_by_itself(mixed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = collect([mixed])
    assert ordered(runs.table, None)["run"].to_list() == ["2", "1", "0", "3", "4"]
    assert main(["compare", str(mixed), "--top", "1", "--columns", "run,group"]) == 0
    said = capsys.readouterr()
    assert said.out == "run\tgroup\n2\tmse\n3\thuber\n"
    assert said.err == (
        "note: losses of other kinds or data do not compare: 2 groups are kept apart, mse (3); huber (2)\n"
    )
    means = grouped(runs, runs.table, grouping(runs, "data.split_seed", "mean", None))
    assert means.select("group", "runs").rows() == [("huber", 2), ("mse", 3)]
    assert means["train_loss mean"][0] == pytest.approx(0.35)
    with pytest.warns(UserWarning, match="2 groups are kept apart"):
        assert compare(mixed)["group"].to_list() == ["mse"] * 3 + ["huber"] * 2


def test_each_group_has_its_own_panels_and_optimum(mixed: Path) -> None:
    runs = collect([mixed])
    (squares, huber), _ = gather(runs, ordered(runs.table, None))
    assert (squares.group, huber.group) == ("mse", "huber")
    assert squares.optimum is not None and huber.optimum is None  # no line above huber's curves
    assert [len(plot.curves) for plot in (squares, huber)] == [3, 2]
    assert huber.swept is not None and huber.swept.measure == "train_loss"
    assert huber.swept.table["without"].sum() == 0  # a run without a gap has not failed
    assert main(["compare", str(mixed), "--png", "p.png"]) == 0
    height, width, _ = matplotlib.image.imread("p.png").shape
    assert main(["compare", str(mixed), "--where", "loss = 'mse'", "--png", "one.png"]) == 0
    assert matplotlib.image.imread("one.png").shape[:2] == (height // 2, width)


def test_finished_runs_without_the_metric_are_left_out_and_not_marked_as_lost() -> None:
    nothing = pl.Series([None] * 3, dtype=pl.Float64)
    table = pl.DataFrame({
        "run": ["a", "b", "c"], "lr": [1, 2, 3], "status": ["completed", "completed", "diverged"],
        "train_loss": [1.0, None, None], "validation_loss": nothing, "optimum_loss": nothing, "gap": nothing,
        "gap_relative": nothing,
    })  # fmt: skip
    swept = sweep_of(table, ["lr"])
    assert swept is not None and swept.table.select("lr", "without").rows() == [(1, 0), (3, 1)]


def test_only_some_groups_are_drawn_and_the_others_are_said(tmp_path: Path) -> None:
    for n in range(6):
        folder = write_run(tmp_path / str(n), 1e-5, n, epochs=2)
        config = orjson.loads((folder / "config.json").read_bytes())
        config["data"]["path"] = str(n)
        (folder / "config.json").write_bytes(orjson.dumps(config))
    runs = collect([tmp_path])
    plots, notes = gather(runs, runs.table)
    assert len(plots) == 4 and "only 4 of 6 groups are drawn, and not the other 2 runs" in notes[0]


def test_penalties_chosen_by_held_out_rows_are_ranked_together_and_training_losses_said_to_differ() -> None:
    flats = [CROPS | {"loss.l2": v, "data.validation": 0.2} for v in (0.0, 0.1)]
    assert remarks(groups(flats), flats) == [
        "each training loss has its own penalty in it: compare validation_loss, or data_loss"
    ]
    assert not remarks(["", ""], [flats[0], flats[0]])
