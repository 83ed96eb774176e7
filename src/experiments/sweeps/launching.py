"""A sweep under way, through as many launches as a sweeper makes. The launcher plugin hands over to this."""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from hydra.core.utils import JobReturn, setup_globals
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from experiments.config.composition import register_resolvers
from experiments.config.validation import validate_leaf
from experiments.errors import UserError
from experiments.stored.lookup import sweep_to_resume
from experiments.sweeps.compose.composer import Composer
from experiments.sweeps.compose.jobs import Job
from experiments.sweeps.engine import Engine, Local
from experiments.sweeps.execution import Execution
from experiments.sweeps.job_folders import Folders, require_own_names
from experiments.sweeps.packed.keeping import Keep
from experiments.sweeps.progress import bar
from experiments.sweeps.results.outcomes import LATEST, Outcomes
from experiments.tracking.result import Result
from experiments.tracking.run_log import RunLog, Warnings

if TYPE_CHECKING:
    from experiments.sweeps.compose.halving import Halving


class Sweep:
    """The jobs of one sweep folder."""

    def __init__(
        self, context: HydraContext, task: TaskFunction, config: DictConfig, engine: Engine | None = None
    ) -> None:
        """`engine` trains the packs, by default here, one a processor. Raises UserError."""
        register_resolvers()
        given = {name: validate_leaf({}, f"sweep.{name}", value) for name, value in config.sweep.items()}
        self.curves: str = given["curves"]
        """Which losses of jobs without a folder are kept."""
        self.resumed = None if given["resume"] is None else sweep_to_resume(given["resume"])
        """The folder of the sweep that this one goes on with."""
        self.keep = Keep()
        """Which jobs have folders; all, as other sweepers know nothing else."""
        self.engine = engine or Local()
        self.composer = Composer(context.config_loader, config)
        self.folders = Folders(Path(str(config.hydra.sweep.dir)).absolute())
        self.outcomes = Outcomes(self.folder, config.sweep.objective)
        self._execution = Execution(context, task, config, self.folders, self.outcomes)
        LATEST.set(self.outcomes)

    @property
    def folder(self) -> Path:
        """The sweep's own, that of its table."""
        return self.folders.root

    @folder.setter
    def folder(self, folder: Path) -> None:
        self.folders.root = self.outcomes.folder = folder

    def composed(
        self, batches: Sequence[Sequence[str]], numbers: Sequence[int], whole: Sequence[Sequence[str]] | None = None
    ) -> list[Job]:
        """Jobs with their templates and names. Raises UserError for names that can't be had.

        `whole`: the overrides of all jobs of the sweep, where these are a part of them.
        """
        if not batches:
            raise UserError("the sweep has no jobs: what it sweeps over has no values")
        jobs = [Job(number, tuple(overrides)) for number, overrides in zip(numbers, batches, strict=True)]
        if numbers[0] == 0 or whole is None:
            self.outcomes.vary(batches if whole is None else whole)
        for job in jobs:
            self.composer.compose(job)
            job.name = self._name_of(job)
        require_own_names([job.name for job in jobs if job.subdir() is not None])
        return jobs

    def take_over(self, jobs: Sequence[Job], ended: Iterable[tuple[Job, Result]], begun: set[int]) -> None:
        """Go on with a folder: its ended jobs enter the table, its begun ones keep their names, new ones get one."""
        for job in jobs:
            job.name = job.name or self._name_of(job)
        self.folders.begun = begun
        for job, result in ended:
            self.outcomes.enter(job, result)

    def beside(self, name: str) -> "Sweep":
        """A sweep of its own, with a table of its own, in a folder of this one's."""
        execution = self._execution
        other = Sweep(execution.context, execution.task, execution.config, self.engine)
        other.composer, other.folder = self.composer, self.folder / name
        LATEST.set(self.outcomes)
        return other

    def run(self, jobs: Sequence[Job], *, searching: bool = False, halving: "Halving | None" = None) -> None:
        """Run composed jobs. Raises KeyboardInterrupt, OSError, and Failure under fail_fast.

        `searching`: more are to come, of which many may diverge; the table can wait, and so can rates that hold.
        `halving` ends the worse of the jobs that train stacked before their time.
        """
        self.run_parts([jobs], len(jobs), searching=searching, halving=halving)

    def run_parts(
        self, parts: Iterable[Sequence[Job]], count: int, *, searching: bool = False, halving: "Halving | None" = None
    ) -> None:
        """As `run`, `count` jobs in parts that are composed as there is room for them."""
        setup_globals()
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self.keep.everything:
            from experiments.sweeps.stacked.packs import AsRows

            self.folders.as_rows = AsRows(self.curves, results=not self.outcomes.apart)
        sweep_log = contextlib.closing(RunLog(self.folder / "sweep.log"))
        warnings, quiet = contextlib.closing(Warnings()), np.errstate(all="ignore")  # as in `runner.run`
        begun: list[Job] = []

        def noted() -> Iterator[Sequence[Job]]:
            for part in parts:
                begun[:] = part
                yield part

        with warnings as told, sweep_log, bar(count) as self._execution.advance, quiet:
            self.folders.varied = self.outcomes.varied
            try:
                self._execution.run(noted(), count, self.engine, suggest=not searching, halving=halving)
            except BaseException:
                with contextlib.suppress(OSError):  # of the disk that stopped the sweep, say: the first error is told
                    self._execution.notice(begun)
                    self.outcomes.write_table()
                raise
            self.outcomes.write_table(last=not searching)
            if not searching:
                self.keep.unpack(self.outcomes)
        told.show()

    def launch(self, batches: Sequence[Sequence[str]], first: int) -> list[JobReturn]:
        """What a launcher does for a sweeper: run these jobs, and return what each came to. Raises as `run` does."""
        jobs = self.composed(batches, range(first, first + len(batches)))
        self.run(jobs)
        return [self.outcomes.returned(job, self.folders.of(job)) for job in jobs]

    def _name_of(self, job: Job) -> str:
        return job.subdir() or self.outcomes.name_of(job)
