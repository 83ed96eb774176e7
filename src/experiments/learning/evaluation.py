"""What a run is worth after an epoch: losses over ALL the rows, in the table's units, and the gap to the optimum."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from experiments.learning import models
from experiments.learning.experiment import Experiment
from experiments.learning.losses import SQUARED

Blocks = Callable[[], Iterator[tuple[Tensor, Tensor]]]


class Losses(NamedTuple):
    """Over all rows; None without validation rows, and where the optimum is not known."""

    train: float
    validation: float | None = None
    gap: float | None = None


class Evaluation(NamedTuple):
    """The losses after an epoch, and the rate it was trained at."""

    epoch: int
    step: int
    lr: float
    train_loss: float
    validation_loss: float | None
    gap: float | None = None


def evaluator(experiment: Experiment) -> Callable[[], Losses]:
    """A function that gives the losses as they stand: one transfer from the device for all of them.

    Every loss of scaled targets is a function of the residual, so both sides are multiplied by the targets' scale;
    the shift cancels.
    """
    data, linear = experiment.data, models.is_linear(experiment.model)
    distance = _distance(experiment) if linear and isinstance(experiment.reported_loss, SQUARED) else None

    def evaluate() -> Losses:
        found = _means(experiment, data.placed_blocks, distance)
        if data.validation_rows:
            found = torch.cat([found, _means(experiment, lambda: data.placed_blocks(held_out=True), None)])
        train, *others = found.tolist()  # the losses leave the device here
        gap = others.pop(0) if distance is not None else None
        if gap is None and experiment.optimum is not None:
            gap = train - experiment.optimum.loss
            gap = max(gap, 0.0) if linear else gap  # below the optimum of a linear model there is only rounding
        return Losses(train, others[0] if others else None, gap)

    return evaluate


def _means(experiment: Experiment, blocks: Blocks, distance: Callable[[Tensor, Tensor], Tensor] | None) -> Tensor:
    """Loss, and distance from the optimum's predictions where asked for, of blocks of rows weighted by their size."""
    scale = experiment.data.target_scale
    parts, sizes = [], []
    with torch.no_grad(), models.evaluating(experiment.model):
        for x, y in blocks():
            if not len(x):
                continue
            prediction = experiment.model(x)
            if scale is not None:
                prediction, y = prediction * scale, y * scale
            found = [experiment.reported_loss(prediction, y)]
            parts.append(torch.stack(found if distance is None else [*found, distance(x, prediction)]))
            sizes.append(len(x))
    if len(parts) == 1:
        return parts[0]
    weights = torch.tensor(sizes, dtype=torch.float64) / sum(sizes)
    return weights @ torch.stack(parts).to("cpu", torch.float64)


def _distance(experiment: Experiment) -> Callable[[Tensor, Tensor], Tensor] | None:
    """The mean squared distance from the optimum's predictions: mse - its smallest, without cancellation.

    The optimum's residuals are orthogonal to all linear predictions, so that the two are equal.
    """
    data, optimum = experiment.data, experiment.optimum
    if optimum is None:
        return None
    weight, bias = data.scaling.trained(torch.from_numpy(optimum.weight), torch.from_numpy(optimum.bias))
    weight, bias = (t.to(data.x.device, data.x.dtype) for t in (weight, bias))
    scale = data.target_scale
    kept: Tensor | None = None

    def distance(x: Tensor, prediction: Tensor) -> Tensor:
        nonlocal kept
        if (best := kept) is None:
            best = torch.addmm(bias, x, weight.t())
            best = best if scale is None else best * scale
            kept = None if data.streamed else best  # a table in memory is one block, always the same
        return (prediction - best).square_().mean()

    return distance
