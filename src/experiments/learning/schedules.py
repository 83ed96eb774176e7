"""Learning-rate schedules: pure factors on the learning rate, one per epoch.

The learning rate of `epoch` (0-based) is `lr * schedule(epoch)`. A schedule has no state, so resuming at
any epoch needs nothing but the epoch. The formulas are those of torch.optim.lr_scheduler.

Runs trained as one pack each have the numbers of their own schedule: a tensor's powers and cosines are not
rounded like Python's, nor alike everywhere in the tensor. Values out of range raise UserError.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.config.schema import LARGEST
from experiments.errors import UserError


def factor(schedule: Callable[[int], Any], epoch: int) -> float:
    """The factor of an epoch; infinity where the schedule's number is too large. The user's own may give a tensor."""
    try:
        return float(schedule(epoch))
    except OverflowError:
        return math.inf


def scheduled_lr(lr: Any, factor: Any) -> Any:
    """The learning rate of an epoch, numbers or arrays of runs alike: never more than float32 can hold."""
    with np.errstate(over="ignore"):
        return np.minimum(np.multiply(lr, factor), LARGEST)


def _require(name: str, value: float, inside: bool, allowed: str) -> None:
    """Raise UserError unless `value` is `inside`."""
    if not inside:
        raise UserError(f"schedule.{name}={value}: {allowed}")


def _progress(epoch: int, epochs: int) -> float:
    """The part of `epochs` that has passed, held at 1 afterwards."""
    return min(epoch / epochs, 1.0)


@dataclass(frozen=True)
class Constant:
    """The same learning rate in every epoch."""

    def __call__(self, epoch: int) -> float:
        """The factor on the learning rate in this epoch."""
        return 1.0


@dataclass(frozen=True)
class Step:
    """Times `gamma` every `step_size` epochs (StepLR): gamma^floor(epoch / step_size)."""

    step_size: int = 30
    gamma: float = 0.1

    def __post_init__(self) -> None:
        _require("step_size", self.step_size, self.step_size >= 1, "must be at least 1 epoch")
        _require("gamma", self.gamma, self.gamma >= 0, "must not be negative; 0.1 divides by ten")

    def __call__(self, epoch: int) -> float:
        """The factor on the learning rate in this epoch."""
        return self.gamma ** (epoch // self.step_size)


@dataclass(frozen=True)
class Cosine:
    """Half a cosine from 1 down to `minimum` at `epochs`, held there afterwards.

    CosineAnnealingLR (I. Loshchilov and F. Hutter, 2017) with T_max = epochs and eta_min = minimum * lr:

    minimum + (1 - minimum) * (1 + cos(pi * epoch / epochs)) / 2
    """

    epochs: int
    minimum: float = 0.0

    def __post_init__(self) -> None:
        _require("epochs", self.epochs, self.epochs >= 1, "must be at least 1 epoch")
        _require("minimum", self.minimum, 0 <= self.minimum <= 1, "is a part of the learning rate: use 0 to 1")

    def __call__(self, epoch: int) -> float:
        """The factor on the learning rate in this epoch."""
        cosine = math.cos(math.pi * _progress(epoch, self.epochs))
        return self.minimum + (1 - self.minimum) * (1 + cosine) / 2


@dataclass(frozen=True)
class InverseTime:
    """1 / (1 + decay * epoch): halved after 1 / decay epochs (LambdaLR with that function)."""

    decay: float = 0.01

    def __post_init__(self) -> None:
        _require("decay", self.decay, self.decay >= 0, "must not be negative; 0.01 halves it after 100 epochs")

    def __call__(self, epoch: int) -> float:
        """The factor on the learning rate in this epoch."""
        return 1 / (1 + self.decay * epoch)


@dataclass(frozen=True)
class Warmup:
    """A straight line from `start` to 1 over `epochs` epochs, then 1 (LinearLR with end_factor 1)."""

    epochs: int = 10
    start: float = 0.1

    def __post_init__(self) -> None:
        _require("epochs", self.epochs, self.epochs >= 1, "must be at least 1 epoch")
        _require("start", self.start, 0 < self.start <= 1, "is a part of the learning rate: use more than 0, at most 1")

    def __call__(self, epoch: int) -> float:
        """The factor on the learning rate in this epoch."""
        return self.start + (1 - self.start) * _progress(epoch, self.epochs)


BASES = (Constant, Step, Cosine, InverseTime, Warmup)
"""What `schedule._target_` may name a subclass of."""
