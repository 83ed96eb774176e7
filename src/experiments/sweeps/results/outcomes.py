"""What became of the jobs of a sweep: results, the table of them, and what a sweeper is told."""

import time
from collections.abc import Iterable, Sequence
from contextvars import ContextVar
from pathlib import Path

from hydra.core.utils import JobReturn, JobStatus

from experiments.config.folder_names import job_name, shared
from experiments.errors import Failure
from experiments.sweeps.compose.jobs import Job
from experiments.sweeps.compose.overrides import Combinations, columns, key_of
from experiments.sweeps.results import jobs_table, packed_rows
from experiments.sweeps.results.packed_rows import PackedRows
from experiments.tracking.result import Result

SECONDS_BETWEEN_TABLES = 5.0
MOST_LISTED = 10_000
"""Jobs of a results.csv at most."""


class Outcomes:
    """The jobs of the sweep in `folder` that have ended, through as many launches as a sweeper makes."""

    def __init__(self, folder: Path, objective: str | None = None) -> None:
        """`objective`: the metric handed to a sweeper, see `jobs_table.objective`."""
        self.folder, self.objective = folder, objective
        self.ranked = True
        """Whether the jobs are ranked at the end; a search ranks its settings itself."""
        self.note = ""
        """A line for the summary."""
        self.jobs: dict[int, Job] = {}
        self.results: dict[int, Result] = {}
        self._rows: dict[int, jobs_table.Row] = {}
        self._own: list[jobs_table.Row] | None = None
        """The rows of all jobs, until another one ends."""
        self.statuses: dict[int, str] = {}
        """The status of every job that has ended, by its number."""
        self.apart = False
        """Whether the rows of packed jobs are in their packs alone: of sweeps too large for `results`."""
        self.first: Job | None = None
        """Any job of a sweep whose `jobs` are not all here."""
        self._values: dict[str, set[str]] = {}
        self.swept: dict[str, tuple[int, int]] = {}
        """By each key that varies what its values share, see `folder_names.shared`."""
        self._table_due = time.monotonic() + SECONDS_BETWEEN_TABLES

    def vary(self, batches: Iterable[Sequence[str]]) -> None:
        """Note the overrides of jobs that are to come."""
        for overrides in batches.lists if isinstance(batches, Combinations) else batches:
            for override in overrides:
                self._values.setdefault(key_of(override), set()).add(override)
        self._own = None
        self.swept = {name: shared(values) for name, values in self._values.items() if len(values) > 1}

    @property
    def varied(self) -> list[str]:
        """The keys of which the jobs have more than one value, in the order of the command line: table columns."""
        return list(self.swept)

    def name_of(self, job: Job) -> str:
        """The name of a job's folder: its number and what varies."""
        return job_name(job.number, job.overrides, self.swept)

    def enter(self, job: Job, result: Result) -> None:
        """Note that a job has ended."""
        self.statuses[job.number] = result.status
        self.jobs[job.number], self.results[job.number] = job, result
        self._rows[job.number] = jobs_table.row(result)
        self._own = None

    def table(self) -> Sequence[jobs_table.Row]:
        """A row a job, by their numbers: number, folder, what varied, and what `jobs_table.row` says."""
        if self.apart:
            return PackedRows(self.folder / "results.parquet")
        return self._own_rows()

    def _own_rows(self) -> list[jobs_table.Row]:
        if self._own is None:
            self._own = self._joined_rows()
        return self._own

    def _joined_rows(self) -> list[jobs_table.Row]:
        numbers = sorted(self.jobs)
        own = columns([self.jobs[number].overrides for number in numbers], self.varied)
        rows = []
        for at, number in enumerate(numbers):
            its = {name: values[at] for name, values in own.items()}
            rows.append({"number": number, "folder": self.jobs[number].name, **its, **self._rows[number]})
        return rows

    def write_table(self, last: bool = True) -> None:
        """results.csv, rewritten whole; while the sweep is under way so seldom that it takes 2 % of the time.

        Of more than MOST_LISTED jobs there is none. results.parquet has them all; it is written `last`.
        """
        began = time.monotonic()
        if not self.statuses or (
            not last and (self.apart or began < self._table_due or len(self.statuses) > MOST_LISTED)
        ):
            return
        rows = self._own_rows()
        if self.apart:
            packed_rows.write(self.folder, rows, self.varied)
            return
        if len(rows) <= MOST_LISTED:
            jobs_table.write_csv(self.folder / "results.csv", rows, durable=last)
        if last:
            jobs_table.write_parquet(self.folder / "results.parquet", rows, self.varied)
        now = time.monotonic()
        self._table_due = now + max(SECONDS_BETWEEN_TABLES, 50 * (now - began))

    def returned(self, job: Job, folder: Path) -> JobReturn:
        """What Hydra's sweepers take for an ended job."""
        result = self.results[job.number]
        done = JobReturn(overrides=job.overrides, working_dir=str(folder), task_name="experiments")
        if result.status == "failed":
            done.return_value, done.status = Failure(str((result.error or {})["message"])), JobStatus.FAILED
        else:
            done.return_value = jobs_table.objective(result, self.objective)
            done.status = JobStatus.COMPLETED
        return done


LATEST: ContextVar[Outcomes | None] = ContextVar("the outcomes of the sweep that was begun last", default=None)
"""Hydra makes sweeper and launcher by their names and hands nothing of theirs back: who called Hydra looks here."""
