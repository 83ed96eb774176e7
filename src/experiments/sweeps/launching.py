"""A sweep under way: jobs composed, packed, trained, written, counted. What the launcher plugin hands over to."""

import contextlib
import dataclasses
import gc
import itertools
import logging
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from hydra.core.utils import JobReturn, JobStatus, run_job, setup_globals
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from experiments.composition import register_resolvers
from experiments.config import OBJECTIVES
from experiments.errors import DataChanged, Failure, UserError, nearest, one_line
from experiments.sweeps import results
from experiments.sweeps.composing import Composer
from experiments.sweeps.early import EarlyFolders
from experiments.sweeps.jobs import Job
from experiments.sweeps.packing import Plan, plan
from experiments.sweeps.progress import Bar
from experiments.sweeps.workers import WorkerKilled, most_workers, run_packs
from experiments.tracking import environment, names
from experiments.tracking.result import Result, failure, read_result
from experiments.tracking.run_log import RunLog
from experiments.validation import config_hash, validate_leaf

if TYPE_CHECKING:
    from experiments.sweeps.packs import Pack

log = logging.getLogger("experiments")
SECONDS_BETWEEN_TABLES = 5.0


class Sweep:
    """The jobs of one sweep folder, through as many launches as a sweeper makes."""

    def __init__(
        self, context: HydraContext, task: TaskFunction, config: DictConfig, workers: int | None = None
    ) -> None:
        """`workers`: packs that train at once, by default one a processor."""
        register_resolvers()
        self.context, self.task, self.config, self.workers = context, task, config, most_workers(workers)
        self.composer = Composer(context.config_loader, config)
        self.folder = Path(str(config.hydra.sweep.dir)).absolute()
        for name in ("resume", "dry_run", "fail_fast"):
            validate_leaf({}, f"sweep.{name}", config.sweep[name])
        self.objective: str | None = config.sweep.objective
        if self.objective is not None and self.objective not in OBJECTIVES:
            raise UserError(
                f"sweep.objective={self.objective}: must be one of {', '.join(OBJECTIVES)}"
                f"{nearest(str(self.objective), OBJECTIVES)}"
            )
        self.fail_fast: bool = config.sweep.fail_fast
        self.rows: dict[int, results.Row] = {}
        self.results: dict[int, Result] = {}
        self.failures: list[tuple[Job, str]] = []
        self.varied: list[str] = []
        self.begun: set[int] = set()
        """Jobs whose folder holds an attempt that did not end, or failed."""
        self.ready: set[int] = set()
        """Jobs whose folder stands as `writing.begin` makes it."""
        self._table_due = time.monotonic() + SECONDS_BETWEEN_TABLES

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
            self.write_table()
        except BaseException:
            with contextlib.suppress(OSError):  # of the disk that stopped the sweep, say: the first error is told
                self._notice(jobs)
                self.write_table()
            raise
        finally:
            log.removeHandler(handler)
            handler.close()
        return [self._returned(job) for job in jobs]

    def composed(self, batches: Sequence[Sequence[str]], numbers: Sequence[int]) -> list[Job]:
        """Jobs with their forms and names."""
        jobs = [Job(number, tuple(overrides)) for number, overrides in zip(numbers, batches, strict=True)]
        for name in varied_keys(batches):
            if name not in self.varied:
                self.varied.append(name)
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
        self.begun = {job.number for job in remaining if (self.folder / job.name).exists()}
        known = {job.number: job.name for job in jobs}
        for number, (result, overrides) in ended.items():
            job = Job(number, overrides, known.get(number, str(number)))
            self.rows[number] = results.row(number, job.name, self._varied_of(job), result)
            self.results[number] = result

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
            left = [job for job in pack.jobs if job.number not in self.results]
            self.begun |= {job.number for job in left}
            self.ready -= self.begun
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
            early = EarlyFolders(list(itertools.chain(*planned.packs)), self._make_folder)
        packs = self._packs(planned.packs, one_by_one, early)
        run_packs(packs, lambda job: str(self.folder / job.name), self._begin, self._done, crashed, workers)
        if len(alone) > len(planned.serial):
            self._explain(Plan((), tuple(alone[len(planned.serial) :])))
        for job, _ in alone:
            self._serial(job)
            self.write_table(last=False)
        self._advise(sound)

    def _packs(
        self, programs: Sequence[Sequence[Job]], one_by_one: Callable[[Sequence[Job], str], None],
        early: EarlyFolders | None,
    ) -> Iterator["Pack"]:  # fmt: skip
        """The packs of a plan, with their tables; jobs whose table can't be had are refused."""
        from experiments.sweeps.packs import TooLarge, packs
        from experiments.sweeps.shelf import Shelf

        gc.freeze()  # what was imported stays: not to be looked through again for every thousand jobs
        gc.enable()
        if early is not None:
            whole, begun = early.stop()
            self.ready = {job.number for job in whole}
            self.begun |= {job.number for job in begun}
        shelf = Shelf()
        for jobs in programs:
            try:
                yield from packs(jobs, shelf)
            except TooLarge as reason:
                one_by_one(jobs, str(reason))
            except (UserError, DataChanged) as error:
                for job in jobs:
                    self._refused(job, str(error), type(error).__name__)
            self.write_table(last=False)

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
            if job.number in self.results or job.number in self.begun:  # what lies there may be an old attempt's
                continue
            if (self.folder / job.name / "result.json").exists():
                self._done(job, read_result(self.folder / job.name))

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
        folder = self._clear_attempt(job)
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
            if isinstance(error, KeyboardInterrupt):
                raise error
            self._refused(job, one_line(error), type(error).__name__)
            return
        self._done(job, read_result(folder))

    def _begin(self, job: Job, folder: str) -> None:
        """Make the folder of a job that is about to be trained, if it does not stand yet."""
        if job.number not in self.ready:
            self._make_folder(job)

    def _make_folder(self, job: Job) -> None:
        from experiments.sweeps import writing

        writing.begin(job, str(self._clear_attempt(job)))

    def _clear_attempt(self, job: Job) -> Path:
        """The folder of a job, emptied of what an unfinished attempt left."""
        folder = self.folder / job.name
        if job.number in self.begun or job.number in self.ready:
            self._clear(folder)
        return folder

    @staticmethod
    def _clear(folder: Path) -> None:
        """Remove the files of an attempt that did not end; a finished run is never touched."""
        import shutil

        if folder.is_dir() and not folder.is_symlink():
            shutil.rmtree(folder)

    def _refused(self, job: Job, reason: str, kind: str = "UserError") -> None:
        """A job that failed: its folder says why, and the sweep goes on."""
        from experiments.sweeps import writing

        digest = job.digest or config_hash({"overrides": list(job.overrides)})
        error = UserError(reason)
        result = failure(digest, 0, error, {"versions": environment.versions()})
        result = dataclasses.replace(result, error={"type": kind, "message": reason})
        folder = self._clear_attempt(job)
        if not (folder / "result.json").exists():
            writing.failed(job, str(folder), result)
        log.error("job %d (%s) failed: %s", job.number, " ".join(job.overrides), reason)
        self.failures.append((job, reason))
        self._done(job, result)
        if self.fail_fast:
            raise Failure(f"job {job.number} ({' '.join(job.overrides)}): {reason} (sweep.fail_fast=true)")

    def _done(self, job: Job, result: Result) -> None:
        self.results[job.number] = result
        self.rows[job.number] = results.row(job.number, job.name, self._varied_of(job), result)
        self._bar.advance(failed=result.status == "failed")

    def _name_of(self, job: Job) -> str:
        return names.job_name(job.number, (o for o in job.overrides if key_of(o) in self.varied))

    def _varied_of(self, job: Job) -> dict[str, Any]:
        given = {key_of(o): o.partition("=")[2] for o in job.overrides}
        return {name: given.get(name, "") for name in self.varied}

    def _returned(self, job: Job) -> JobReturn:
        result = self.results[job.number]
        done = JobReturn(overrides=job.overrides, working_dir=str(self.folder / job.name), task_name="experiments")
        if result.status == "failed":
            done.return_value, done.status = Failure(str((result.error or {})["message"])), JobStatus.FAILED
        else:
            done.return_value = results.objective(result, self.objective)
            done.status = JobStatus.COMPLETED
        return done

    def write_table(self, last: bool = True) -> None:
        """results.csv, rewritten whole; while the sweep is under way so seldom that it takes 2 % of the time."""
        began = time.monotonic()
        if not self.rows or (not last and began < self._table_due):
            return
        results.write_csv(self.folder / "results.csv", [self.rows[n] for n in sorted(self.rows)], durable=last)
        now = time.monotonic()
        self._table_due = now + max(SECONDS_BETWEEN_TABLES, 50 * (now - began))

    def _advise(self, jobs: Sequence[Job]) -> None:
        """Tell, for each setting that diverged, a rate that holds; tried once a setting, for a few settings."""
        diverged = [job for job in jobs if self.results[job.number].status == "diverged"]
        if diverged:
            from experiments.sweeps.advice import advise

            advise(diverged)


def varied_keys(batches: Sequence[Sequence[str]]) -> list[str]:
    """The keys of which the jobs have more than one value, in the order of the command line."""
    values: dict[str, set[str]] = {}
    for overrides in batches:
        for override in overrides:
            values.setdefault(key_of(override), set()).add(override)
    return [name for name, found in values.items() if len(found) > 1 or name == ""]


def key_of(override: str) -> str:
    """What stands left of an override's equals sign, without + and ~."""
    return override.lstrip("+~").partition("=")[0]
