"""What the runs of a setting came to: its value, also with fresh seeds, and the results that are in no folder."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from optuna.trial import FrozenTrial

from experiments.errors import Failure
from experiments.sweeps.compose.jobs import Job
from experiments.sweeps.launching import Sweep
from experiments.sweeps.results.jobs_table import objective
from experiments.sweeps.resuming import Found, look
from experiments.sweeps.search.space import Space
from experiments.tracking.result import Result, failure

UNWRITTEN = "unwritten"
"""The trial's attribute that has the latter, by the number of the job: a rung ended them, or they failed."""
FIELDS = ("status", "rung", "epochs", "best_epoch", "steps", "lr", "executed", "metrics", "timing", "targets", "error")


def average(runs: Iterable[Result], metric: str, kind: str, sign: int) -> float:
    """The mean or the median of a metric over runs, by `kind`; NaN where one of them has none. Raises UserError.

    `sign`: -1 where more is wanted, so that a run that diverged is worth -inf.
    """
    values = [math.nan if (value := objective(run, metric)) is None else value for run in runs]
    values = [sign * math.inf if math.isinf(value) else value for value in values]
    return float({"mean": np.mean, "median": np.median}[kind](values))


def confirm(
    session: Sweep, space: Space, repeats: Sequence[Sequence[str]], trials: Iterable[FrozenTrial],
    worth: Callable[[Iterable[Result]], float],
) -> dict[int, float]:  # fmt: skip
    """What each of the trials is worth over `repeats`, seeds that the search did not use, on each fold: the best of a
    thousand was lucky, and this says how much.

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
    of_trials: dict[int, list[int]] = {}
    for job, (trial, _) in zip(jobs, named, strict=True):
        of_trials.setdefault(trial.number, []).append(job.number)
    came = again.outcomes.results
    return {trial: worth([came[n] for n in numbers]) for trial, numbers in of_trials.items()}


def unwritten(results: dict[int, Result]) -> dict[str, Any]:
    """What is kept of the jobs' results that are not in a folder."""
    return {
        str(n): {name: getattr(result, name) for name in FIELDS} | {"data_hash": result.environment.get("data_hash")}
        for n, result in results.items()
        if result.status in ("pruned", "failed")
    }


def revived(job: Job, content: dict[str, Any]) -> Result:
    """The result of a job from what was kept of it."""
    blank = failure(job.digest, 0 if job.error else job.value("seed"), Failure(""), {"data_hash": content["data_hash"]})
    return replace(blank, **{name: content[name] for name in FIELDS})
