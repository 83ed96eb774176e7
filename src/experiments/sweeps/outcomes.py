"""What became of the jobs of a sweep: results, failures, the table of both, and what a sweeper is told."""

import time
from pathlib import Path

from hydra.core.utils import JobReturn, JobStatus

from experiments.errors import Failure
from experiments.sweeps import results
from experiments.sweeps.compose.jobs import Job
from experiments.sweeps.compose.overrides import key_of
from experiments.tracking.result import Result

SECONDS_BETWEEN_TABLES = 5.0


class Outcomes:
    """The jobs that have ended, through as many launches as a sweeper makes."""

    def __init__(self, objective: str | None) -> None:
        """`objective`: the metric handed to a sweeper, see `results.objective`."""
        self.objective = objective
        self.varied: list[str] = []
        """The keys of which the jobs have more than one value: columns of the table."""
        self.results: dict[int, Result] = {}
        self.rows: dict[int, results.Row] = {}
        self.failures: list[tuple[Job, str]] = []
        self._table_due = time.monotonic() + SECONDS_BETWEEN_TABLES

    def enter(self, job: Job, result: Result) -> None:
        """Note that a job has ended."""
        given = {key_of(o): o.partition("=")[2] for o in job.overrides}
        self.results[job.number] = result
        self.rows[job.number] = results.row(
            job.number, job.name, {name: given.get(name, "") for name in self.varied}, result
        )

    def table(self) -> list[results.Row]:
        """The rows by the jobs' numbers."""
        return [self.rows[number] for number in sorted(self.rows)]

    def write_table(self, folder: Path, last: bool = True) -> None:
        """results.csv, rewritten whole; while the sweep is under way so seldom that it takes 2 % of the time."""
        began = time.monotonic()
        if not self.rows or (not last and began < self._table_due):
            return
        results.write_csv(folder / "results.csv", self.table(), durable=last)
        now = time.monotonic()
        self._table_due = now + max(SECONDS_BETWEEN_TABLES, 50 * (now - began))

    def returned(self, job: Job, folder: Path) -> JobReturn:
        """What Hydra's sweepers take for an ended job."""
        result = self.results[job.number]
        done = JobReturn(overrides=job.overrides, working_dir=str(folder), task_name="experiments")
        if result.status == "failed":
            done.return_value, done.status = Failure(str((result.error or {})["message"])), JobStatus.FAILED
        else:
            done.return_value = results.objective(result, self.objective)
            done.status = JobStatus.COMPLETED
        return done
