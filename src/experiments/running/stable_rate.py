"""The learning rate that a diverged run is told: tried, not guessed."""

import dataclasses
import logging
import math
import time

from experiments.config.schema import Config, Custom
from experiments.data.prepared import Prepared
from experiments.learning.evaluation import evaluator
from experiments.learning.training import Progress, fit
from experiments.running.assembly import assemble
from experiments.running.automatic_rate import round_down

log = logging.getLogger("experiments")


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
    if data.streamed:  # an epoch can take longer than anybody would wait for an answer
        return None
    deadline, candidate = time.monotonic() + seconds, lr
    while time.monotonic() < deadline and candidate > 1e-30:
        candidate = round_down(candidate / 2)
        trial = assemble(with_lr(config, candidate), data)
        first, progress = evaluator(trial)().train, Progress()
        last = first
        for evaluation in fit(trial, progress):
            if evaluation is not None:
                last = evaluation.train_loss
            if time.monotonic() > deadline:
                return None
        if progress.status != "diverged" and math.isfinite(last) and last <= first:
            return candidate
    return None
