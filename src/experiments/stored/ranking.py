"""Which run is the best: the metric that runs are ranked by where none is named, and the order that a metric gives."""

from collections.abc import Iterable, Mapping
from typing import Any

FINISHED = ("completed", "stopped_early")
"""Runs whose metrics are worth comparing; the others have diverged, failed, or not ended."""
PER_TARGET = ("r2", "rmse", "validation_r2", "validation_rmse")
"""Metrics of which each target has one; that of `r2` of the target apples is called `r2.apples`."""


def default_metric(runs: Iterable[Mapping[str, Any]]) -> str:
    """validation_loss where every finished run has one, else gap where every one has, else train_loss.

    `runs`: `status` and metrics of each; where none has finished, all of them count.
    """
    found = list(runs)
    found = [run for run in found if run["status"] in FINISHED] or found
    known = (m for m in ("validation_loss", "gap") if found and all(run.get(m) is not None for run in found))
    return next(known, "train_loss")


def larger_is_better(metric: str) -> bool:
    """True of R², over any rows and of any target; of everything else less is better."""
    return metric.partition(".")[0].removeprefix("validation_") == "r2"
