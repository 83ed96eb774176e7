"""Losses of numbers: one number for a batch, and its hand-derived gradient. `class_losses.py` has those of classes.

Every loss is a mean over ALL n * targets elements, as torch's are, and is called as `loss(prediction,
target)`, both (n, targets). `loss.gradient(prediction, target)` is d loss / d prediction, (n, targets):
what a model with hand-written derivatives starts from, where the others call `backward()`.

`l2` and `l1` weigh a penalty that is added to the mean: l2 times the sum of the squared weights and l1 times the sum of
their sizes, as trained, biases left out. It belongs to the weights, not to the residuals: see `penalty.py`.

Nothing here looks at shapes, since this is the inner loop: an (n,) target against an (n, 1) prediction
would broadcast to (n, n), so whoever builds model and data checks that the two agree, once.
"""

import math
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from experiments.errors import UserError


@dataclass(frozen=True)
class ResidualLoss:
    """A mean of a function of the residual, prediction - target; `values` and `slopes` are of one residual each."""

    l2: float = field(default=0.0, kw_only=True)
    l1: float = field(default=0.0, kw_only=True)

    degree: ClassVar[int]
    """Residuals c times as large have a loss c^degree times as large."""

    def values(self, residual: Tensor) -> Tensor:
        """The loss of each residual, whatever their shape."""
        raise NotImplementedError  # each loss has its own

    def slopes(self, residual: Tensor) -> Tensor:
        """The derivatives of `values`: a new tensor of the same shape."""
        raise NotImplementedError  # each loss has its own

    def __call__(self, prediction: Tensor, target: Tensor) -> Tensor:
        """(n, targets), (n, targets) -> ()."""
        return self.values(prediction - target).mean()

    def gradient(self, prediction: Tensor, target: Tensor) -> Tensor:
        """d loss / d prediction, (n, targets)."""
        return self.slopes(prediction - target).div_(prediction.numel())


@dataclass(frozen=True)
class MSE(ResidualLoss):
    """Mean squared error, mean((prediction - target)^2), by torch; in the targets' units squared."""

    degree = 2

    def values(self, residual: Tensor) -> Tensor:
        """residual^2."""
        return residual.square()

    def slopes(self, residual: Tensor) -> Tensor:
        """2 residual."""
        return 2 * residual

    def __call__(self, prediction: Tensor, target: Tensor) -> Tensor:
        """(n, targets), (n, targets) -> ()."""
        return F.mse_loss(prediction, target)

    def gradient(self, prediction: Tensor, target: Tensor) -> Tensor:
        """2 (prediction - target) / (n targets)."""
        return (prediction - target).mul_(2 / prediction.numel())


@dataclass(frozen=True)
class ManualMSE(MSE):
    """Mean squared error written out, as the tutorial does before it turns to F.mse_loss."""

    def __call__(self, prediction: Tensor, target: Tensor) -> Tensor:
        """(n, targets), (n, targets) -> ()."""
        diff = prediction - target
        return torch.sum(diff * diff) / diff.numel()


@dataclass(frozen=True)
class L1(ResidualLoss):
    """Mean absolute error, mean(|prediction - target|), in their units: an outlier pulls no harder than any row."""

    degree = 1

    def values(self, residual: Tensor) -> Tensor:
        """|residual|."""
        return residual.abs()

    def slopes(self, residual: Tensor) -> Tensor:
        """The sign; zero, a subgradient, where the residual is zero."""
        return residual.sign()


@dataclass(frozen=True)
class Huber(ResidualLoss):
    """Squared near the target, absolute far from it (P. J. Huber, 1964).

    The mean, with r = prediction - target, of

        r^2 / 2                        where |r| <= delta
        delta * (|r| - delta / 2)      elsewhere

    `delta` is in the targets' units: a number, or a tensor that broadcasts to the residuals. Raises UserError unless
    it is positive and finite.
    """

    degree = 2  # where delta is scaled too
    delta: float | Tensor = 1.0

    def __post_init__(self) -> None:
        if not isinstance(self.delta, Tensor) and not 0 < self.delta < math.inf:
            raise UserError(
                f"loss.delta={self.delta}: the residual at which Huber's loss turns from squared to "
                "absolute must be positive and finite; use for instance loss.delta=1.0"
            )

    def values(self, residual: Tensor) -> Tensor:
        """See the class."""
        size = residual.abs()
        return torch.where(size <= self.delta, size * size / 2, self.delta * (size - self.delta / 2))

    def slopes(self, residual: Tensor) -> Tensor:
        """The residual, held within [-delta, delta]."""
        low: Any = -self.delta  # clamp's two forms, with numbers and with tensors, are typed apart
        return residual.clamp(low, self.delta)


def on_scaled_targets(loss: Any, scale: Tensor | None) -> Any:
    """The loss to train with where targets and predictions are divided by `scale`, which broadcasts to them.

    Only the residual at which Huber's loss turns has units; it is divided with them.
    """
    return replace(loss, delta=loss.delta / scale) if isinstance(loss, Huber) and scale is not None else loss


SQUARED = (MSE,)
"""The losses that are quadratic in the weights of a linear model."""
BASES = (MSE, ManualMSE, L1, Huber)
"""What `loss._target_` may name a subclass of, besides those of `class_losses` and nn.Module."""
