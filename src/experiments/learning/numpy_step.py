"""`w -= lr * grad` for the analytic model, by NumPy: the fast path of the inner loop.

What `Analytic`, `MSE.gradient` and plain `SGD` do, step by step, on the same memory. NumPy's calls cost a third of
torch's, which is all of the work for a small batch, and its product of a matrix with one vector reads a large batch
in two thirds of the time. Products with several vectors, small ones aside, are better left to torch.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from experiments.learning.losses import MSE, ManualMSE
from experiments.learning.models import Analytic
from experiments.learning.optimizers import ManualOptimizer
from experiments.learning.penalty import penalized

SMALL_PRODUCT = 2**14
"""Multiplications of a batch, below which NumPy is faster with several targets too."""


def plain_descent(
    model: Any, optimizer: Any, loss: Any, batch_size: int
) -> Callable[[np.ndarray, np.ndarray], None] | None:
    """The update of a model on the CPU, or None where there is more to it than one can write in a few lines.

    It takes the arrays x (n, features) and y (n, targets) of a batch, writes into the model's own tensors, and has its
    rate from the optimizer. A number too large becomes infinite, with NumPy's warning unless the caller silences it.
    """
    if type(model) is not Analytic or type(loss) not in (MSE, ManualMSE) or model.weight.device.type != "cpu":
        return None
    if not (isinstance(optimizer, ManualOptimizer) and optimizer.plain) or penalized(loss):
        return None
    targets, features = model.weight.shape
    if targets > 1 and batch_size * features * targets > SMALL_PRODUCT:
        return None
    weight, bias = model.weight.numpy(), None if model.bias is None else model.bias.numpy()

    def descend(x: np.ndarray, y: np.ndarray) -> None:
        nonlocal weight, bias  # for the -= below, which are in place
        slope = x @ weight.T
        if bias is not None:
            slope += bias
        slope -= y
        slope *= 2 / slope.size  # d loss / d prediction (n, targets)
        weight -= optimizer.lr * (slope.T @ x)
        if bias is not None:
            bias -= optimizer.lr * slope.sum(0)
        optimizer.count()

    return descend
