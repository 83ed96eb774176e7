"""Which run is the best: the metric that runs are ranked by where none is named, and the order that a metric gives."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from experiments.config.schema import OF_CLASSES, PER_TARGET

FINISHED = ("completed", "stopped_early")
"""Runs whose metrics are worth comparing; the others have diverged, failed, or not ended."""


def default_metric(runs: Iterable[Mapping[str, Any]]) -> str:
    """validation_loss where every finished run has one, else gap where every one has, else train_loss.

    `runs`: `status` and metrics of each; where none has finished, all of them count.
    """
    metrics = ("validation_loss", "gap")
    counts, known = [0, 0], [dict.fromkeys(metrics, 0), dict.fromkeys(metrics, 0)]
    for run in runs:
        finished = run["status"] in FINISHED
        counts[finished] += 1
        for metric in metrics:
            known[finished][metric] += run.get(metric) is not None
    which = counts[True] > 0
    return next((m for m in metrics if counts[which] and known[which][m] == counts[which]), "train_loss")


def of_targets(metrics: Mapping[str, Any], targets: Sequence[str]) -> dict[str, float | None]:
    """The metrics of which each target has one, as `r2.apples`."""
    return {
        f"{name}.{target}": value
        for name in PER_TARGET
        if isinstance(metrics.get(name), list)
        for target, value in zip(targets, metrics[name], strict=False)
    }


def of_classes(metrics: Mapping[str, Any]) -> list[str]:
    """The names of those metrics that are of classes."""
    return [name for name in metrics if name.removeprefix("validation_") in OF_CLASSES]


def value_of(run: Mapping[str, Any], metric: str) -> float | None:
    """A metric of a run with `of_targets`; `r2` alone is the mean over the targets. None where there is none."""
    if metric not in PER_TARGET:
        return run.get(metric)
    found = [value for name, value in run.items() if name.startswith(f"{metric}.")]
    return sum(found) / len(found) if found and None not in found else None


def larger_is_better(metric: str) -> bool:
    """True of R², accuracies, F1 and ROC AUC, over any rows and of any target; of everything else less is better."""
    return metric.partition(".")[0].removeprefix("validation_") in ("r2", *OF_CLASSES[:-1])
