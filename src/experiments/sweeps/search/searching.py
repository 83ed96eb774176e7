"""A search from its arguments to its end: generation after generation through the door of an ordinary sweep."""

import math
from collections.abc import Sequence
from typing import Any

from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf

from experiments.config.explain import explained
from experiments.config.schema import Search
from experiments.config.validation import validate_leaf
from experiments.errors import UserError
from experiments.sweeps import dry_run, resuming
from experiments.sweeps.compose.overrides import key_of
from experiments.sweeps.launching import Sweep
from experiments.sweeps.packed.keeping import Keep
from experiments.sweeps.results import stored_sweep, summary
from experiments.sweeps.resuming import Found
from experiments.sweeps.search.generations import Generations
from experiments.sweeps.search.space import read
from experiments.sweeps.sweeping import fixed_settings, keeping, resumable, take_folder, to_store


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
    under_way = Generations(settings, config, searched, session)
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


def _plan(under_way: Generations, session: Sweep, keep: Keep) -> None:
    """`sweep.dry_run`: the first generation, and how many there are."""
    dry_run.show(session, under_way.jobs, keep, halving=under_way.halving())
    settings = under_way.settings
    count = math.ceil(settings.trials / settings.batch)
    each = len(under_way.repeats)
    print(f"search: {settings.trials} trials of {each} runs each in {count} generations; above, the first")
