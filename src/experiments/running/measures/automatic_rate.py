"""Stable rates of gradient descent, from the largest eigenvalue of the loss: what `optimizer.lr=auto` takes."""

import math
from typing import Any

from experiments.config.schema import SGD, Config, Model
from experiments.data.prepared import Prepared
from experiments.errors import UserError
from experiments.learning.class_losses import CrossEntropy
from experiments.learning.losses import SQUARED, Huber


def automatic_lr(config: Config, data: Prepared, loss: Any) -> float:
    """The careful rate, of plain descent. Raises UserError where none is known."""
    if (rate := careful_lr(config, data, loss)) is not None:
        return rate
    bounded = largest_curvature(loss, data) is not None
    if bounded and isinstance(config.model, Model) and isinstance(config.optimizer, SGD):
        raise UserError("optimizer.lr=auto: every input is zero, so any rate is stable; give optimizer.lr a number")
    raise UserError(
        "optimizer.lr=auto: a stable rate is known for plain gradient descent of a linear model on the mean "
        "squared error, Huber's loss and cross-entropy; give optimizer.lr a number, see `experiments diagnose`"
    )


def careful_lr(config: Config, data: Prepared, loss: Any) -> float | None:
    """Half the largest rate that is certainly stable for plain descent with this batch size: 2 / the largest curvature.

    With momentum, whose steps add up to 1 / (1 - momentum) times as long, that much less. None for losses whose
    curvature has no bound, models that are not linear, other optimizers, and where every input is zero.
    """
    optimizer, bend = config.optimizer, largest_curvature(loss, data)
    if bend is None or not isinstance(optimizer, SGD) or not isinstance(config.model, Model):
        return None
    batch = data.stability(config.training.batch_size or data.rows, config.model.bias)
    steepest = batch.lambda_max * bend + 2 * loss.l2 + optimizer.weight_decay
    known = steepest > 0 and math.isfinite(2 / steepest) and optimizer.momentum < 1
    return round_down((1 - optimizer.momentum) / steepest) if known else None


def largest_curvature(loss: Any, data: Prepared) -> float | None:
    """How much a loss can curve at most, as a share of what the mean squared error does; None without a bound.

    A row's cross-entropy has a second derivative of at most 1/4 along the logit of two classes, of at most 1/2 along
    any direction of many logits (D. Böhning, 1992), where the square has 2.
    """
    if isinstance(loss, SQUARED):
        return 1.0
    if isinstance(loss, Huber):
        return 0.5
    if not isinstance(loss, CrossEntropy):
        return None
    unequal = max(loss.weight) / min(loss.weight) if loss.weight else 1.0
    return unequal * (1 / 8 if data.table.outputs == 1 else 1 / 4)


def largest_stable_lr(optimizer: SGD, lambda_max: float) -> float:
    """Full-batch descent on a loss whose largest eigenvalue is `lambda_max` converges below this rate.

    2 (1 + momentum) / lambda_max for the heavy ball (B. Polyak, 1964); divided by 1 + 2 momentum for Nesterov's.
    """
    beta, steepest = optimizer.momentum, lambda_max + optimizer.weight_decay
    share = 1 + 2 * beta if optimizer.nesterov else 1 - optimizer.dampening if beta else 1
    return 2 * (1 + beta) / (share * steepest) if share * steepest > 0 else math.inf


def round_down(value: float) -> float:
    """`value` to two digits, never above it: a rate to type."""
    if value <= 0 or not math.isfinite(value):
        return value
    digits = math.floor(math.log10(value)) - 1
    return float(f"{math.floor(value / 10.0**digits)}e{digits}")
