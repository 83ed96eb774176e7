"""How far the runs of a pack are from the optimum of their tables: `evaluation.evaluator`'s gap for many at once."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from experiments.data.prepared import Prepared
from experiments.exact.solution import Optimum
from experiments.learning.penalty import penalized
from experiments.sweeps.stacked.stacked_losses import StackedLoss


class Gaps:
    """Measures the gaps of R runs of linear models, each with an optimum in its table's units."""

    def __init__(self, cases: Sequence[tuple[Prepared, Optimum]], of_runs: Sequence[int], loss: StackedLoss) -> None:
        """`cases` are tables with their optima; `of_runs`: the place of each run's in them."""
        self.loss, self.of_runs = loss, torch.tensor(of_runs)
        self.least = cases[0][0].x.new_tensor([optimum.loss for _, optimum in cases])
        self.best: Tensor | None = None
        """What each optimum predicts as trained, (cases, t, n), where the distance from it is the gap."""
        if loss.squared and not penalized(loss.reported):
            self.best = torch.stack([_predicted(data, optimum) for data, optimum in cases])

    def of(self, outputs: Tensor, train: Tensor, rows: int, alive: np.ndarray, variant: Tensor) -> Tensor:
        """The gap of each run under way, (A,), from its outputs (A, t, n) and its training loss (A,)."""
        case = self.of_runs[alive]
        if self.best is not None:
            return self.loss.distances(outputs, self.best[case], rows, variant)
        return (train - self.least[case]).clamp(min=0)


def _predicted(data: Prepared, optimum: Optimum) -> Tensor:
    weight, bias = data.scaling.trained(torch.from_numpy(optimum.weight), torch.from_numpy(optimum.bias))
    return torch.addmm(bias.to(data.x), data.x, weight.to(data.x).t()).t()
