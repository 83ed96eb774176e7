"""What gradient descent will do, from the eigenvalues of its loss: no step is taken.

On the mean squared error, full-batch descent shrinks the error along each eigenvector of the Hessian by
(1 - lr * eigenvalue) an epoch, so its loss after any number of epochs has a closed form.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.exact.optimum import LeastSquares, columns_alone
from experiments.exact.penalized import penalized_optimum
from experiments.exact.solution import Optimum, Penalty
from experiments.exact.tsqr import Array, as_table, squared_norms

MAX_EPOCHS = 2**60


def log_factor(product: Array) -> Array:
    """log |1 - product| of rates times eigenvalues, what a step multiplies errors by; products near 0 keep digits."""
    return np.where(product < 1, np.log1p(-np.minimum(product, 1)), np.log(np.abs(1 - product)))


@dataclass(frozen=True)
class Descent:
    """Full-batch gradient descent from one start.

    Loss(k) = optimum_loss + sum_i excess_i (1 - lr lambda_i)^(2k).
    """

    eigenvalues: Array  # (features + bias,) ascending
    excess: Array  # (features + bias,) loss above the optimum at the start, along each eigenvector
    optimum_loss: float
    lr: float

    @property
    def converges(self) -> bool:
        """Whether lr lies strictly below 2 / lambda_max."""
        return bool(self.lr * self.eigenvalues[-1] < 2)

    def gap(self, epochs: int) -> float:
        """Loss above the optimum after `epochs` epochs; inf when it overflows."""
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            decay = np.exp(2.0 * epochs * log_factor(self.lr * self.eigenvalues)) if epochs else 1.0
            return float(np.sum(np.where(self.excess > 0, self.excess * decay, 0.0)))

    def epochs_to(self, factor: float) -> int | None:
        """The smallest k with loss(k) <= factor * optimum_loss; None if it diverges or the optimum is zero.

        The loss never rises when it converges, so k is found by bisection.
        """
        allowed = (factor - 1) * self.optimum_loss
        if not self.converges or not allowed > 0:
            return None
        if self.gap(0) <= allowed:
            return 0
        above, within = 0, 1
        while self.gap(within) > allowed:
            if within >= MAX_EPOCHS:
                return None
            above, within = within, 2 * within
        while within - above > 1:
            middle = (above + within) // 2
            above, within = (middle, within) if self.gap(middle) > allowed else (above, middle)
        return within


def descent(
    data: LeastSquares, weight: Any, bias: Any, lr: float, standardized: bool = False, l2: float = 0.0
) -> Descent:
    """Full-batch descent on the rows of `data` from weight (targets, features) and bias (targets,) or None.

    With `standardized`, training happens on standardised features and targets (the start too is in those
    coordinates) and the losses are given in the original units. With `l2` the loss is the penalised one, in the units
    of the rows that `data` has seen: with both, these must be the standardised rows, and `standardized` False.
    """
    assert not (standardized and l2), "a penalty is of weights as trained"
    columns, goal = data.fitted_columns(standardized, l2)
    start = as_table(weight, "weight").astype(np.float64).T
    if data.bias:
        level = np.zeros(data.targets) if bias is None else as_table(bias, "bias").astype(np.float64)[:, 0]
        start = np.vstack([start, level])
    assert start.shape == (columns.shape[1], data.targets), start.T.shape
    deviation = data.std[data.features :] if standardized else np.ones(data.targets)
    conditioning = data.conditioning(standardized, l2)
    u, _, _ = np.linalg.svd(columns, full_matrices=False)
    size = data.rows * data.targets
    reach = u.T @ ((columns @ start - goal) * deviation)
    along = np.zeros(len(conditioning.eigenvalues))
    along[: len(reach)] = np.sum(reach**2, axis=1) / size
    along[conditioning.rank :] = 0.0  # a null direction moves neither the weights nor the loss
    best = penalized_optimum(data, Penalty(l2))
    assert isinstance(best, Optimum)  # without l1 there always is one
    return Descent(conditioning.eigenvalues, along[::-1].copy(), best.loss, lr)


@dataclass(frozen=True)
class BatchStability:
    """How steep the mean squared error of a batch can be: below 2 / lambda_max plain descent lengthens no error."""

    lambda_max: float  # no batch's Hessian has a larger eigenvalue
    exact: bool  # some batch reaches it (batch size 1, or all rows), else it is a proven bound


def batch_stability(x: Any, targets: int, batch_size: int, bias: bool = True) -> BatchStability:
    """For every batch of `batch_size` rows of x (n, features), however drawn, and the smaller one that is left over.

    A batch of b rows a_i has the Hessian 2 / (b targets) sum a_i a_i'. Its largest eigenvalue is at most its trace,
    2 / (b targets) sum |a_i|^2, hence at most that of the b longest rows, and at most n / b times that of the full
    batch. Each step multiplies the error by I - lr H, which lengthens nothing when lr * eigenvalue < 2.
    """
    lengths = np.sort(squared_norms(as_table(x, "x")))[::-1] + int(bias)
    return _bounded(columns_alone(x, targets, bias), batch_size, lambda b: float(np.sum(lengths[:b])))


def streamed_batch_stability(data: LeastSquares, batch_size: int) -> BatchStability:
    """The same from one pass over the rows: the b longest rows are taken to be as long as the longest."""
    return _bounded(data, batch_size, lambda b: b * (data.largest_row + int(data.bias)))


def _bounded(data: LeastSquares, batch_size: int, longest: Callable[[int], float]) -> BatchStability:
    """The bound from `longest`, a function of b: the sum of |a_i|^2 of the b longest rows."""
    b, full = min(batch_size, data.rows), data.conditioning().lambda_max
    if b == data.rows:
        return BatchStability(full, exact=True)
    left_over = data.rows % b or b
    trace = max(2 / (size * data.targets) * longest(size) for size in (b, left_over))
    return BatchStability(min(trace, data.rows / left_over * full), exact=left_over == 1)
