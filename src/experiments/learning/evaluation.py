"""What a run is worth after an epoch: losses over ALL the rows, in the table's units, and the gap to the optimum."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from experiments.learning import models
from experiments.learning.class_losses import CrossEntropy
from experiments.learning.experiment import Experiment
from experiments.learning.losses import SQUARED, ResidualLoss
from experiments.learning.penalty import penalized, penalized_weights, penalty

Distance = Callable[[Tensor, Tensor], Tensor]
"""From x and the predictions of a block to their mean squared distance from the optimum's predictions."""


class Losses(NamedTuple):
    """Over all rows, the training loss with its penalty. None where there is no such thing."""

    train: float
    validation: float | None = None
    gap: float | None = None
    accuracy: float | None = None
    validation_accuracy: float | None = None


class Evaluation(NamedTuple):
    """The losses after an epoch, and the rate it was trained at."""

    epoch: int
    step: int
    lr: float
    train_loss: float
    validation_loss: float | None
    gap: float | None = None
    accuracy: float | None = None
    validation_accuracy: float | None = None


def evaluator(experiment: Experiment) -> Callable[[], Losses]:
    """A function that gives the losses as they stand: one transfer from the device for all of them."""
    data, linear = experiment.data, models.is_linear(experiment.model)
    distance = optimum_distance(experiment)
    classes = isinstance(experiment.reported_loss, CrossEntropy)

    def evaluate() -> Losses:
        found = [_means(experiment, data.placed_blocks(), distance), total_penalty(experiment)]
        if data.validation_rows:
            found.append(_means(experiment, data.placed_blocks(held_out=True), None))
        values = iter(torch.cat(found).tolist())  # the losses leave the device here
        train, accuracy = next(values), next(values) if classes else None
        gap = None if distance is None else next(values)
        train += next(values)
        if experiment.optimum is not None and linear:  # below it there is only rounding
            gap = max(train - experiment.optimum.loss if gap is None else gap, 0.0)
        return Losses(train, next(values, None), gap, accuracy, next(values, None))

    return evaluate


def _means(experiment: Experiment, blocks: Iterator[tuple[Tensor, Tensor]], distance: Distance | None) -> Tensor:
    """Loss, accuracy of classes, and distance from the optimum's predictions where asked for, over blocks of rows."""
    loss, scale = experiment.reported_loss, experiment.data.target_scale
    parts, weights = [], []
    with torch.no_grad(), models.evaluating(experiment.model):
        for x, y in blocks:
            if not len(x):
                continue
            prediction, weight = experiment.model(x), [float(len(x))]
            if scale is not None:  # then the loss is a function of the residual: the targets' shift cancels
                prediction, y = prediction * scale, y * scale
            found = [loss(prediction, y)]
            if isinstance(loss, CrossEntropy):
                found.append(loss.right(prediction, y).to(prediction.dtype).mean())
                weight = [float(loss.row_weights(prediction, y).sum()), *weight] if loss.weight else weight * 2
            if distance is not None:
                found.append(distance(x, prediction))
                weight.append(len(x))
            parts.append(torch.stack(found))
            weights.append(weight)
    every = experiment.data.everyones(list(zip(parts, weights, strict=True)))
    if len(every) == 1:
        return every[0][0]
    parts, weights = zip(*every, strict=True)
    shares = torch.tensor(weights, dtype=torch.float64)
    return (torch.stack(parts).to("cpu", torch.float64) * shares / shares.sum(0)).sum(0)


def total_penalty(experiment: Experiment) -> Tensor:
    """The penalty of the weights, in the targets' units; zero, (1,), where there is none. A stream's is on the CPU."""
    loss, data = experiment.reported_loss, experiment.data
    total = data.y.new_zeros(1)
    if penalized(loss):
        degree = loss.degree if isinstance(loss, ResidualLoss) else 0
        scale = None if data.target_scale is None else data.target_scale[:, None]
        with torch.no_grad():
            for weight in penalized_weights(experiment.model):
                total = total + penalty(weight.flatten(1), loss.l2, loss.l1, scale, degree)
    return total.cpu() if data.streamed else total


def optimum_distance(experiment: Experiment) -> Distance | None:
    """The mean squared distance from the optimum's predictions: mse - its smallest, without cancellation.

    The optimum's residuals are orthogonal to all linear predictions, so that the two are equal. None for what is not
    a linear model under squares without a penalty, or has no optimum.
    """
    data, optimum, loss = experiment.data, experiment.optimum, experiment.reported_loss
    if optimum is None or not models.is_linear(experiment.model):
        return None
    if not isinstance(loss, SQUARED) or penalized(loss):
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
