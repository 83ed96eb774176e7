"""The best settings once more with fresh seeds: the best of a thousand was lucky, and this says how much."""

from collections.abc import Iterable

import numpy as np
from optuna.trial import FrozenTrial

from experiments.config.schema import Search
from experiments.sweeps.launching import Sweep
from experiments.sweeps.results import jobs_table
from experiments.sweeps.resuming import Found, look
from experiments.sweeps.search.space import Space


def confirm(
    session: Sweep, space: Space, settings: Search, seed: int, trials: Iterable[FrozenTrial], objective: str
) -> dict[int, float]:
    """What each of the trials is worth over `search.confirm` seeds that the search did not use.

    The jobs lie in the folder `confirm`, which has a table of its own. Raises as `Sweep.run`.
    """
    seeds = [seed + settings.seeds + k for k in range(settings.confirm)]
    named = [(trial, s) for trial in trials for s in seeds]
    if not named:
        return {}
    again = session.beside("confirm")
    jobs = again.composed([[*space.overrides(t.params), f"seed={s}"] for t, s in named], range(len(named)))
    found = Found()
    for job, (trial, own) in zip(jobs, named, strict=True):
        job.name = f"trial_{trial.number}_seed={own}"
        if (again.folder / job.name).is_dir():
            look(again.folder / job.name, job.number, job.name, found)
    ended = {n: result for n, (known, result) in found.ended.items() if known.digest == jobs[n].digest}
    again.take_over([], [(jobs[n], result) for n, result in ended.items()], found.numbers - ended.keys())
    again.run([job for job in jobs if job.number not in ended])
    values: dict[int, list[float]] = {}
    for job, (trial, _) in zip(jobs, named, strict=True):
        value = jobs_table.objective(again.outcomes.results[job.number], objective)
        values.setdefault(trial.number, []).append(np.nan if value is None else value)
    average = np.mean if settings.average == "mean" else np.median
    return {number: float(average(of_runs)) for number, of_runs in values.items()}
