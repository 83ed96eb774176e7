"""The penalties of R runs: `penalty.Penalized` for many at once."""

import numpy as np
import torch
from torch import Tensor

from experiments.learning.optimizers import SGD
from experiments.learning.penalty import shrunk
from experiments.sweeps.stacked.programs import Program
from experiments.sweeps.stacked.settings import Settings


class StackedPenalty:
    """l2 and l1 of each run, on the parameters of its program that have a penalty."""

    def __init__(self, settings: Settings, program: Program) -> None:
        mask, loss = program.penalized(), program.loss
        self.l2 = None if settings.l2 is None else settings.l2.to(mask) * mask
        self.l1 = None if settings.l1 is None else settings.l1.to(mask) * mask
        rule = settings.rule(np.arange(len(settings.seeds)))
        self.proximal = isinstance(rule, SGD) and rule.plain
        self.on = self.l2 is not None or self.l1 is not None
        self.units = loss.scale**loss.degree
        """(V, t, 1): what the penalty of a target's weights counts in its units; one for all of a network's."""

    def add_to(self, gradient: Tensor, parameters: Tensor, alive: np.ndarray) -> None:
        """The penalty's part of the gradients (A, ., P)."""
        if self.l2 is not None:
            gradient += 2 * self.l2[alive] * parameters
        if self.l1 is not None and not self.proximal:
            gradient += self.l1[alive] * parameters.sign()

    def shrink(self, parameters: Tensor, alive: np.ndarray, lr: Tensor) -> None:
        """The proximal step of plain descent at the rates (A, 1, 1)."""
        if self.l1 is not None and self.proximal:
            parameters.copy_(shrunk(parameters, lr.to(parameters) * self.l1[alive]))

    def of(self, parameters: Tensor, alive: np.ndarray, variant: Tensor) -> Tensor:
        """The penalty of each run in the targets' units, (A,)."""
        total = torch.zeros_like(parameters)
        if self.l2 is not None:
            total += self.l2[alive] * parameters.square()
        if self.l1 is not None:
            total += self.l1[alive] * parameters.abs()
        units = self.units.to(total)[variant]
        return (total * units if units.shape[1] == total.shape[1] else total).sum((1, 2))
