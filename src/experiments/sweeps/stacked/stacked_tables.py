"""The tables of a pack, laid out for batched matrix products whose bits do not depend on the number of runs.

A matrix product of MKL gives other bits when its operands lie differently against the cache lines, and a batch of
products puts run 5 elsewhere than a batch of one does. So features and rows are padded with zeros to whole cache
lines (64 bytes): then every matrix of every run starts on one. Small products go through torch's own loop, which
does not care; they are left as they are. The intercept is a column of ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from experiments.data.allocation import CACHE_LINE
from experiments.data.prepared import Prepared

SMALL_PRODUCT = 400
"""Multiplications of one matrix product below which torch uses a loop of its own instead of MKL."""


@dataclass(frozen=True)
class Tables:
    """V variants of one table (other scaling, other noise): n rows, `columns` = features and intercept, t targets.

    `x` (V, n + 1, width) and `y` (V, n + 1, t) hold the training rows as trained, and a last row of zeros that
    fills up batches. `all_x` (V, rows padded, width) and `all_y` are all rows, `held_x`, `held_y` those for validation.
    Where nothing is `padded`, widths and numbers of rows are as they are.
    """

    x: Tensor
    y: Tensor
    all_x: Tensor
    all_y: Tensor
    held_x: Tensor | None
    held_y: Tensor | None
    rows: int
    rows_validation: int
    columns: int
    targets: int
    outputs: int
    batch_size: int
    batch_padded: int
    padded: bool

    @property
    def width(self) -> int:
        """Columns with their padding."""
        return self.x.shape[2]

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return -(-self.rows // self.batch_size)

    def all_rows(self, variant: Tensor, validation: bool = False) -> tuple[Tensor, Tensor]:
        """Every row for each run, x (A, rows padded, width), y (A, rows padded, t); views of a single variant."""
        x, y = (self.held_x, self.held_y) if validation else (self.all_x, self.all_y)
        assert x is not None and y is not None
        if len(x) == 1:
            return x.expand(len(variant), -1, -1), y.expand(len(variant), -1, -1)
        return x[variant], y[variant]


def lay_out(variants: Sequence[Prepared], bias: bool, batch_size: int | None, *, padded: bool) -> Tables:
    """The tables of a pack; all variants have the same shape, dtype and device. `bias` asks for a column of ones."""
    first = variants[0]
    (rows, features), targets, held = first.x.shape, first.y.shape[1], first.validation_rows
    columns, batch = features + bias, min(batch_size or rows, rows)
    line = CACHE_LINE // first.x.element_size()
    if not padded or max(rows, held) * columns * first.table.outputs < SMALL_PRODUCT:
        line = 1

    def up(size: int) -> int:
        return -(-size // line) * line

    def stacked(part: str, row_count: int) -> Tensor:
        tensors = [getattr(v, part) for v in variants]
        width = targets if part.startswith("y") else up(columns)
        out = tensors[0].new_zeros(len(variants), row_count, width)
        if bias and not part.startswith("y"):
            out[:, : len(tensors[0]), features] = 1
        for k, tensor in enumerate(tensors):
            out[k, : len(tensor), : tensor.shape[1]] = tensor
        return out

    return Tables(
        x=stacked("x", rows + 1), y=stacked("y", rows + 1), all_x=stacked("x", up(rows)), all_y=stacked("y", up(rows)),
        held_x=stacked("x_validation", up(held)) if held else None,
        held_y=stacked("y_validation", up(held)) if held else None,
        rows=rows, rows_validation=held, columns=columns, targets=targets, outputs=first.table.outputs,
        batch_size=batch, batch_padded=up(batch), padded=padded,
    )  # fmt: skip
