"""Loss functions: one number for a batch, and its hand-derived gradient.

Every loss is a mean over ALL n * targets elements, as torch's are, and is called as `loss(prediction,
target)`, both (n, targets). `loss.gradient(prediction, target)` is d loss / d prediction, (n, targets):
what a model with hand-written derivatives starts from, where the others call `backward()`.

Nothing here looks at shapes, since this is the inner loop: an (n,) target against an (n, 1) prediction
would broadcast to (n, n), so whoever builds model and data checks that the two agree, once.
"""

import math
from dataclasses import dataclass, replace
from typing import Any, Protocol

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

    `delta` is in the targets' units, a number or one for each target (targets,). Raises UserError unless it is
    positive and finite.
    """

    delta: float | Tensor = 1.0

    def __post_init__(self) -> None:
        if not isinstance(self.delta, Tensor) and not 0 < self.delta < math.inf:
            raise UserError(
                f"loss.delta={self.delta}: the residual at which Huber's loss turns from squared to "
                "absolute must be positive and finite; use for instance loss.delta=1.0"
            )

    def __call__(self, prediction: Tensor, target: Tensor) -> Tensor:
        """(n, targets), (n, targets) -> ()."""
        if not isinstance(self.delta, Tensor):
            return F.huber_loss(prediction, target, delta=self.delta)
        size = (prediction - target).abs()
        return torch.where(size <= self.delta, size * size / 2, self.delta * (size - self.delta / 2)).mean()

    def gradient(self, prediction: Tensor, target: Tensor) -> Tensor:
        """The residual, held within [-delta, delta], / (n targets)."""
        low: Any = -self.delta  # clamp's two forms, with numbers and with tensors, are typed apart
        return (prediction - target).clamp_(low, self.delta).div_(prediction.numel())


def on_scaled_targets(loss: Any, scale: Tensor | None) -> Any:
    """The loss to train with where targets and predictions (n, targets) are divided by `scale` (targets,).

    Only the residual at which Huber's loss turns has units; it is divided with them.
    """
    return replace(loss, delta=loss.delta / scale) if isinstance(loss, Huber) and scale is not None else loss


SQUARED = (MSE, ManualMSE)
"""The losses that are quadratic in the weights of a linear model."""
BASES = (*SQUARED, L1, Huber)
"""What `loss._target_` may name a subclass of, besides nn.Module."""
