"""Learning rates that hold: the one that `optimizer.lr=auto` takes, and the one that a diverged run is told."""

import dataclasses
import logging
import math
import time
from typing import Any

from experiments.config import Config, Custom
from experiments.data.prepared import Prepared
from experiments.errors import UserError
from experiments.losses import MSE, ManualMSE
from experiments.training import Progress, fit

log = logging.getLogger("experiments")


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


def with_lr(config: Config, lr: float) -> Config:
    """The config at another learning rate."""
    if isinstance(config.optimizer, Custom):
        node = Custom(config.optimizer._target_, {**config.optimizer.options, "lr": lr})
    else:
        node = dataclasses.replace(config.optimizer, lr=lr)
    return dataclasses.replace(config, optimizer=node)


def stable_lr(config: Config, data: Prepared, lr: float, seconds: float = 3.0) -> float | None:
    """The largest of lr/2, lr/4, ... at which this very run ends finite and no worse than it began: tried, not guessed.

    None when none was found within `seconds`. Each try trains from the same start on the same batches.
    """
    from experiments.assembly import assemble  # which needs automatic_lr

    if data.streamed:  # an epoch can take longer than anybody would wait for an answer
        return None
    deadline, candidate = time.monotonic() + seconds, lr
    while time.monotonic() < deadline and candidate > 1e-30:
        candidate = round_down(candidate / 2)
        trial = assemble(with_lr(config, candidate), data)
        losses = trial.trained_loss()
        first, progress = losses()[0], Progress()
        steps = fit(
            trial.model, trial.optimizer, trial.loss, trial.schedule, candidate, trial.batches, losses,
            trial.generator, progress, epochs=config.training.epochs, log_every=config.training.log_every,
        )  # fmt: skip
        last = first
        for look in steps:
            if look is not None:
                last = look.train_loss
            if time.monotonic() > deadline:
                return None
        if progress.status == "completed" and math.isfinite(last) and last <= first:
            return candidate
    return None


def round_down(value: float) -> float:
    """`value` to two digits, never above it: a rate to type."""
    if value <= 0 or not math.isfinite(value):
        return value
    digits = math.floor(math.log10(value)) - 1
    return float(f"{math.floor(value / 10.0**digits)}e{digits}")
