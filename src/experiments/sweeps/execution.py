"""The jobs of one launch: packs side by side, the others one after another, each entered as it ends."""

import gc
import itertools
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from hydra.core.utils import JobStatus, run_job
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from experiments.config.locate import own_code
from experiments.errors import DataChanged, Failure, UserError, one_line
from experiments.sweeps.compose.jobs import Job
from experiments.sweeps.compose.packing import MOST_JOBS, MOST_PACKED, Plan, plan
from experiments.sweeps.engine import Engine
from experiments.sweeps.job_folders import Folders, failed_result, write_failed
from experiments.sweeps.progress import Advance
from experiments.sweeps.results.outcomes import Outcomes
from experiments.sweeps.resuming import ended
from experiments.sweeps.workers import WorkerKilled
from experiments.tracking.result import Result, read_result

if TYPE_CHECKING:
    from experiments.sweeps.compose.halving import Halving
    from experiments.sweeps.stacked.packs import Pack
    from experiments.sweeps.stacked.table_cache import TableCache

log = logging.getLogger("experiments")
MOST_DIVERGED = 20_000
"""Jobs at most for which rates are suggested."""


class Execution:
    """Trains composed jobs and notes what they come to; `advance` is the bar's while there is one."""

    def __init__(
        self, context: HydraContext, task: TaskFunction, config: DictConfig, folders: Folders, outcomes: Outcomes
    ) -> None:
        """`context`, `task` and `config` are Hydra's, for jobs that it runs itself."""
        self.context, self.task, self.config, self.folders, self.outcomes = context, task, config, folders, outcomes
        self.advance: Advance = lambda failed: None
        self._alone: list[tuple[Job, str]] = []
        """Jobs that run one by one, each with the reason."""
        self._refused: list[tuple[Job, str]] = []
        """Those among them of which a pack found out."""
        self._diverged: list[Job] = []
        self._tables: TableCache | None = None

    def run(
        self, parts: Iterable[Sequence[Job]], count: int, engine: Engine, *, suggest: bool = True,
        halving: "Halving | None" = None,
    ) -> None:  # fmt: skip
        """Run `count` jobs, a part of them after another as there is room, and `suggest` rates to those that diverged.

        Raises KeyboardInterrupt, OSError, and Failure under fail_fast.
        """
        self._alone, self._refused, self._diverged = [], [], []
        packs = self._packs((self._plan(part, halving) for part in parts), halving)
        engine.run(packs, self.folders, self._done, self._crashed, count)
        _explain(Plan((), tuple(self._refused)))
        for job, _ in self._alone + self._refused:
            self._serial(job)
            self.outcomes.write_table(last=False)
        if suggest and self._diverged:
            from experiments.sweeps.rate_suggestion import suggest_rates

            suggest_rates(sorted(self._diverged, key=lambda job: job.number))

    def _plan(self, jobs: Sequence[Job], halving: "Halving | None") -> Plan:
        """The packs of some jobs; those without a valid config fail, those that can't be stacked wait."""
        for job in jobs:
            if job.error is not None:
                self._fail(job, job.error)
        as_rows = self.folders.as_rows
        most = MOST_JOBS if as_rows is None or as_rows.results else MOST_PACKED
        planned = plan([job for job in jobs if job.error is None], halving, most)
        _explain(planned)
        self._alone += planned.serial
        return planned

    def notice(self, jobs: Sequence[Job]) -> None:
        """Enter jobs that a worker has finished but not told of."""
        for job in jobs:
            if job.number not in self.outcomes.statuses and (result := ended(self.folders.of(job))) is not None:
                self._done(job, result)

    def _packs(self, plans: Iterable[Plan], halving: "Halving | None") -> Iterator["Pack"]:
        """The packs of plans, with their tables; jobs whose table can't be had fail."""
        from experiments.sweeps.stacked.module_program import NotStacked
        from experiments.sweeps.stacked.packs import packs
        from experiments.sweeps.stacked.table_cache import TableCache

        gc.freeze()  # what was imported stays: not to be looked through again for every thousand jobs
        gc.enable()
        self._tables = self._tables or TableCache()
        for jobs in itertools.chain.from_iterable(planned.packs for planned in plans):
            try:
                yield from packs(jobs, self._tables, halving)
            except NotStacked as reason:
                self._refused += [(job, str(reason)) for job in jobs]
            except (UserError, DataChanged) as error:
                for job in jobs:
                    self._fail(job, str(error), type(error).__name__)
            self.outcomes.write_table(last=False)

    def _crashed(self, pack: "Pack", error: Exception) -> list["Pack"]:
        """What to train in place of a pack that could not be finished."""
        self.notice(pack.jobs)
        whole = pack.halving is not None  # its jobs are compared: all of them once more, or none
        left = [job for job in pack.jobs if whole or job.number not in self.outcomes.statuses]
        self.folders.begun |= {job.number for job in left}
        if isinstance(error, UserError):
            for job in left:
                self._fail(job, str(error))
        elif isinstance(error, WorkerKilled):
            return self._after_a_kill(pack, left, error)
        else:  # what a pack can't do, its jobs may do one by one, and fail one by one
            log.error("a pack of %d jobs failed, they run one by one: %s", len(left), one_line(error), exc_info=error)
            self._refused += [(job, "its pack failed") for job in left]
        return []

    def _after_a_kill(self, pack: "Pack", left: Sequence[Job], error: WorkerKilled) -> list["Pack"]:
        """Smaller packs for the jobs of a killed worker: their bits stay, and less memory is asked for.

        A job that was alone when its process was killed, and not for the first time, fails.
        """
        pack.killed += 1
        if (len(left) == 1 or pack.halving is not None) and pack.killed > 1:
            for job in left:
                self._fail(job, str(error), "WorkerKilled")
            return []
        if left:
            log.error("a pack of %d jobs was cut off, they are trained again: %s", len(left), error)
        half = len(left) if pack.halving is not None else -(-len(left) // 2)
        return [pack.of(part) for part in (left[:half], left[half:]) if part]

    def _serial(self, job: Job) -> None:
        """One job through Hydra's own run_job."""
        folder = self.folders.cleared(job)
        config = self.context.config_loader.load_sweep_config(self.config, list(job.overrides))
        with open_dict(config):
            config.hydra.job.id, config.hydra.job.num = str(job.number), job.number
            config.hydra.sweep.dir, config.hydra.sweep.subdir = str(self.folders.root), job.name
        done = run_job(
            hydra_context=self.context, task_function=self.task, config=config,
            job_dir_key="hydra.sweep.dir", job_subdir_key="hydra.sweep.subdir",
        )  # fmt: skip
        if done.status == JobStatus.FAILED:
            error = done._return_value
            place = one_line(own_code(error))
            reason = one_line(error) + f" (in {place}; sweep.log has the traceback)" * bool(place)
            self._fail(job, reason, type(error).__name__)
        else:
            self._done(job, read_result(folder))

    def _fail(self, job: Job, reason: str, kind: str = "UserError") -> None:
        """Note a failed job: its folder says why. Raises Failure under fail_fast, else the sweep goes on."""
        result = failed_result(job, reason, kind)
        if self.folders.as_rows is None:
            write_failed(job, self.folders.cleared(job), result)
        log.error("job %d (%s) failed: %s", job.number, " ".join(job.overrides), reason)
        self._done(job, result)
        if self.config.sweep.fail_fast:
            raise Failure(f"job {job.number} ({' '.join(job.overrides)}): {reason} (sweep.fail_fast=true)")

    def _done(self, job: Job, result: Result | str) -> None:
        if isinstance(result, str):
            self.outcomes.statuses[job.number] = result
        else:
            self.outcomes.enter(job, result)
        status = self.outcomes.statuses[job.number]
        if status == "diverged" and len(self._diverged) < MOST_DIVERGED:
            self._diverged.append(job)
        self.advance(status == "failed")


def _explain(planned: Plan) -> None:
    """Log how many jobs train stacked, and why others do not."""
    if planned.packs:
        log.info("jobs that train stacked: %d, packs: %d", sum(map(len, planned.packs)), len(planned.packs))
    for reason, count in Counter(reason for _, reason in planned.serial).items():
        log.info("%d jobs run one by one: %s", count, reason)
