"""What a pack trains: the face that linear models and networks have in common."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from torch import Generator, Tensor

from experiments.sweeps.compose.jobs import Job
from experiments.sweeps.stacked.stacked_losses import StackedLoss


class Program(Protocol):
    """R models of one kind, whose parameters are one tensor (R, outputs, width), or (R, 1, P) of a network."""

    loss: StackedLoss

    def start(self, jobs: Sequence[Job], generators: Sequence[Generator]) -> Tensor:
        """Start parameters: the bits that each run would start from alone."""
        ...

    def penalized(self) -> Tensor:
        """1 for the parameters that a penalty is on, else 0; broadcasts to the parameters."""
        ...

    def outputs(self, parameters: Tensor, x: Tensor) -> Tensor:
        """(A, outputs, n) for rows x (A, n, width)."""
        ...

    def gradients(self, parameters: Tensor, x: Tensor, y: Tensor, rows: int, variant: Tensor) -> Tensor:
        """The gradient of each run's mean loss over the first `rows` rows of its batch, shaped as the parameters."""
        ...

    def keep(self, stay: Tensor) -> None:
        """Runs have ended: go on with those at `stay`."""
        ...

    def save(self, runs: np.ndarray, at: Tensor) -> None:
        """The parameters of `runs`, at these places among those under way, are kept: keep what belongs to them."""
        ...

    def state(self, parameters: Tensor, runs: Tensor) -> dict[str, Tensor]:
        """The tensors of model.safetensors by name, (len(runs), ...), from kept parameters of some runs."""
        ...
