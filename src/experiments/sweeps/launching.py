"""A sweep under way: jobs composed, packed, trained, written, counted. What the launcher plugin hands over to."""

import contextlib
import gc
import itertools
import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from hydra.core.utils import JobReturn, JobStatus, run_job, setup_globals
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from experiments.config.composition import register_resolvers
from experiments.config.validation import validate_leaf
from experiments.errors import DataChanged, Failure, UserError, one_line
from experiments.sweeps.compose.composer import Composer
from experiments.sweeps.compose.jobs import Job
from experiments.sweeps.compose.overrides import job_name, varied_keys
from experiments.sweeps.compose.packing import Plan, plan
from experiments.sweeps.early import EarlyFolders
from experiments.sweeps.failed_jobs import failed_result
from experiments.sweeps.folders import Folders
from experiments.sweeps.outcomes import Outcomes
from experiments.sweeps.progress import Bar
from experiments.sweeps.workers import WorkerKilled, most_workers, run_packs
from experiments.tracking.result import Result, read_result
from experiments.tracking.run_log import RunLog

if TYPE_CHECKING:
    from experiments.sweeps.stacked.packs import Pack

log = logging.getLogger("experiments")


class Sweep:
    """The jobs of one sweep folder, through as many launches as a sweeper makes."""

    def __init__(
        self, context: HydraContext, task: TaskFunction, config: DictConfig, workers: int | None = None
    ) -> None:
        """`workers`: packs that train at once, by default one a processor."""
        register_resolvers()
        self.context, self.task, self.config, self.workers = context, task, config, most_workers(workers)
        self.composer = Composer(context.config_loader, config)
        for name in ("resume", "dry_run", "fail_fast", "objective"):
            validate_leaf({}, f"sweep.{name}", config.sweep[name])
        self.fail_fast: bool = config.sweep.fail_fast
        self.folders = Folders(Path(str(config.hydra.sweep.dir)).absolute())
        self.outcomes = Outcomes(config.sweep.objective)

    @property
    def folder(self) -> Path:
        """The sweep's own, that of its table."""
        return self.folders.root

    def run(self, jobs: Sequence[Job]) -> list[JobReturn]:
        """Run composed jobs; a return for each. Raises KeyboardInterrupt, and Failure under fail_fast."""
        setup_globals()
        self.folder.mkdir(parents=True, exist_ok=True)
        handler = RunLog(self.folder / "sweep.log", encoding="utf-8")
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        log.addHandler(handler)
        log.setLevel(logging.INFO)
        try:
            with Bar(len(jobs)) as bar, np.errstate(all="ignore"):  # as in `runner.run`
                self._run(jobs, bar)
            self.outcomes.write_table(self.folder)
        except BaseException:
            with contextlib.suppress(OSError):  # of the disk that stopped the sweep, say: the first error is told
                self._notice(jobs)
                self.outcomes.write_table(self.folder)
            raise
        finally:
            log.removeHandler(handler)
            handler.close()
        return [self.outcomes.returned(job, self.folders.of(job)) for job in jobs]

    def composed(self, batches: Sequence[Sequence[str]], numbers: Sequence[int]) -> list[Job]:
        """Jobs with their templates and names."""
        jobs = [Job(number, tuple(overrides)) for number, overrides in zip(numbers, batches, strict=True)]
        for name in varied_keys(batches):
            if name not in self.outcomes.varied:
                self.outcomes.varied.append(name)
        for job in jobs:
            self.composer.compose(job)
            job.name = self._name_of(job)
        return jobs

    def take_over(
        self, ended: Mapping[int, tuple[Result, tuple[str, ...]]], jobs: Sequence[Job], remaining: Sequence[Job]
    ) -> None:
        """Go on with a folder: its ended jobs enter the table, its begun ones keep their names, new ones get one."""
        for job in jobs:
            job.name = job.name or self._name_of(job)
        self.folders.begun = {job.number for job in remaining if self.folders.of(job).exists()}
        known = {job.number: job.name for job in jobs}
        for number, (result, overrides) in ended.items():
            self.outcomes.enter(Job(number, overrides, known.get(number, str(number))), result)

    def _run(self, jobs: Sequence[Job], bar: Bar) -> None:
        self._bar = bar
        sound = []
        for job in jobs:
            if job.error is None:
                sound.append(job)
            else:
                self._refused(job, job.error)
        planned = plan(sound)
        self._explain(planned)

        alone = list(planned.serial)

        def one_by_one(jobs: Sequence[Job], reason: str) -> None:
            alone.extend((job, reason) for job in jobs)

        def crashed(pack: "Pack", error: Exception) -> list["Pack"]:
            self._notice(pack.jobs)
            left = [job for job in pack.jobs if job.number not in self.outcomes.results]
            self.folders.cut_off(left)
            if isinstance(error, UserError):
                for job in left:
                    self._refused(job, str(error))
                return []
            if isinstance(error, WorkerKilled):
                return self._after_a_kill(pack, left, error)
            # what a stack can't do, its jobs may do one by one, and fail one by one
            log.error("a pack of %d jobs failed, they run one by one: %s", len(left), one_line(error), exc_info=error)
            one_by_one(left, "its pack failed")
            return []

        workers = 1 if len(planned.packs) == 1 else self.workers
        early = None
        if self.workers > 1 and planned.packs and "torch" not in sys.modules:
            early = EarlyFolders(list(itertools.chain(*planned.packs)), self.folders.make)
        packs = self._packs(planned.packs, one_by_one, early)
        run_packs(packs, lambda job: str(self.folders.of(job)), self.folders.begin, self._done, crashed, workers)
        if len(alone) > len(planned.serial):
            self._explain(Plan((), tuple(alone[len(planned.serial) :])))
        for job, _ in alone:
            self._serial(job)
            self.outcomes.write_table(self.folder, last=False)
        self._advise(sound)

    def _packs(
        self, programs: Sequence[Sequence[Job]], one_by_one: Callable[[Sequence[Job], str], None],
        early: EarlyFolders | None,
    ) -> Iterator["Pack"]:  # fmt: skip
        """The packs of a plan, with their tables; jobs whose table can't be had are refused."""
        from experiments.sweeps.stacked.packs import TooLarge, packs
        from experiments.sweeps.stacked.table_cache import TableCache

        gc.freeze()  # what was imported stays: not to be looked through again for every thousand jobs
        gc.enable()
        if early is not None:
            whole, begun = early.stop()
            self.folders.ready = {job.number for job in whole}
            self.folders.begun |= {job.number for job in begun}
        cache = TableCache()
        for jobs in programs:
            try:
                yield from packs(jobs, cache)
            except TooLarge as reason:
                one_by_one(jobs, str(reason))
            except (UserError, DataChanged) as error:
                for job in jobs:
                    self._refused(job, str(error), type(error).__name__)
            self.outcomes.write_table(self.folder, last=False)

    def _after_a_kill(self, pack: "Pack", left: Sequence[Job], error: WorkerKilled) -> list["Pack"]:
        """Smaller packs for the jobs of a killed worker: their bits stay, and less memory is asked for.

        A job that was alone when its process was killed, and not for the first time, fails.
        """
        pack.killed += 1
        if len(left) == 1 and pack.killed > 1:
            self._refused(left[0], str(error), "WorkerKilled")
            return []
        if left:
            log.error("a pack of %d jobs was cut off, they are trained again: %s", len(left), error)
        half = -(-len(left) // 2)
        return [pack.of(part) for part in (left[:half], left[half:]) if part]

    def _notice(self, jobs: Sequence[Job]) -> None:
        """Enter jobs that a worker finished but had not told of when the sweep was interrupted."""
        for job in jobs:
            if job.number in self.outcomes.results or job.number in self.folders.begun:  # it may be an old attempt's
                continue
            folder = self.folders.of(job)
            if (folder / "result.json").exists():
                self._done(job, read_result(folder))

    def _explain(self, planned: Plan) -> None:
        stacked = sum(map(len, planned.packs))
        if stacked:
            log.info("jobs that train stacked: %d, stacks: %d", stacked, len(planned.packs))
        reasons: dict[str, int] = {}
        for _, reason in planned.serial:
            reasons[reason] = reasons.get(reason, 0) + 1
        for reason, count in reasons.items():
            log.info("%d jobs run one by one: %s", count, reason)

    def _serial(self, job: Job) -> None:
        """One job through Hydra's own run_job."""
        folder = self.folders.cleared(job)
        config = self.context.config_loader.load_sweep_config(self.config, list(job.overrides))
        with open_dict(config):
            config.hydra.job.id, config.hydra.job.num = str(job.number), job.number
            config.hydra.sweep.dir, config.hydra.sweep.subdir = str(self.folder), job.name
        done = run_job(
            hydra_context=self.context, task_function=self.task, config=config,
            job_dir_key="hydra.sweep.dir", job_subdir_key="hydra.sweep.subdir",
        )  # fmt: skip
        if done.status == JobStatus.FAILED:
            error = done._return_value
            self._refused(job, one_line(error), type(error).__name__)
            return
        self._done(job, read_result(folder))

    def _refused(self, job: Job, reason: str, kind: str = "UserError") -> None:
        """A job that failed: its folder says why, and the sweep goes on."""
        result = failed_result(job, self.folders.cleared(job), reason, kind)
        log.error("job %d (%s) failed: %s", job.number, " ".join(job.overrides), reason)
        self.outcomes.failures.append((job, reason))
        self._done(job, result)
        if self.fail_fast:
            raise Failure(f"job {job.number} ({' '.join(job.overrides)}): {reason} (sweep.fail_fast=true)")

    def _done(self, job: Job, result: Result) -> None:
        self.outcomes.enter(job, result)
        self._bar.advance(failed=result.status == "failed")

    def _name_of(self, job: Job) -> str:
        return job_name(job.number, job.overrides, self.outcomes.varied)

    def _advise(self, jobs: Sequence[Job]) -> None:
        """Tell, for each setting that diverged, a rate that holds; tried once a setting, for a few settings."""
        diverged = [job for job in jobs if self.outcomes.results[job.number].status == "diverged"]
        if diverged:
            from experiments.sweeps.rate_suggestion import suggest_rates

            suggest_rates(diverged)
