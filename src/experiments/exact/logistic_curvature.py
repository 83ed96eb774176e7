"""How steep and how round the loss of logistic regression is: what gradient descent can do on it."""

from typing import Any

import numpy as np

from experiments.exact.cross_entropy import hessian, outputs_of, slopes
from experiments.exact.logistic import LARGEST_HESSIAN
from experiments.exact.solution import Conditioning, Optimum
from experiments.exact.tsqr import Array, as_table


def logistic_conditioning(
    x: Any, q: Array, optimum: Optimum | None, l2: float = 0.0, bias: bool = True
) -> Conditioning:
    """The Hessian at the optimum of the loss as trained, by weights and biases: x (n, features), `shares` (n, classes).

    Its eigenvalues are without those of the shifts that softmax cannot see, which are zero: the gradient never points
    there. Without an optimum, or above LARGEST_HESSIAN parameters, there are none, the condition number is not a number
    and the rank is 0. `lambda_max` is `steepest`, which holds everywhere, not only at the optimum, and so does the
    stable learning rate.
    """
    x = as_table(x, "x").astype(np.float64)
    a = np.hstack([x, np.ones((len(x), 1))]) if bias else x
    k, outputs = a.shape[1], outputs_of(q.shape[1])
    top = steepest(a, q, l2)
    if optimum is None or k * outputs > LARGEST_HESSIAN or top == np.inf:
        return Conditioning(np.zeros(0), top, 0)
    p = slopes(x @ optimum.weight.T + optimum.bias, q)[1]
    costs = np.full(k, 2 * l2)
    costs[x.shape[1] :] = 0.0
    values = np.linalg.eigvalsh(hessian(a, p, q) + np.diag(np.tile(costs, outputs)))
    unseen = 0 if outputs == 1 else k if l2 == 0 else int(bias)
    values = values[unseen:]
    rank = int(np.sum(values > 1e-15 * len(values) * values[-1]))
    values = np.where(np.arange(len(values)) < len(values) - rank, 0.0, values)
    return Conditioning(values, top, rank)


def steepest(a: Array, q: Array, l2: float = 0.0) -> float:
    """What no eigenvalue of the Hessian exceeds, whatever the weights: columns a (n, k), shares q (n, classes).

    It is that of sum(t_i a_i a_i') / 4 for two classes, / 2 for more, plus 2 l2, with t a row's sum of q: p (1 - p) is
    at most 1 / 4, and the eigenvalues of diag(p) - p p' are at most 1 / 2 (D. Boehning, "Multinomial logistic
    regression algorithm", Ann. Inst. Statist. Math. 44, 1992). Full-batch descent converges below 2 / this.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        products = a.T @ (a * np.sum(q, axis=1, keepdims=True))
    if not np.isfinite(products).all():
        return np.inf
    top = float(np.linalg.eigvalsh(products)[-1])
    return top / (4 if q.shape[1] == 2 else 2) + 2 * l2
