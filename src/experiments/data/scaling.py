"""Standardising: learned on the training rows, undone in everything that is reported."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

ROWS_AT_ONCE = 65_536
"""Rows of a block that is looked at by itself."""
TILE = 2**17
"""Numbers scaled at once: in float64 a megabyte, which stays in the cache."""


@dataclass(frozen=True)
class Scaling:
    """Shift and scale of each input (features,) and target (targets,), float64: scaled = (x - shift) / scale."""

    x_shift: Tensor
    x_scale: Tensor
    y_shift: Tensor
    y_scale: Tensor

    @property
    def of_rows(self) -> tuple[Tensor, Tensor]:
        """Shift and scale of inputs and targets side by side, (features + targets,) each."""
        return torch.cat([self.x_shift, self.y_shift]), torch.cat([self.x_scale, self.y_scale])

    def inputs(self, x: Tensor) -> Tensor:
        """x (n, features) as the model trains on it."""
        return (x - self.x_shift) / self.x_scale

    def targets(self, y: Tensor) -> Tensor:
        """y (n, targets) as the model trains on it."""
        return (y - self.y_shift) / self.y_scale

    def predictions(self, scaled: Tensor) -> Tensor:
        """The model's outputs (n, targets) in the units of the table."""
        return scaled * self.y_scale + self.y_shift

    @property
    def of_inputs(self) -> "Scaling":
        """The same for the inputs, and the targets as they are."""
        return replace(self, y_shift=torch.zeros_like(self.y_shift), y_scale=torch.ones_like(self.y_scale))

    def original(self, weight: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor]:
        """Weight (targets, features) and bias (targets,) for the table's own units, float64.

        With u = (x - m) / s and v = (y - c) / d:  v = w u + b  is  y = (d w / s) x + (d b + c - (d w / s) m).
        """
        weight = weight.detach().cpu().to(torch.float64)  # to the CPU first: mps has no float64
        bias = weight.new_zeros(len(weight)) if bias is None else bias.detach().cpu().to(torch.float64)
        weight = weight * self.y_scale[:, None] / self.x_scale
        return weight, bias * self.y_scale + self.y_shift - weight @ self.x_shift

    def trained(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """The inverse of `original`."""
        return (
            weight * self.x_scale / self.y_scale[:, None],
            (bias + weight @ self.x_shift - self.y_shift) / self.y_scale,
        )


def identity(features: int, targets: int) -> Scaling:
    """The scaling that changes nothing."""
    zeros, ones = (torch.full((features + targets,), value, dtype=torch.float64) for value in (0.0, 1.0))
    return Scaling(zeros[:features], ones[:features], zeros[features:], ones[features:])


def standardization(x: Tensor, y: Tensor, bias: bool) -> Scaling:
    """Mean 0 and (population) standard deviation 1 for the columns of x (n, features) and y (n, targets).

    A model without intercept is not centred, only divided by the root mean square: shifting it would give it
    an intercept. A constant column keeps its scale.
    """
    return Scaling(*_moments(x, bias), *_moments(y, bias))


def _moments(table: Tensor, centre: bool) -> tuple[Tensor, Tensor]:
    """In float64, from two passes over blocks of rows: a large float32 table is never copied as a whole."""
    rows, largest = len(table), table.abs().amax(0).to(torch.float64)
    shift = torch.zeros_like(largest)
    if centre:
        shift = torch.stack([part.sum(0, dtype=torch.float64) for part in table.split(ROWS_AT_ONCE)]).sum(0) / rows
    squares = torch.zeros_like(largest)
    for part in table.split(ROWS_AT_ONCE):
        squares += (part - shift).square().sum(0)
    return shift, of_moments(largest, (squares / rows).sqrt())


def of_moments(size: Tensor, deviation: Tensor) -> Tensor:
    """The scale (columns,): the deviation, or 1 where it is but the rounding of the column's own size."""
    return torch.where(deviation <= 1e-12 * size.abs(), torch.ones_like(deviation), deviation)


def scaled(table: Tensor, shift: Tensor, scale: Tensor, out: Tensor) -> Tensor:
    """(table - shift) / scale (n, columns) worked out in float64, written into `out` as its dtype."""
    rows = max(1, TILE // table.shape[1])
    for part, into in zip(table.split(rows), out.split(rows), strict=True):
        into.copy_((part - shift) / scale)
    return out
