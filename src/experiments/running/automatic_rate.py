"""Stable rates of gradient descent, from the largest eigenvalue of the loss: what `optimizer.lr=auto` takes."""

import math
from typing import Any

from experiments.config.schema import MSE, SGD, Config, Custom, ManualMSE
from experiments.data.prepared import Prepared
from experiments.errors import UserError
from experiments.learning import losses


def automatic_lr(config: Config, data: Prepared, loss: Any) -> float:
    """Half the largest rate that is certainly stable for plain descent with this batch size.

    Raises UserError for other losses than the mean squared error and optimizers of the user's own.
    """
    if not isinstance(loss, losses.MSE | losses.ManualMSE) or isinstance(config.optimizer, Custom | None):
        raise UserError(
            "optimizer.lr=auto: a stable rate is known for plain gradient descent on the mean squared error only; "
            "give optimizer.lr a number"
        )
    batch = config.training.batch_size or data.rows
    bias = getattr(config.model, "bias", True)
    limit = data.stability(batch, bias).max_stable_lr
    if not math.isfinite(limit):
        raise UserError("optimizer.lr=auto: every input is zero, so any rate is stable; give optimizer.lr a number")
    return round_down(limit / 2)


def careful_lr(config: Config, data: Prepared) -> float | None:
    """The rate of `optimizer.lr=auto`, also with momentum, whose steps add up to 1 / (1 - momentum) times as long, and
    with weight decay, which makes the loss steeper. None where no stable rate is known.
    """
    optimizer = config.optimizer
    known = isinstance(optimizer, SGD) and isinstance(config.loss, MSE | ManualMSE)
    if not known or isinstance(config.model, Custom):
        return None
    batch = data.stability(config.training.batch_size or data.rows, config.model.bias)
    steepest = batch.lambda_max + optimizer.weight_decay
    return round_down((1 - optimizer.momentum) / steepest) if steepest > 0 and optimizer.momentum < 1 else None


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
