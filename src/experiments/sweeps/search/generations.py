"""The generations of a search under way: asked for, run, valued, told and stored, one after another.

A generation is one ask of `search.batch` settings, each of which runs with `search.seeds` seeds on every fold. Of the r
runs of trial t the k-th is the job t * r + k, whichever session runs it.
"""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any, cast

from omegaconf import DictConfig

from experiments.config.schema import Search
from experiments.errors import Failure, UserError
from experiments.stored.ranking import default_metric, larger_is_better
from experiments.sweeps.compose.halving import Halving, rungs
from experiments.sweeps.compose.jobs import Job
from experiments.sweeps.launching import Sweep
from experiments.sweeps.results import stored_sweep, summary
from experiments.sweeps.resuming import Found
from experiments.sweeps.search.curve import BestSoFar
from experiments.sweeps.search.ended import BEST, Outcome, importance, ranked, show, write
from experiments.sweeps.search.runs import average, confirm, revived, unwritten
from experiments.sweeps.search.samplers import sampler_of
from experiments.sweeps.search.space import Space
from experiments.sweeps.search.storage import Direction, StoredStudy
from experiments.sweeps.search.study import Setting, Study

FIRST_RUNG = 15
"""The first rung is after this share of the epochs: see docs/search.md for what other shares and `search.eta` found."""


class Generations:
    """A search under way: the study, the jobs of the generation asked for last, and what an earlier session left."""

    def __init__(self, settings: Search, config: DictConfig, space: Space, session: Sweep) -> None:
        """Raises UserError for settings that do not go together."""
        self.settings, self.seed, self.session = settings, int(config.seed), session
        self.folds: int | None = config.data.get("folds")
        self.repeats = space.repeats(range(self.seed, self.seed + settings.seeds), self.folds)
        objective = config.sweep.objective
        self.objectives: list[str] = settings.objectives or ([objective] if objective else [])
        if twice := [name for name in dict.fromkeys(self.objectives) if self.objectives.count(name) > 1]:
            raise UserError(f"search.objectives: has {twice[0]} twice; name each metric once")
        if settings.direction and len(self.objectives) > 1:
            raise UserError(f"search.direction={settings.direction}: is for one objective; each of several has its own")
        if settings.pruner and len(self.objectives) > 1:
            only = f"compares runs by one objective; leave one of {len(self.objectives)}"
            raise UserError(f"search.pruner={settings.pruner}: {only}")
        own = ["maximize" if larger_is_better(name) else "minimize" for name in self.objectives or ["train_loss"]]
        self.directions: list[Direction] = cast(Any, [settings.direction] if settings.direction else own)
        self.signs = [-1 if direction == "maximize" else 1 for direction in self.directions]
        sampler = sampler_of(settings, self.seed, space.distributions, len(self.directions))
        self.study = Study(space, sampler, self.directions)
        self.found = Found()
        self.jobs: list[Job] = []
        self.ends: list[int] = []
        """What earlier sessions had as `search.trials`: a generation that was halved ended there."""
        self.generation = -1
        """The number of the one that was asked for last."""
        self.outcome: Outcome | None = None
        self.curved: bool = config.tracking.tensorboard and len(self.directions) == 1

    def ask(self) -> list[Setting]:
        """The next generation, its jobs composed."""
        first = len(self.study.trials)
        end = min(first + self.settings.batch, self.settings.trials)
        if self.settings.pruner is not None:
            end = min([end, *(earlier for earlier in self.ends if earlier > first)])
        self.generation += 1
        batch = self.study.ask(end - first)
        runs = len(self.repeats)
        overrides = [[*self.study.space.overrides(s.parameters), *repeat] for s in batch for repeat in self.repeats]
        self.jobs = self.session.composed(overrides, range(batch[0].number * runs, (batch[-1].number + 1) * runs))
        return batch

    def run(self, generation: list[Setting], resumed: bool) -> None:
        """Run the generation asked for, and all after it. Raises as `Sweep.run`, and Failure where all trials fail."""
        session = self.session
        self.study.kept = StoredStudy(session.folder, self.settings.storage, self.directions, resumed)
        self._extend(generation, len(self.study.kept.trials))
        curve = BestSoFar(session.folder, self.signs[0]) if self.curved else None
        try:
            while True:
                known = [self.study.restore(setting) for setting in generation]
                halving = None if all(known) else self.halving()
                session.run(self._left(generation, anew=halving is not None), searching=True, halving=halving)
                if not self.objectives:
                    came = session.outcomes.results.values()
                    self.objectives = [default_metric({"status": run.status, **run.metrics} for run in came)]
                if not all(known):
                    self._value(generation)
                self.study.tell(generation)
                trials = self.study.trials
                if not any(trial.values for trial in trials):
                    reason = summary.failures(session.outcomes)[0].removeprefix("failed: ")
                    raise Failure(f"all {len(trials)} trials failed, the search ends: {reason}")
                if curve is not None:
                    curve.add(generation)
                if len(trials) >= self.settings.trials:
                    break
                generation = self.ask()
            self._confirm()
            session.keep.unpack(session.outcomes)
        finally:
            if curve is not None:
                curve.close()
            session.outcomes.write_table()
            show(self.outcome or self._came_to({}), self.settings, len(self.repeats))

    def _extend(self, generation: Sequence[Setting], ended: int) -> None:
        """Store `search.trials` of this session, for those after it. Raises UserError where more have `ended`."""
        wanted = self.settings.trials
        if wanted < ended:
            raise UserError(
                f"search.trials={wanted}: {ended} trials of the search in {self.session.folder} have ended; "
                "ask for as many or more"
            )
        for setting in generation:  # of a search of other parameters nothing is changed
            self.study.restore(setting)
        stored_sweep.extend(self.session.folder, wanted)

    def _confirm(self) -> None:
        """Run the best settings once more, and write what the search came to."""
        trials, session, settings = self.study.trials, self.session, self.settings
        best = ranked(trials, self.directions)[:BEST] if len(self.objectives) == 1 else []
        best = [trial for trial in best if math.isfinite(trial.values[0])]
        fresh = range(self.seed + settings.seeds, self.seed + settings.seeds + settings.confirm)
        again = self.study.space.repeats(fresh, self.folds)
        worth = partial(average, metric=self.objectives[0], kind=settings.average, sign=self.signs[0])
        confirmed = confirm(session, self.study.space, again, best, worth)
        first = {
            number // len(self.repeats): job.name for number, job in sorted(session.outcomes.jobs.items(), reverse=True)
        }
        self.outcome = self._came_to(confirmed)
        write(self.outcome, session.folder, settings.average, first)

    def _came_to(self, confirmed: dict[int, float]) -> Outcome:
        trials, directions = self.study.trials, self.directions
        return Outcome(trials, directions, self.objectives, confirmed, importance(trials, directions))

    def halving(self) -> Halving | None:
        """How the runs of a generation are compared while they train, if they are."""
        settings = self.settings
        if settings.pruner is None:
            return None
        epochs = max((job.value("training.epochs") for job in self.jobs if job.error is None), default=1)
        marks = rungs(settings.min_epochs or max(1, epochs // FIRST_RUNG), settings.eta, epochs)
        if settings.pruner == "hyperband":  # each generation is a bracket, which begins one rung later
            marks = marks[self.generation % (len(marks) + 1) :]
        objective = self.objectives[0] if self.objectives else None
        return Halving(marks, settings.eta, len(self.repeats), settings.average, objective, self.signs[0])

    def _left(self, generation: Sequence[Setting], anew: bool) -> list[Job]:
        """The jobs that an earlier session has not ended, or all of them `anew`; the others enter the table."""
        unwritten = {number: its for setting in generation for number, its in setting.unwritten.items()}
        left, begun = [], set()
        for job in self.jobs:
            known = None if anew else self.found.ended.get(job.number)
            if not anew and str(job.number) in unwritten:
                self.session.outcomes.enter(job, revived(job, unwritten[str(job.number)]))
            elif known is not None and known[0].digest == job.digest:
                job.name = known[0].name
                self.session.outcomes.enter(job, known[1])
            else:
                left.append(job)
                if job.number in self.found.numbers:
                    begun.add(job.number)
        self.session.folders.begun |= begun
        return left

    def _value(self, generation: Sequence[Setting]) -> None:
        """What each setting came to: the mean or median over its seeds and folds, of each objective."""
        came, each = self.session.outcomes.results, len(self.repeats)
        for at, setting in enumerate(generation):
            runs = {job.number: came[job.number] for job in self.jobs[at * each : (at + 1) * each]}
            setting.unwritten = unwritten(runs)
            setting.pruned = max((run.epochs for run in runs.values() if run.status == "pruned"), default=None)
            if any(run.status == "failed" for run in runs.values()):
                continue
            wanted = zip(self.objectives, self.signs, strict=True)
            setting.values = [average(runs.values(), name, self.settings.average, sign) for name, sign in wanted]
            for name, value in zip(self.objectives, setting.values, strict=True):
                if math.isnan(value):
                    raise UserError(f"search.objectives={name}: job {setting.number * each} has none; see --help")

    def progress(self) -> str:
        """How far the search came."""
        return f"{len(self.study.trials)} of {self.settings.trials} trials"
