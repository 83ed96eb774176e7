"""Loss functions: one number for a batch, and its hand-derived gradient.

Every loss is a mean over ALL n * targets elements, as torch's are, and is called as `loss(prediction,
target)`, both (n, targets). `loss.gradient(prediction, target)` is d loss / d prediction, (n, targets):
what a model with hand-written derivatives starts from, where the others call `backward()`.

Nothing here looks at shapes, since this is the inner loop: an (n,) target against an (n, 1) prediction
would broadcast to (n, n), so whoever builds model and data checks that the two agree, once.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from experiments.errors import UserError


class Loss(Protocol):
    """What the training loop asks of a loss."""

    def __call__(self, prediction: Tensor, target: Tensor, /) -> Tensor:
        """The loss of a batch: (n, targets), (n, targets) -> ()."""
        ...

    def gradient(self, prediction: Tensor, target: Tensor, /) -> Tensor:
        """d loss / d prediction: (n, targets), (n, targets) -> (n, targets)."""
        ...


@dataclass(frozen=True)
class MSE:
    """Mean squared error, mean((prediction - target)^2), by torch."""

    def __call__(self, prediction: Tensor, target: Tensor) -> Tensor:
        """(n, targets), (n, targets) -> (), in the targets' units squared."""
        return F.mse_loss(prediction, target)

    def gradient(self, prediction: Tensor, target: Tensor) -> Tensor:
        """2 (prediction - target) / (n targets)."""
        return (prediction - target).mul_(2 / prediction.numel())


@dataclass(frozen=True)
class ManualMSE:
    """Mean squared error written out, as the tutorial does before it turns to F.mse_loss."""

    def __call__(self, prediction: Tensor, target: Tensor) -> Tensor:
        """(n, targets), (n, targets) -> (), in the targets' units squared."""
        diff = prediction - target
        return torch.sum(diff * diff) / diff.numel()

    def gradient(self, prediction: Tensor, target: Tensor) -> Tensor:
        """2 (prediction - target) / (n targets)."""
        return (prediction - target).mul_(2 / prediction.numel())


@dataclass(frozen=True)
class L1:
    """Mean absolute error, mean(|prediction - target|): an outlier pulls no harder than any other row."""

    def __call__(self, prediction: Tensor, target: Tensor) -> Tensor:
        """(n, targets), (n, targets) -> (), in the targets' units."""
        return F.l1_loss(prediction, target)

    def gradient(self, prediction: Tensor, target: Tensor) -> Tensor:
        """sign(prediction - target) / (n targets); zero, a subgradient, where the two are equal."""
        return (prediction - target).sign_().div_(prediction.numel())


@dataclass(frozen=True)
class Huber:
    """Squared near the target, absolute far from it (P. J. Huber, 1964).

    The mean, with r = prediction - target, of

        r^2 / 2                        where |r| <= delta
        delta * (|r| - delta / 2)      elsewhere

    `delta` is in the targets' units. Raises UserError unless it is positive and finite.
    """

    delta: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.delta < math.inf:
            raise UserError(
                f"loss.delta={self.delta}: the residual at which Huber's loss turns from squared to "
                "absolute must be positive and finite; use for instance loss.delta=1.0"
            )

    def __call__(self, prediction: Tensor, target: Tensor) -> Tensor:
        """(n, targets), (n, targets) -> ()."""
        return F.huber_loss(prediction, target, delta=self.delta)

    def gradient(self, prediction: Tensor, target: Tensor) -> Tensor:
        """The residual, held within [-delta, delta], / (n targets)."""
        return (prediction - target).clamp_(-self.delta, self.delta).div_(prediction.numel())


BASES = (MSE, ManualMSE, L1, Huber)
"""What `loss._target_` may name a subclass of, besides nn.Module."""
