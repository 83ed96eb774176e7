"""The table of a sweep, and what a sweeper is told of each job."""

import csv
import math
from dataclasses import replace
from pathlib import Path

import pytest
from hydra.core.utils import JobStatus

from experiments.errors import Failure
from experiments.sweeps.compose.jobs import Job
from experiments.sweeps.outcomes import Outcomes
from experiments.tracking.result import Result, failure

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
