"""Which figures a finished run gets, and from which of its numbers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import torch
from torch import Tensor

from experiments.learning import models
from experiments.learning.class_losses import probabilities
from experiments.learning.losses import SQUARED
from experiments.learning.penalty import penalized, penalty
from experiments.running.figures.canvas import Picture
from experiments.running.figures.confusion import Classified, confusion
from experiments.running.figures.fit import Pair, predicted_against_true
from experiments.running.figures.landscape import Landscape
from experiments.running.figures.loss_curve import loss_curve
from experiments.running.figures.loss_surface import loss_surface
from experiments.running.figures.most_wrong import most_wrong
from experiments.running.figures.plane import plane
from experiments.running.figures.weights import weights
from experiments.tracking.tracker import Tracker

if TYPE_CHECKING:
    from experiments.data.dataset import Dataset
    from experiments.learning.experiment import Experiment
    from experiments.learning.training import Progress

MOST_PLANES = 6
MOST_ROWS = 100_000
"""Rows that the figures are computed from; they show fewer points still."""
ROWS_AT_ONCE = 4_096
"""A network's layers make many numbers of a row."""


@dataclass(frozen=True)
class Logged:
    """The losses that a run logged, also before it was interrupted, and what they are seen beside."""

    records: Sequence[Mapping[str, Any]]
    optimum: float | None
    """The smallest loss of a linear model."""
    kept: int | None
    """The epoch whose weights were kept, where it is not the last."""

    def curve(self, linear: bool, penalized: bool) -> Picture:
        """The figure `loss`, of a model that is linear or not, trained with a penalty or without."""
        epochs = [r["epoch"] for r in self.records]
        train, held = ([r.get(tag) for r in self.records] for tag in ("loss/train", "loss/validation"))
        named = None if self.optimum is None else ("smallest possible" if linear else "best linear fit", self.optimum)
        return loss_curve(epochs, train, held, reference=named, best_epoch=self.kept, penalized=penalized)


def draw(tracker: Tracker, experiment: "Experiment", path: list[Tensor], progress: "Progress") -> None:
    """Put a run's figures into its folder; `path` is that of the weights as trained, empty where it is not known."""
    tracker.flush()
    records = [orjson.loads(line) for line in (tracker.folder / "metrics.jsonl").read_bytes().splitlines()]
    optimum = None if experiment.optimum is None else experiment.optimum.loss
    kept = progress.best_epoch if progress.best is not None and progress.best_epoch != progress.epoch else None
    for tag, png in figures(experiment, Logged(records, optimum, kept), path):
        tracker.figure(tag, png, progress.epoch)


def figures(experiment: "Experiment", logged: Logged, path: list[Tensor]) -> Iterator[tuple[str, Picture]]:
    """`loss` and `prediction`; for linear models also `plane/<target>` and `loss_surface`, if `path` is as trained.

    Of classes `loss`, `confusion` and `most_wrong`, and for linear models `weights`.
    """
    linear, data = models.is_linear(experiment.model), experiment.data
    yield "loss", logged.curve(linear, penalized(experiment.reported_loss))
    table = data.table
    if table.classes is not None:
        yield from _of_classes(experiment).items()
        return
    targets = list(zip(table.targets, table.target_units, strict=True))
    held_out = None if data.held_out is None else _fitted(experiment, data.held_out)
    train = _fitted(experiment, table)
    yield "prediction", predicted_against_true(train, targets, held_out)
    if not linear:
        return
    features = list(zip(table.features, table.feature_units, strict=True))
    x, (weight, bias) = table.x[:MOST_ROWS].to(torch.float64).numpy(), (t.numpy() for t in experiment.parameters())
    for i, target in enumerate(targets[:MOST_PLANES]):
        yield f"plane/{target[0]}", plane(x, train[0][:, i], weight[i], float(bias[i]), features, target)
    if path:
        yield "loss_surface", _surface(experiment, torch.stack(path).to(torch.float64).numpy())


def _of_classes(experiment: "Experiment") -> dict[str, Picture]:
    """The figures of a classifier, by their tags."""
    data, table, parts = experiment.data, experiment.data.table, {}
    for name, rows, total in (
        ("training rows", table, data.rows),
        ("held-out rows", data.held_out, data.validation_rows),
    ):
        if rows is not None:
            y, logits = (torch.from_numpy(part) for part in _fitted(experiment, rows))
            parts["a sample of " * (len(y) < total) + name] = (
                rows.x[: len(y)].numpy(),
                Classified(y[:, 0].long().numpy(), probabilities(logits).numpy()),
            )
    features, labels = list(zip(table.features, table.feature_units, strict=True)), list(map(str, table.classes or ()))
    found = {
        "confusion": confusion({name: rows for name, (_, rows) in parts.items()}, labels),
        "most_wrong": most_wrong(parts, labels, features, table.image),
    }
    if models.is_linear(experiment.model):
        weight, deviation = experiment.parameters()[0].numpy(), table.x[:MOST_ROWS].double().std(0, correction=0)
        found["weights"] = weights(weight, deviation.numpy(), features, table.output_names, table.image)
    return found


def _fitted(experiment: "Experiment", table: "Dataset") -> Pair:
    x, y = (t[:MOST_ROWS].to(torch.float64) for t in (table.x, table.y))
    return y.numpy(), torch.cat([experiment.predict(part) for part in x.split(ROWS_AT_ONCE)]).numpy()


def _surface(experiment: "Experiment", path: np.ndarray) -> Picture:
    data, reported = experiment.data, experiment.reported_loss
    x, y = (t[:MOST_ROWS].to("cpu", torch.float64).numpy() for t in (data.x, data.y))
    has_bias, best = experiment.model.bias is not None, None
    if experiment.optimum is not None:
        optimum = (torch.from_numpy(part) for part in (experiment.optimum.weight, experiment.optimum.bias))
        weight, bias = data.scaling.trained(*optimum)
        best = torch.cat([weight.flatten(), bias] if has_bias else [weight.flatten()]).numpy()

    def loss(prediction: np.ndarray, goal: np.ndarray) -> float:
        return reported(*map(torch.from_numpy, (prediction, goal))).item()

    def extra(weight: np.ndarray) -> float:
        scale = data.scaling.y_scale[:, None]
        return penalty(torch.from_numpy(weight), reported.l2, reported.l1, scale, reported.degree).item()

    squared, scale = isinstance(reported, SQUARED), data.scaling.y_scale.numpy() if data.standardized else 1.0
    landscape = Landscape(
        x, y, has_bias, data.table.features, scale, loss=None if squared else loss,
        penalty=extra if penalized(reported) else None,
    )  # fmt: skip
    name = "mean squared error" if squared else f"{type(reported).__name__} loss"
    return loss_surface(path, landscape, best, f"{name} and penalty" if penalized(reported) else name)
