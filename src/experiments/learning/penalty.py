"""The penalty of the weights: l2 times the sum of their squares and l1 times the sum of their sizes, biases left out.

Its gradient is added to the loss's. Plain gradient descent takes the l1 part by a proximal step instead, which shrinks
every weight by lr * l1 and leaves exact zeros (I. Daubechies, M. Defrise and C. De Mol, 2004: ISTA); other optimizers
get its subgradient, since their steps are not along the gradient.
"""

from typing import Any

import torch
from torch import Tensor, nn

from experiments.learning.models import Model
from experiments.learning.optimizers import ManualOptimizer


def penalty(weights: Tensor, l2: float, l1: float, scale: Tensor | None = None, degree: int = 2) -> Tensor:
    """The penalty of weights (..., targets, features), for each leading index, as trained.

    With the targets' `scale` (targets, 1) it is that of the objective in their units, whose loss is scale^degree times
    the one trained.
    """
    each = l2 * weights.square() + l1 * weights.abs()
    return (each if scale is None else each * scale**degree).sum((-2, -1))


def penalized_weights(model: Model) -> list[Tensor]:
    """The weights that a penalty is on: of a network the matrices, neither biases nor scales."""
    if isinstance(model, nn.Module):
        return [p for p in model.parameters() if p.ndim >= 2]
    return [model.weight]


def penalized(loss: Any) -> bool:
    """Whether a loss has a penalty; a class of the user's own has none that we know of."""
    return bool(getattr(loss, "l2", 0.0) or getattr(loss, "l1", 0.0))


def proximal(optimizer: Any) -> bool:
    """Whether a step is plain gradient descent, so that l1 can be taken by a proximal step."""
    if isinstance(optimizer, ManualOptimizer):
        return optimizer.plain
    plain = ("momentum", "weight_decay", "dampening")
    return type(optimizer) is torch.optim.SGD and not any(optimizer.defaults[name] for name in plain)


class Penalized:
    """An optimizer, with the penalty's part of each step; the face that a step asks for."""

    def __init__(self, optimizer: Any, model: Model, loss: Any) -> None:
        self.optimizer, self.weights = optimizer, penalized_weights(model)
        self.l2, self.l1, self.proximal = loss.l2, loss.l1, proximal(optimizer)

    def step(self) -> None:
        """Descend on the penalised objective."""
        with torch.no_grad():
            for weight in self.weights:
                assert weight.grad is not None
                weight.grad.add_(weight, alpha=2 * self.l2)
                if self.l1 and not self.proximal:
                    weight.grad.add_(weight.sign(), alpha=self.l1)
            self.optimizer.step()
            if self.l1 and self.proximal:
                for weight in self.weights:
                    weight.copy_(shrunk(weight, self._lr() * self.l1))

    def zero_grad(self) -> None:
        """Forget the gradients."""
        self.optimizer.zero_grad()

    def _lr(self) -> float:
        own = isinstance(self.optimizer, ManualOptimizer)
        return self.optimizer.lr if own else self.optimizer.param_groups[0]["lr"]


def shrunk(weight: Tensor, by: Any) -> Tensor:
    """Every weight nearer to zero by `by`, a number or a tensor that broadcasts, and not beyond (soft threshold)."""
    return weight.sign() * (weight.abs() - by).clamp(min=0)
