"""What the exact solvers answer with: a minimiser, or why there is none; a penalty; the eigenvalues of a Hessian."""

from dataclasses import dataclass

import numpy as np

from experiments.exact.tsqr import Array

TOO_LARGE = "the table's numbers are too large, their squares are beyond 1.8e308; divide the columns by a power of ten"


@dataclass(frozen=True)
class Penalty:
    """l2 * (sum of squared weights) + l1 * (sum of absolute weights), added to a mean loss; biases are not penalised.

    The weights are those that are trained: of standardised columns where the training is on standardised columns.
    """

    l2: float = 0.0
    l1: float = 0.0

    def of(self, weight: Array) -> float:
        """The penalty of `weight`, of any shape."""
        return float(self.l2 * np.sum(np.square(weight)) + self.l1 * np.sum(np.abs(weight)))


@dataclass(frozen=True)
class Optimum:
    """The smallest possible loss of a linear model and where it is reached, in the units of the rows that were given.

    Every exact solver returns one, or a `NoOptimum`. Where several models reach the loss, `unique` is False and this
    is one of them: the one with the smallest weights, unless the solver says otherwise.
    """

    weight: Array  # (outputs, features) float64
    bias: Array  # (outputs,) float64; zeros without bias
    loss: float  # what is minimised, penalty included; exactly 0.0 where residuals are only the rounding of y
    rank: int  # of the model's columns, [x 1] with a bias
    unique: bool  # for softmax: up to the same shift of all classes, which it does not see
    data_loss: float  # `loss` without the penalty


@dataclass(frozen=True)
class NoOptimum:
    """There is no smallest loss, or none that is worked out: why, in one sentence for the user."""

    reason: str
    falls_to: float | None = None
    """What the loss falls towards without reaching it, where that is known."""


@dataclass(frozen=True)
class Conditioning:
    """Eigenvalues of the Hessian of a loss, at its optimum where the Hessian is not the same everywhere.

    For the mean squared error that is 2 / (n * targets) * [x 1]' [x 1], here of one target.
    """

    eigenvalues: Array  # ascending; (features + 1,) or (features,) for squares, (outputs * that,) for classes; or none
    lambda_max: float  # of classes: what no eigenvalue exceeds, wherever the weights are
    rank: int

    @property
    def condition_number(self) -> float:
        """The largest eigenvalue over the smallest: inf when the rank is short, nan where none are known."""
        if not len(self.eigenvalues):
            return np.nan
        smallest, largest = float(self.eigenvalues[0]), float(self.eigenvalues[-1])
        return largest / smallest if smallest > 0 else np.inf

    @property
    def max_stable_lr(self) -> float:
        """Full-batch gradient descent converges below it, from any start."""
        return 2 / self.lambda_max if self.lambda_max > 0 else np.inf
