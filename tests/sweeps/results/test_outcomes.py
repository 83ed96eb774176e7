"""The table of a sweep, and what a sweeper is told of each job."""

import csv
import math
from dataclasses import replace
from pathlib import Path

import pytest
from hydra.core.utils import JobStatus

from experiments.errors import Failure, UserError
from experiments.sweeps.compose.jobs import Job
from experiments.sweeps.results import jobs_table, summary
from experiments.sweeps.results.outcomes import Outcomes
from experiments.tracking.result import Result, failure

Capture = pytest.CaptureFixture[str]
FAILED = failure("0" * 16, 0, ValueError("too much"), {})


def ended(gap: float, status: str = "completed") -> Result:
    return replace(FAILED, status=status, error=None, metrics={**FAILED.metrics, "gap": gap, "train_loss": gap + 1})


def test_rows_are_by_number_with_what_varied(tmp_path: Path) -> None:
    outcomes = Outcomes(tmp_path)
    outcomes.vary([["seed=1", "+x=1"], ["seed=2", "+x=1", "model=manual"]])
    outcomes.vary([["seed=2", "+x=1", "model=linear"]])  # another launch
    outcomes.write_table()
    assert list(tmp_path.iterdir()) == []  # no table without a row
    outcomes.enter(Job(2, ("seed=2", "+x=1", "model=manual"), "2_b"), ended(0.5))
    outcomes.enter(Job(0, ("seed=1",), "0_a"), FAILED)
    outcomes.write_table(last=False)
    assert list(tmp_path.iterdir()) == []  # not so soon
    outcomes.write_table()
    with (tmp_path / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(r["number"], r["folder"], r["seed"], r["model"], r["gap"]) for r in rows] == [
        ("0", "0_a", "1", "", ""), ("2", "2_b", "2", "manual", "0.5"),
    ]  # fmt: skip
    assert outcomes.table()[0]["error"] == "too much"


def test_what_varies_is_in_the_order_of_the_command_line(tmp_path: Path) -> None:
    outcomes = Outcomes(tmp_path)
    outcomes.vary([["model=manual", "seed=1", "optimizer.lr=1"]])
    assert outcomes.varied == []
    outcomes.vary([["model=manual", "seed=2", "optimizer.lr=2"]])
    assert outcomes.varied == ["seed", "optimizer.lr"]


def scored(r2: list[float], rmse: list[float], status: str = "completed") -> Result:
    metrics = {**FAILED.metrics, "train_loss": 1.0, "r2": r2, "validation_rmse": rmse}
    return replace(FAILED, status=status, error=None, metrics=metrics, targets=["apples", "oranges"])


def test_metrics_of_each_target_are_objectives() -> None:
    result = scored([0.5, 0.9], [2.0, 4.0])
    told = {name: jobs_table.objective(result, name) for name in ("r2", "r2.apples", "validation_rmse.oranges")}
    assert told == {"r2": pytest.approx(0.7), "r2.apples": 0.5, "validation_rmse.oranges": 4.0}
    lost = scored([0.5, 0.9], [2.0, 4.0], "diverged")
    assert jobs_table.objective(lost, "r2") == -math.inf and jobs_table.objective(lost, "validation_rmse") == math.inf
    assert jobs_table.objective(result, "rmse") is None  # it has none
    with pytest.raises(UserError, match=r"sweep.objective=r2.apple: there is no target apple; did you mean apples\?"):
        jobs_table.objective(result, "r2.apple")


def summary_of(tmp_path: Path, jobs: dict[str, Result], objective: str | None, capsys: Capture) -> str:
    """What a sweep of such jobs, by their overrides, ends with."""
    outcomes = Outcomes(tmp_path, objective)
    outcomes.vary([given.split() for given in jobs])
    for number, (given, result) in enumerate(jobs.items()):
        words = given.split()
        stored = dict(word.split("=") for word in words if word.startswith(("loss", "data")))
        outcomes.enter(Job(number, tuple(words), stored={"data.validation": 0.5, **stored}), result)
    summary.show(outcomes, outcomes.table())
    return capsys.readouterr().out


def test_the_best_by_r2_has_the_largest(tmp_path: Path, capsys: Capture) -> None:
    jobs = {"seed=0": scored([0.1, 0.2], []), "seed=1": scored([0.9, 0.1], []), "seed=2": scored([0.3, 0.9], [])}
    said = summary_of(tmp_path, jobs, "r2", capsys)
    numbers = [line.split("│")[1].strip() for line in said.splitlines() if line.startswith("│")]
    assert "best 3 by r2" in said and numbers[:3] == ["2", "1", "0"]


def test_losses_of_other_kinds_are_ranked_apart_and_that_is_said(tmp_path: Path, capsys: Capture) -> None:
    huber = replace(ended(0.0), metrics={**FAILED.metrics, "train_loss": 0.01})
    jobs = {"loss=mse seed=0": ended(0.5), "loss=mse seed=1": ended(0.25), "loss=huber seed=0": huber}
    said = summary_of(tmp_path, jobs, None, capsys)
    assert "note: losses of other kinds or data do not compare: 2 groups are kept apart, mse (2); huber (1)" in said
    assert "best 2 of mse by gap" in said and "best 1 of huber by train_loss" in said
    assert "gap of mse over seeds" in said and "train_loss of huber over seeds" in said
    assert said.splitlines()[-1] == f"look:   experiments board {tmp_path}"
    alone = summary_of(tmp_path, {"seed=0": ended(0.5), "seed=1": ended(0.25)}, None, capsys)
    assert "note:" not in alone and "best 2 by gap" in alone


def test_the_last_line_shows_the_sweep_by_a_word_while_it_is_the_newest(tmp_path: Path, capsys: Capture) -> None:
    folder = tmp_path / "outputs" / "sweeps" / "2026-01-02_00-00-00_00000000"
    folder.mkdir(parents=True)
    (tmp_path / "outputs" / "tables" / "ffff").mkdir(parents=True)  # of Python's frames; no run, whatever its name
    assert summary_of(folder, {"seed=0": ended(0.5)}, None, capsys).splitlines()[-1] == "look:   experiments board last"
    (tmp_path / "outputs" / "runs" / "2026-01-02_00-00-01_00000000").mkdir(parents=True)
    assert summary_of(folder, {"seed=0": ended(0.5)}, None, capsys).splitlines()[-1].endswith(f"board {folder}")


def test_other_held_out_rows_are_said(tmp_path: Path, capsys: Capture) -> None:
    held = replace(FAILED, status="completed", error=None, metrics={**FAILED.metrics, "validation_loss": 2.0})
    said = summary_of(tmp_path, {"data.split_seed=0": held, "data.split_seed=1": held}, None, capsys)
    assert "note: held-out rows differ with data.split_seed" in said


def test_a_sweeper_is_told_the_objective_or_the_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outcomes = Outcomes(tmp_path, "train_loss")
    jobs = [Job(number, (f"seed={number}",)) for number in range(3)]
    for job, result in zip(jobs, (ended(0.5), ended(0.5, "diverged"), FAILED), strict=True):
        outcomes.enter(job, result)
    told = [outcomes.returned(job, tmp_path) for job in jobs]
    assert [t.return_value for t in told[:2]] == [1.5, math.inf]
    assert [t.status for t in told] == [JobStatus.COMPLETED, JobStatus.COMPLETED, JobStatus.FAILED]
    with pytest.raises(Failure, match="too much"):
        _ = told[2].return_value
    assert "seed=2" in capsys.readouterr().err


def test_metrics_of_labels_are_objectives_of_runs_that_predict_labels() -> None:
    numbers = scored([0.5, 0.9], [2.0, 4.0])
    metrics = {**FAILED.metrics, "train_loss": 0.5, "data_loss": 0.4, "accuracy": 0.9, "validation_log_loss": 0.3}
    classes = replace(FAILED, status="completed", error=None, metrics=metrics, targets=["kind"], classes=["a", "b"])
    told = {name: jobs_table.objective(classes, name) for name in ("accuracy", "validation_log_loss", "data_loss")}
    assert told == {"accuracy": 0.9, "validation_log_loss": 0.3, "data_loss": 0.4}
    assert jobs_table.objective(numbers, "data_loss") == numbers.metrics["train_loss"]
    assert jobs_table.objective(replace(classes, status="diverged"), "accuracy") == -math.inf
    assert jobs_table.row(classes)["accuracy"] == 0.9 and jobs_table.row(classes)["data_loss"] == 0.4
    assert "accuracy" not in jobs_table.row(numbers)
    for result, name in ((numbers, "validation_accuracy"), (classes, "r2"), (classes, "rmse.kind")):
        with pytest.raises(UserError, match=f"sweep.objective={name}: is of runs that predict "):
            jobs_table.objective(result, name)
