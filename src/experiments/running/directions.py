"""The gap of a run along each eigenvector of its loss, and what a step of descent makes of it there.

Everything is of the loss as trained, and the gap of squares in the table's units squared. The loss of classes is taken
for the quadratic that it is near its optimum.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from experiments.config.schema import SGD
from experiments.data.prepared import Prepared
from experiments.exact.cross_entropy import hessian, slopes
from experiments.exact.spectrum import log_factor
from experiments.learning.class_losses import CrossEntropy
from experiments.running.measures.reference import class_shares
from experiments.tracking.result import Result


@dataclass(frozen=True)
class Directions:
    """Eigenvalues (k,) ascending, the gap (k,) along each, and the gap (k,) of a model whose weights are zero."""

    eigenvalues: np.ndarray
    gaps: np.ndarray
    gaps_at_zero: np.ndarray

    @property
    def gap(self) -> float:
        """That of the run: the sum over all directions."""
        return float(self.gaps.sum())

    @property
    def farthest(self) -> float:
        """How far the weights are from the optimum along the direction with the largest part of the gap.

        A gap of g along an eigenvalue e is a distance of sqrt(2 g / e), in targets' units.
        """
        largest = int(np.argmax(self.gaps))
        return float(np.sqrt(2 * self.gaps[largest] / self.eigenvalues[largest]))

    @property
    def condition_number(self) -> float:
        """Of the directions that there are: what is but rounding is left out."""
        return condition_number(self.eigenvalues)

    def penalty(self, decay: float) -> float:
        """How far above the smallest loss descent with that weight decay ends: w = e / (e + decay) of the optimum's."""
        if not decay:
            return 0.0
        return float(np.sum(self.gaps_at_zero * np.square(decay / (self.eigenvalues + decay))))


def directions(result: Result, data: Prepared, bias: bool, loss: Any) -> Directions:
    """Of a linear model's final weights; `data` are the rows of `result.table` as trained, `loss` squares or classes.

    With the Hessian's eigenvalues e and eigenvectors v, weights that are d from the optimum are e / 2 (v . d)^2 above
    it along v, summed over the targets; of classes d are the weights of all outputs, one after the other.
    """
    assert result.parameters is not None and result.optimum is not None
    eigenvalues, vectors = decomposed(data, bias, loss, result.optimum)

    def trained(listed: dict[str, Any]) -> np.ndarray:
        """The weights as trained, (features + bias, targets)."""
        weight, offset = (torch.tensor(listed[k], dtype=torch.float64) for k in ("weight", "bias"))
        weight, offset = data.scaling.trained(weight, offset)
        rows = torch.cat([weight, offset[:, None]], dim=1) if bias else weight
        return (rows.reshape(1, -1) if result.classes else rows).t().numpy()

    found, best = trained(result.parameters), trained(result.optimum)
    scale, half = data.scaling.y_scale.numpy(), eigenvalues / 2
    gaps, at_zero = (half * np.square(vectors @ away * scale).sum(1) for away in (found - best, best))
    return Directions(eigenvalues, gaps, at_zero)


def decomposed(data: Prepared, bias: bool, loss: Any, optimum: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues (k,) ascending of the Hessian and its eigenvectors (k, k).

    Of squares it is 2 / (n targets) [x 1]' [x 1] + 2 l2, of classes that at the optimum; l2 is not on the bias.
    """
    if isinstance(loss, CrossEntropy):
        weight, offset = (np.array(optimum[k]) for k in ("weight", "bias"))
        logits, q = data.table.x.numpy() @ weight.T + offset, class_shares(data.table, loss)
        a = np.hstack([data.x.numpy(), np.ones((data.rows, int(bias)))])
        costs = np.repeat([2 * loss.l2, 0.0], [data.x.shape[1], int(bias)])
        found, vectors = np.linalg.eigh(hessian(a, slopes(logits, q)[1], q) + np.diag(np.tile(costs, len(weight))))
        return np.where(found > 1e-14 * found[-1], found, 0.0), vectors.T
    columns, _ = data.squares_as_trained(bias).fitted_columns(l2=loss.l2)
    _, values, vectors = np.linalg.svd(columns, full_matrices=False)
    return 2 / data.y.numel() * values[::-1] ** 2, vectors[::-1]


def condition_number(eigenvalues: np.ndarray) -> float:
    """Of eigenvalues (k,) ascending, those of rounding alone left out."""
    return float(eigenvalues[-1] / eigenvalues[eigenvalues > 1e-26 * eigenvalues[-1]][0])


def log_shrinkage(optimizer: SGD, rates: np.ndarray, eigenvalues: np.ndarray) -> np.ndarray:
    """Mean over the rates (m,) of log |factor| by which a full-batch step shrinks the error along each direction, (k,).

    With momentum it is the larger root of z^2 - a z + b, to which the factor of a step settles.
    """
    beta, product = optimizer.momentum, rates[:, None] * eigenvalues
    with np.errstate(all="ignore"):
        if not beta:
            return log_factor(product).mean(0)
        if optimizer.nesterov:
            a, b = (1 + beta) * (1 - product), beta * (1 - product)
        else:
            a, b = 1 + beta - product * (1 - optimizer.dampening), np.full_like(product, beta)
        root = np.sqrt(a * a - 4 * b + 0j)
        return np.log(np.maximum(np.abs(a + root), np.abs(a - root)) / 2).mean(0)
