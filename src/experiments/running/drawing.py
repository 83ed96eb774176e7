"""Which figures a finished run gets, and from which of its numbers."""

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from experiments.exact.optimum import Optimum
from experiments.learning import models
from experiments.learning.losses import MSE, ManualMSE
from experiments.running.figures import figures, loss_surface
from experiments.tracking.tracker import Tracker

if TYPE_CHECKING:
    from experiments.learning.experiment import Experiment

MOST_PLANES = 6
MOST_ROWS = 100_000
"""Rows that the figures are computed from; they show fewer points still."""


def draw(tracker: Tracker, experiment: "Experiment", optimum: Optimum | None, path: list[Tensor], epoch: int) -> None:
    """`plane/<target>` and `loss_surface` for linear models, `prediction` for all. `path` is as trained."""
    data = experiment.data
    x, y = (t[:MOST_ROWS].to(torch.float64) for t in (data.table.x, data.table.y))
    prediction = experiment.predict(x).numpy()
    tracker.figure(
        "prediction",
        figures.predicted_against_true(y.numpy(), prediction, data.table.targets, data.table.target_units),
        epoch,
    )
    if not models.is_linear(experiment.model):
        return
    weight, bias = (t.numpy() for t in experiment.parameters())
    for i, target in enumerate(data.table.targets[:MOST_PLANES]):
        png = figures.plane(
            x.numpy(), y[:, i].numpy(), weight[i], float(bias[i]), data.table.features, data.table.feature_units,
            target, data.table.target_units[i],
        )  # fmt: skip
        tracker.figure(f"plane/{target}", png, epoch)
    if path:
        tracker.figure("loss_surface", _surface(experiment, optimum, path), epoch)


def _surface(experiment: "Experiment", optimum: Optimum | None, path: list[Tensor]) -> bytes:
    data, model = experiment.data, experiment.model
    x, y = (t[:MOST_ROWS].to("cpu", torch.float64) for t in (data.x, data.y))
    points = torch.stack(path).to(torch.float64).numpy()
    has_bias = model.bias is not None
    if isinstance(experiment.loss, MSE | ManualMSE):
        best = None
        if optimum is not None and (has_bias or not data.standardized):
            weight, bias = data.scaling.trained(*map(torch.from_numpy, (optimum.weight, optimum.bias)))
            best = torch.cat([weight.flatten(), bias] if has_bias else [weight.flatten()])
        return loss_surface.loss_surface(
            points, x.numpy(), y.numpy(), has_bias, feature_names=data.table.features,
            optimum=None if best is None else best.numpy(),
        )  # fmt: skip
    size = y.shape[1] * x.shape[1]

    def loss(point: np.ndarray) -> float:
        at = torch.from_numpy(point)
        prediction = x @ at[:size].reshape(y.shape[1], -1).t()
        return experiment.loss(prediction + at[size:] if has_bias else prediction, y).item()

    name = type(experiment.loss).__name__
    return loss_surface.loss_surface(
        points, x.numpy(), y.numpy(), has_bias, loss=loss, loss_name=f"{name} loss", feature_names=data.table.features
    )
