"""The tables of a pack, laid out for batched matrix products whose bits do not depend on the number of runs.

A matrix product of MKL gives other bits when its operands lie differently against the cache lines, and a batch of
products puts run 5 elsewhere than a batch of one does. So features and rows are padded with zeros to whole cache
lines (64 bytes): then every matrix of every run starts on one. Small products go through torch's own loop, which
does not care; they are left as they are. The intercept is a column of ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from experiments.data.allocation import CACHE_LINE
from experiments.data.prepared import Prepared
from experiments.exact.optimum import Optimum

SMALL_PRODUCT = 400
"""Multiplications of one matrix product below which torch uses a loop of its own instead of MKL."""


@dataclass(frozen=True)
class Tables:
    """V variants of one table (other scaling, other noise): n rows, `columns` = features and intercept, t targets.

    `x` (V, n + 1, width) and `y` (V, n + 1, t) hold the training rows as trained, and a last row of zeros that
    fills up batches. `rows_padded` and `batch_padded` are n and the batch size in whole cache lines.
    """

    x: Tensor
    y: Tensor
    scale: Tensor
    """Scale of the targets, (V, t, 1): residuals times it are in the table's units."""
    best: Tensor | None
    """What the optimum predicts as trained, (V, t, rows padded); None where an optimum is not known."""
    x_validation: Tensor | None
    y_validation: Tensor | None
    rows: int
    columns: int
    targets: int
    batch_size: int
    batch_padded: int
    rows_padded: int

    @property
    def width(self) -> int:
        """Columns with their padding."""
        return self.x.shape[2]

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return -(-self.rows // self.batch_size)

    def all_rows(self, variant: Tensor, validation: bool = False) -> tuple[Tensor, Tensor]:
        """Every row for each run: x (R, rows padded, width), y (R, t, rows padded)."""
        if validation:
            assert self.x_validation is not None
            assert self.y_validation is not None
            return self.x_validation[variant], self.y_validation[variant]
        x = _padded(self.x[:, : self.rows], self.rows_padded)[variant]
        y = _padded(self.y[:, : self.rows], self.rows_padded).transpose(1, 2).contiguous()[variant]
        return x, y


def lay_out(
    variants: Sequence[Prepared], optima: Sequence[Optimum | None], bias: bool, batch_size: int | None
) -> Tables:
    """The tables of a pack; all variants have the same shape, dtype and device. `optima` are in the tables' units."""
    first = variants[0]
    (rows, features), targets = first.x.shape, first.y.shape[1]
    held = 0 if first.x_validation is None else len(first.x_validation)
    columns, batch = features + bias, min(batch_size or rows, rows)
    line = CACHE_LINE // first.x.element_size()
    if max(rows, held) * columns * targets < SMALL_PRODUCT:
        line = 1

    def up(size: int) -> int:
        return -(-size // line) * line

    def stacked(part: str, row_count: int) -> Tensor:
        tensors = [getattr(v, part) for v in variants]
        if part.startswith("y"):
            out = tensors[0].new_zeros(len(variants), row_count, targets)
        else:
            out = tensors[0].new_zeros(len(variants), row_count, up(columns))
            if bias:
                out[:, : len(tensors[0]), features] = 1
        for k, tensor in enumerate(tensors):
            out[k, : len(tensor), : tensor.shape[1]] = tensor
        return out

    def predicted(data: Prepared, optimum: Optimum) -> Tensor:
        weight, level = data.scaling.trained(torch.from_numpy(optimum.weight), torch.from_numpy(optimum.bias))
        best = data.y.new_zeros(targets, up(rows))
        best[:, :rows] = torch.addmm(level.to(data.x), data.x, weight.to(data.x).t()).t()
        return best

    known = [predicted(v, o) for v, o in zip(variants, optima, strict=True) if o is not None]
    y_validation = stacked("y_validation", up(held)).transpose(1, 2).contiguous() if held else None
    like: dict[str, Any] = {"device": first.x.device, "dtype": first.x.dtype}
    return Tables(
        x=stacked("x", rows + 1),
        y=stacked("y", rows + 1),
        scale=torch.stack([v.scaling.y_scale for v in variants])[:, :, None].to(**like),
        best=torch.stack(known) if len(known) == len(variants) else None,
        x_validation=stacked("x_validation", up(held)) if held else None,
        y_validation=y_validation,
        rows=rows, columns=columns, targets=targets,
        batch_size=batch, batch_padded=up(batch), rows_padded=up(rows),
    )  # fmt: skip


def _padded(tensor: Tensor, rows: int) -> Tensor:
    """(V, rows, k) with rows of zeros after the last."""
    if tensor.shape[1] == rows:
        return tensor
    out = tensor.new_zeros(tensor.shape[0], rows, tensor.shape[2])
    out[:, : tensor.shape[1]] = tensor
    return out
