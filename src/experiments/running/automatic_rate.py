"""The rate that `optimizer.lr=auto` takes from the data."""

import math
from typing import Any

from experiments.config.schema import Config, Custom
from experiments.data.prepared import Prepared
from experiments.errors import UserError
from experiments.learning.losses import MSE, ManualMSE


def automatic_lr(config: Config, data: Prepared, loss: Any) -> float:
    """Half the largest rate that is certainly stable for plain descent with this batch size.

    Raises UserError for other losses than the mean squared error and optimizers of the user's own.
    """
    if not isinstance(loss, MSE | ManualMSE) or isinstance(config.optimizer, Custom | None):
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


def round_down(value: float) -> float:
    """`value` to two digits, never above it: a rate to type."""
    if value <= 0 or not math.isfinite(value):
        return value
    digits = math.floor(math.log10(value)) - 1
    return float(f"{math.floor(value / 10.0**digits)}e{digits}")
