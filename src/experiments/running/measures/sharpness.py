"""Sharpness: the largest eigenvalue of the Hessian of the training loss, where the weights are now.

Full-batch descent at a rate lr shrinks the error along a direction while the eigenvalue there is below 2 / lr, and
enlarges it above: the edge of stability (J. Cohen et al., 2021).
"""

from collections.abc import Callable

import torch
from torch import Generator, Tensor

from experiments.learning import models
from experiments.learning.experiment import Experiment
from experiments.learning.penalty import penalized_weights

MOST_ROWS = 10_000
"""Rows that the loss is looked at on: of more some, evenly spread."""
STEPS, CERTAIN = 200, 1e-5
"""Products with the Hessian at most, and by which share of the largest an eigenvalue may be wrong."""


def sharpness(experiment: Experiment, certain: float = CERTAIN) -> tuple[float, int]:
    """Of the loss as trained, with its l2 and without dropout; and the number of rows that it was measured on."""
    data, model, loss = experiment.data, experiment.model, experiment.loss
    step = -(-len(data.x) // MOST_ROWS)
    x, y = data.x[::step], data.y[::step]
    parameters = [p.requires_grad_() for p in model.parameters()]
    with models.evaluating(model):
        value = loss(model(x), y)
        value = value + getattr(loss, "l2", 0.0) * sum(w.square().sum() for w in penalized_weights(model))
    slope = _flat(torch.autograd.grad(value, parameters, create_graph=True, materialize_grads=True))
    if not slope.requires_grad:  # a loss without curvature
        return 0.0, len(x)

    def product(vector: Tensor) -> Tensor:
        along = slope @ vector.to(slope)
        found = torch.autograd.grad(along, parameters, retain_graph=True, materialize_grads=True)
        return _flat(found).to("cpu", torch.float64)

    return largest_eigenvalue(product, len(slope), certain), len(x)


def largest_eigenvalue(product: Callable[[Tensor], Tensor], size: int, certain: float = CERTAIN) -> float:
    """Of a symmetric matrix that is known by its products with vectors (size,), float64.

    The power iteration, with every vector on the way kept (C. Lanczos, 1950): the largest eigenvalue of the matrix on
    their span is it, as soon as what the matrix adds to them no longer matters.
    """
    vector = torch.randn(size, dtype=torch.float64, generator=Generator().manual_seed(0))
    basis, small, found = [vector / vector.norm()], torch.zeros(STEPS + 1, STEPS + 1, dtype=torch.float64), 0.0
    for k in range(min(STEPS, size)):
        ahead, kept = product(basis[-1]), torch.stack(basis)
        small[k, k] = ahead @ basis[-1]
        for _ in range(2):  # rounding would bring back what has been taken off
            ahead = ahead - kept.t() @ (kept @ ahead)
        values, vectors = torch.linalg.eigh(small[: k + 1, : k + 1])
        found, left = values[-1].item(), ahead.norm()
        if left * vectors[-1, -1].abs() <= certain * values.abs().max():
            break
        small[k, k + 1] = small[k + 1, k] = left
        basis.append(ahead / left)
    return found


def _flat(parts: tuple[Tensor, ...]) -> Tensor:
    return torch.cat([part.reshape(-1) for part in parts])
