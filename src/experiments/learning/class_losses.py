"""Cross-entropy: the mean negative log-likelihood of the rows' classes, and its hand-derived gradient.

The target (n, 1) holds the number of a row's class. Two classes have one output, the logit of the second (logistic
regression); k > 2 classes have k logits (softmax). What follows is written for (..., k, ...) with the classes at
dimension 1, so that one run's (n, k) and a pack's (runs, k, n) share it. With q the target distribution (smoothed)
and w the weight of each class the loss of a row is

    -sum_c w_c q_c log p_c,     p = softmax(logits), or (1 - s, s) with s = sigmoid(logit)

and the mean is their sum divided by the sum of w over the rows' classes, as torch's cross_entropy has it.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from experiments.errors import UserError


@dataclass(frozen=True)
class CrossEntropy:
    """Cross-entropy by torch. `weight`: one a class, in the order of the labels; None for all alike.

    Raises UserError for weights that are not positive, and for smoothing outside [0, 1].
    """

    l2: float = 0.0
    l1: float = 0.0
    weight: tuple[float, ...] | None = None
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        if self.weight is not None:
            object.__setattr__(self, "weight", tuple(self.weight))
            if not self.weight or min(self.weight) <= 0:
                raise UserError(f"loss.weight={list(self.weight)}: give one number above 0 for each class")
        if not 0 <= self.label_smoothing <= 1:
            raise UserError(f"loss.label_smoothing={self.label_smoothing}: must lie between 0 and 1")

    def __call__(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Logits (n, k) and class numbers (n, 1) -> ()."""
        weight = None if self.weight is None else prediction.new_tensor(self.weight)
        goal = target.long().view(-1)
        return F.cross_entropy(logits_of(prediction), goal, weight, label_smoothing=self.label_smoothing)

    def gradient(self, prediction: Tensor, target: Tensor) -> Tensor:
        """d loss / d logits, (n, k)."""
        return self.slopes(prediction, target) / self.row_weights(prediction, target).sum()

    def values(self, prediction: Tensor, target: Tensor) -> Tensor:
        """The loss of each row, (n, 1) for logits (n, k), not yet divided by the sum of the weights."""
        if self._plain:
            return logits_of(prediction).log_softmax(1).gather(1, _numbers(prediction, target)).neg_()
        return -(self._goal(prediction, target) * logits_of(prediction).log_softmax(1)).sum(1, keepdim=True)

    def right(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Whether the most likely class is the row's, (n, 1)."""
        found = logits_of(prediction).max(1, keepdim=True).indices  # argmax takes several times as long
        return found == target

    def slopes(self, prediction: Tensor, target: Tensor) -> Tensor:
        """The derivatives of `values` by the logits: with g = w q they are p sum(g) - g."""
        slopes = logits_of(prediction).softmax(1)
        if self._plain:
            of_row = _numbers(prediction, target)
            slopes.scatter_add_(1, of_row, slopes.new_full((), -1.0).expand_as(of_row))
        else:
            goal = self._goal(prediction, target)
            slopes = slopes * goal.sum(1, keepdim=True) - goal
        return slopes[:, 1:] if prediction.shape[1] == 1 else slopes

    def row_weights(self, prediction: Tensor, target: Tensor) -> Tensor:
        """The weight of each row's class, (n, 1)."""
        if self.weight is None:
            return torch.ones_like(target)
        return target.new_tensor(self.weight)[target.long()]

    @property
    def _plain(self) -> bool:
        """Whether a row's goal is 1 for its class and 0 for the others: then there is no need to write it down."""
        return self.weight is None and not self.label_smoothing

    def _goal(self, prediction: Tensor, target: Tensor) -> Tensor:
        """w q: what each class of a row counts."""
        classes = max(2, prediction.shape[1])
        along = (classes, *(1 for _ in target.shape[2:]))
        goal = (target == torch.arange(classes, device=target.device).reshape(along)).to(prediction.dtype)
        if self.label_smoothing:
            goal = goal * (1 - self.label_smoothing) + self.label_smoothing / classes
        return goal if self.weight is None else goal * prediction.new_tensor(self.weight).reshape(along)


@dataclass(frozen=True)
class ManualCrossEntropy(CrossEntropy):
    """The same written out in tensors: softmax, its logarithm, and the mean over the rows."""

    def __call__(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Logits (n, k) and class numbers (n, 1) -> ()."""
        logits = logits_of(prediction)
        shifted = logits - logits.amax(1, keepdim=True)  # exp of large logits would be infinite
        log_likelihood = shifted - shifted.exp().sum(1, keepdim=True).log()
        lost = -(self._goal(prediction, target) * log_likelihood).sum()
        return lost / self.row_weights(prediction, target).sum()


def _numbers(prediction: Tensor, target: Tensor) -> Tensor:
    """The numbers of the rows' classes, once for each run where one target serves all."""
    return target.long().expand(len(prediction), *target.shape[1:])


def logits_of(prediction: Tensor) -> Tensor:
    """One logit for each class: of two classes the first has zero."""
    if prediction.shape[1] > 1:
        return prediction
    return torch.cat([torch.zeros_like(prediction), prediction], dim=1)


def probabilities(prediction: Tensor) -> Tensor:
    """Of the classes, (n, k), from outputs (n, k), or (n, 1) for two classes."""
    return logits_of(prediction).softmax(1)


BASES = (CrossEntropy, ManualCrossEntropy)
