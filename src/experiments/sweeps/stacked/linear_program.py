"""R linear models at once: their outputs are one batched product, their gradients another, written by hand.

Parameters are (R, outputs, width): the weights, the intercept as the weight of a column of ones, and zeros that fill
up cache lines (see `stacked_tables`).
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Generator, Tensor

from experiments.data.allocation import CACHE_LINE
from experiments.data.prepared import Prepared
from experiments.learning import models
from experiments.sweeps.compose.jobs import Job
from experiments.sweeps.stacked.stacked_losses import StackedLoss
from experiments.sweeps.stacked.stacked_tables import Tables


class LinearProgram:
    """What every program has: a start, outputs, gradients, and which parameters a penalty is on."""

    def __init__(self, tables: Tables, loss: StackedLoss, bias: bool) -> None:
        self.tables, self.loss, self.bias = tables, loss, bias
        self.features = tables.columns - bias

    def start(self, jobs: Sequence[Job], generators: Sequence[Generator]) -> Tensor:
        """Start parameters: the bits that each run would start from alone."""
        tables, features, runs = self.tables, self.features, len(generators)
        weights, biases = torch.zeros(runs, tables.outputs, features), torch.zeros(runs, tables.outputs)
        for job, generator, weight, bias in zip(jobs, generators, weights.unbind(), biases.unbind(), strict=True):
            models.draw_start(job.value("model.init"), features, weight, bias if self.bias else None, generator)
        parameters = torch.zeros(runs, tables.outputs, tables.width)
        parameters[:, :, :features] = weights
        if self.bias:
            parameters[:, :, features] = biases
        return parameters.to(tables.x.device, tables.x.dtype)

    def penalized(self) -> Tensor:
        """1 for the parameters that a penalty is on, (1, 1, width)."""
        mask = torch.zeros(1, 1, self.tables.width, dtype=self.tables.x.dtype, device=self.tables.x.device)
        mask[:, :, : self.features] = 1
        return mask

    def outputs(self, parameters: Tensor, x: Tensor) -> Tensor:
        """(A, outputs, n) for rows x (A, n, width)."""
        return torch.bmm(parameters, x.transpose(1, 2))

    def gradients(self, parameters: Tensor, x: Tensor, y: Tensor, rows: int, variant: Tensor) -> Tensor:
        """The gradient of each run's mean loss, (A, outputs, width).

        A batch is x (A, n, width) and y (A, n, t), of which the first `rows` rows are true and the rest zeros.
        """
        outputs = torch.bmm(parameters, x.transpose(1, 2))
        return torch.bmm(self.loss.slopes(outputs, y.transpose(1, 2), rows, variant), x)

    def keep(self, stay: Tensor) -> None:
        """Runs have ended; nothing is held for each."""

    def save(self, runs: np.ndarray, at: Tensor) -> None:
        """Parameters are kept; there is nothing beside them."""

    def state(self, parameters: Tensor, runs: Tensor) -> dict[str, Tensor]:
        """The tensors by name of some runs: `weight` (len(runs), outputs, features) and `bias` (len(runs), outputs)."""
        weight = {"weight": parameters[:, :, : self.features]}
        return weight | ({"bias": parameters[:, :, self.features]} if self.bias else {})


def original(weight: Tensor, bias: Tensor | None, data: Prepared) -> Tensor:
    """Weights (R, outputs, features + 1) for the table's own units, float64; the last column is the intercept."""
    weight = weight.to("cpu", torch.float64)
    intercept = weight.new_zeros(weight.shape[:2]) if bias is None else bias.to("cpu", torch.float64)
    if data.standardized:
        scaling = data.scaling
        weight = weight * scaling.y_scale[:, None] / scaling.x_scale
        intercept = intercept * scaling.y_scale + scaling.y_shift
        for feature, shift in enumerate(scaling.x_shift.tolist()):  # a product's bits would depend on the runs beside
            intercept = intercept - weight[:, :, feature] * shift
    return torch.cat([weight, intercept[:, :, None]], dim=2)


def predicted(weights: Tensor, x: Tensor) -> Tensor:
    """Predictions (R, outputs, n) of `original` weights for rows x (n, features), float64.

    Rows and columns are filled up to whole cache lines, see `stacked_tables`.
    """
    (rows, features), (runs, outputs, _) = x.shape, weights.shape
    line = CACHE_LINE // 8
    width, height = -(-(features + 1) // line) * line, -(-rows // line) * line
    columns, padded = x.new_zeros(width, height), weights.new_zeros(runs, outputs, width)
    columns[:features, :rows], columns[features, :rows] = x.t(), 1
    padded[:, :, : features + 1] = weights
    return torch.bmm(padded, columns.expand(runs, width, height))[:, :, :rows]
