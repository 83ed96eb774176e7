"""A search from its arguments to its end: generation after generation through the door of an ordinary sweep.

A generation is one ask of `search.batch` settings, each of which runs with `search.seeds` seeds on every fold. Of the r
runs of trial t the k-th is the job t * r + k, whichever session runs it.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf

from experiments.config.explain import explained
from experiments.config.schema import Search
from experiments.config.validation import validate_leaf
from experiments.errors import Failure, UserError
from experiments.stored.ranking import default_metric, larger_is_better
from experiments.sweeps import dry_run, resuming
from experiments.sweeps.compose.halving import Halving, rungs
from experiments.sweeps.compose.jobs import Job
from experiments.sweeps.compose.overrides import key_of, over_folds
from experiments.sweeps.launching import Sweep
from experiments.sweeps.packed.keeping import Keep
from experiments.sweeps.results import jobs_table, stored_sweep, summary
from experiments.sweeps.resuming import Found
from experiments.sweeps.search.confirming import confirm
from experiments.sweeps.search.curve import Curve
from experiments.sweeps.search.ended import BEST, Outcome, importance, ranked, show, write
from experiments.sweeps.search.samplers import sampler_of
from experiments.sweeps.search.space import Space, read
from experiments.sweeps.search.storage import Direction, Kept
from experiments.sweeps.search.study import Setting, Study
from experiments.sweeps.search.unwritten import kept, revived
from experiments.sweeps.sweeping import fixed_settings, keeping, resumable, take_folder, to_store

FIRST_RUNG = 15
"""The first rung is after this share of the epochs: see docs/search.md for what other shares and `search.eta` found."""


def search(arguments: Sequence[str], context: HydraContext, config: DictConfig, session: Sweep | None) -> None:
    """Run a whole search; `outcomes.LATEST` has its jobs. Raises UserError, Failure, KeyboardInterrupt."""
    if session is None:
        raise UserError("hydra/sweeper=search: trains packs; leave out hydra/launcher, or use hydra/sweeper=optuna")
    if not getattr(session.engine, "wait", True):
        raise UserError("hydra.launcher.wait=false: a search waits for each generation before it asks for the next")
    settings = _settings(config)
    with explained():
        searched = read(arguments, context)
    session.outcomes.ranked = False
    resumed = take_folder(session, config)
    under_way = _Search(settings, config, searched, session)
    if resumed:
        under_way.ends = stored_sweep.extents(session.folder)
    generation = under_way.ask()
    if all(job.error for job in under_way.jobs):
        raise UserError(under_way.jobs[0].error or "")
    keep = Keep.of("all" if config.sweep.keep is None else config.sweep.keep, 0)
    if config.sweep.dry_run:
        _plan(under_way, session, keep)
        return
    varied = {*map(key_of, (*searched.distributions, *under_way.repeats[0]))}
    fixed = fixed_settings(under_way.jobs, [list(job.overrides) for job in under_way.jobs], varied, session)
    if resumed:
        stored_sweep.require_same_settings(session.folder, fixed, varied)
    with stored_sweep.held(session.folder):
        if not resumed:
            stored_sweep.write(session.folder, [*to_store(arguments, config), "hydra/sweeper=search"], varied, fixed)
        keeping(session, keep, settings.trials * settings.seeds)
        under_way.found = resuming.scan(session.folder) if resumed else Found()
        with resumable(session, under_way.progress):
            under_way.run(generation, resumed)
    summary.require_success(session.outcomes)


def _settings(config: DictConfig) -> Search:
    plain: Any = OmegaConf.to_container(config.search, resolve=True)
    return Search(**{name: validate_leaf({}, f"search.{name}", value) for name, value in plain.items()})


class _Search:
    """A search under way: the study, the jobs of the generation asked for last, and what an earlier session left."""

    def __init__(self, settings: Search, config: DictConfig, space: Space, session: Sweep) -> None:
        self.settings, self.seed, self.session = settings, int(config.seed), session
        self.folds: int | None = config.data.get("folds")
        self.repeats = repeats(space, range(self.seed, self.seed + settings.seeds), self.folds)
        objective = config.sweep.objective
        named = settings.objectives or ([objective] if objective else [])
        if settings.direction and len(named) > 1:
            raise UserError(f"search.direction={settings.direction}: is for one objective; each of several has its own")
        if settings.pruner and len(named) > 1:
            raise UserError(
                f"search.pruner={settings.pruner}: compares runs by one objective; leave one of {len(named)}"
            )
        self.objectives = named
        given: Any = settings.direction
        self.directions: list[Direction] = [given or _direction(name) for name in named or ["train_loss"]]
        sampler = sampler_of(settings, self.seed, space.distributions, len(self.directions))
        self.study = Study(space, sampler, self.directions)
        self.found = Found()
        self.jobs: list[Job] = []
        self.told: list[Setting] = []
        self.ends: list[int] = []
        """What earlier sessions had as `search.trials`: a generation that was halved ended there."""
        self.generation = -1
        """The number of the one that was asked for last."""
        self.outcome: Outcome | None = None
        self.curve = Curve(self.directions[0], on=config.tracking.tensorboard and len(self.directions) == 1)

    def ask(self) -> list[Setting]:
        """The next generation, its jobs composed."""
        first = len(self.told)
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
        self.study.kept = Kept(session.folder, self.settings.storage, self.directions, resumed)
        self._extend(generation, len(self.study.kept.trials))
        self.curve.begin(session.folder)
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
                self.told += generation
                if not any(setting.values for setting in self.told):
                    reason = summary.failures(session.outcomes)[0].removeprefix("failed: ")
                    raise Failure(f"all {len(self.told)} trials failed, the search ends: {reason}")
                self.curve.add(generation)
                if len(self.told) >= self.settings.trials:
                    break
                generation = self.ask()
            self._confirm()
            session.keep.unpack(session.outcomes)
        finally:
            self.curve.close()
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
        again = repeats(self.study.space, fresh, self.folds)
        confirmed = confirm(session, self.study.space, settings.average, again, best, self.objectives[0])
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
        sign = -1 if self.directions[0] == "maximize" else 1
        return Halving(marks, settings.eta, len(self.repeats), settings.average, objective, sign)

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
        came = self.session.outcomes.results
        average = {"mean": np.mean, "median": np.median}[self.settings.average]
        each = len(self.repeats)
        for at, setting in enumerate(generation):
            runs = [came[job.number] for job in self.jobs[at * each : (at + 1) * each]]
            setting.unwritten = kept(dict(enumerate(runs, start=setting.number * each)))
            setting.pruned = max((run.epochs for run in runs if run.status == "pruned"), default=None)
            if any(run.status == "failed" for run in runs):
                continue
            numbers = [[jobs_table.objective(run, name) for run in runs] for name in self.objectives]
            for name, of_runs in zip(self.objectives, numbers, strict=True):
                if None in of_runs:
                    raise UserError(f"search.objectives={name}: job {setting.number * each} has none; see --help")
            setting.values = [float(average([n for n in of_runs if n is not None])) for of_runs in numbers]

    def progress(self) -> str:
        """How far the search came."""
        return f"{len(self.told)} of {self.settings.trials} trials"


def repeats(space: Space, seeds: Iterable[int], folds: int | None) -> list[list[str]]:
    """The overrides of the runs that a setting has besides its own: each seed, and with it each fold if none is named.

    `folds`: those of the config.
    """
    own = [override for override in space.given.values() if override]
    return [[o for o in job if o not in own] for seed in seeds for job in over_folds([*own, f"seed={seed}"], folds)]


def _direction(metric: str) -> Direction:
    return "maximize" if larger_is_better(metric) else "minimize"


def _plan(under_way: _Search, session: Sweep, keep: Keep) -> None:
    """`sweep.dry_run`: the first generation, and how many there are."""
    dry_run.show(session, under_way.jobs, keep, halving=under_way.halving())
    settings = under_way.settings
    count = math.ceil(settings.trials / settings.batch)
    each = len(under_way.repeats)
    print(f"search: {settings.trials} trials of {each} runs each in {count} generations; above, the first")
