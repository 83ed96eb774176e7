"""Which run is the best: the metric that runs are ranked by where none is named, and the order it gives."""

from collections.abc import Iterable, Mapping
from typing import Any

FINISHED = ("completed", "stopped_early")
"""Runs whose metrics are worth comparing; the others have diverged, failed, or not ended."""


def default_metric(runs: Iterable[Mapping[str, Any]]) -> str:
    """validation_loss where every finished run has one, else gap where one has, else train_loss.

    `runs`: `status` and metrics of each; where none has finished, all of them count.
    """
    found = list(runs)
    found = [run for run in found if run["status"] in FINISHED] or found
    if found and all(run.get("validation_loss") is not None for run in found):
        return "validation_loss"
    return "gap" if any(run.get("gap") is not None for run in found) else "train_loss"
