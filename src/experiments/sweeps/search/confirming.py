"""The best settings once more with fresh seeds: the best of a thousand was lucky, and this says how much."""

from collections.abc import Iterable, Sequence

import numpy as np
from optuna.trial import FrozenTrial

from experiments.sweeps.launching import Sweep
from experiments.sweeps.results import jobs_table
from experiments.sweeps.resuming import Found, look
from experiments.sweeps.search.space import Space


def confirm(
    session: Sweep, space: Space, average: str, repeats: Sequence[Sequence[str]], trials: Iterable[FrozenTrial],
    objective: str,
) -> dict[int, float]:  # fmt: skip
    """What each of the trials is worth over `repeats`, seeds that the search did not use, on each fold.

    The jobs lie in the folder `confirm`, which has a table of its own. Raises as `Sweep.run`.
    """
    named = [(trial, repeat) for trial in trials for repeat in repeats]
    if not named:
        return {}
    again = session.beside("confirm")
    jobs = again.composed([[*space.overrides(t.params), *repeat] for t, repeat in named], range(len(named)))
    found = Found()
    for job, (trial, own) in zip(jobs, named, strict=True):
        job.name = "_".join([f"trial_{trial.number}", *(o.removeprefix("data.") for o in own)])
        if (again.folder / job.name).is_dir():
            look(again.folder / job.name, job.number, job.name, found)
    ended = {n: result for n, (known, result) in found.ended.items() if known.digest == jobs[n].digest}
    again.take_over([], [(jobs[n], result) for n, result in ended.items()], found.numbers - ended.keys())
    again.run([job for job in jobs if job.number not in ended])
    values: dict[int, list[float]] = {}
    for job, (trial, _) in zip(jobs, named, strict=True):
        value = jobs_table.objective(again.outcomes.results[job.number], objective)
        values.setdefault(trial.number, []).append(np.nan if value is None else value)
    middle = np.mean if average == "mean" else np.median
    return {number: float(middle(of_runs)) for number, of_runs in values.items()}
