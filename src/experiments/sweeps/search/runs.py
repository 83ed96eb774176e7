"""What the runs of a setting came to: its value, and those of their results that are in no folder."""

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from experiments.errors import Failure
from experiments.sweeps.compose.jobs import Job
from experiments.sweeps.results.jobs_table import objective
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
