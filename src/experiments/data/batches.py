"""The batches of an epoch: contiguous views of a table that sits on the device, after one gather a block."""

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
import torch
from torch import Generator, Tensor

from experiments.data.order import block_order, epoch_order

GATHERED_ROWS = 16_384
"""Rows of a shuffled table gathered at once: few calls, and still in the processor's cache when they are trained on."""


class Batches:
    """Pairs of x (batch, features) and y (batch, targets) in the order that the generator draws.

    The last batch is smaller where batch_size does not divide the rows, as with DataLoader. The full batch
    is the table itself, in its own order: shuffling it would change nothing but the rounding.
    """

    def __init__(
        self, x: Tensor, y: Tensor, batch_size: int | None, shuffle: bool | str = True,
        block_rows: int = 65_536, loader: str = "tensor",
    ) -> None:  # fmt: skip
        rows = len(x)
        self.x, self.y = x, y
        self.batch_size = min(batch_size or rows, rows)
        self.shuffle = shuffle if self.batch_size < rows else False
        self.block_rows, self.loader = block_rows, loader
        self.per_epoch = -(-rows // self.batch_size)
        self.gathered = min(rows, self.batch_size * max(1, GATHERED_ROWS // self.batch_size))
        if self.shuffle and loader == "tensor":  # reused: fresh memory for every gather costs several times as much
            self._x, self._y = x.new_empty(self.gathered, x.shape[1]), y.new_empty(self.gathered, y.shape[1])

    def order(self, generator: Generator) -> Tensor | None:
        """The epoch's permutation (rows,), or None for the table's own order."""
        if not self.shuffle:
            return None
        if self.shuffle == "blocks":
            return block_order(len(self.x), self.block_rows, generator)
        return epoch_order(len(self.x), generator)

    def epoch(self, generator: Generator, first: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """The epoch's batches from number `first` on; the draw is the same wherever it starts."""
        order = self.order(generator)
        if self.loader == "torch":
            return islice(self._through_dataloader(order), first, None)
        rows = slice(first * self.batch_size, None)
        if order is None:
            return cut([(self.x[rows], self.y[rows])], self.batch_size)
        return cut(self._gathered(order[rows].to(self.x.device)), self.batch_size)

    def _gathered(self, order: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """The rows in `order`, some whole batches at a time, in memory that the next ones overwrite."""
        for rows in order.split(self.gathered):
            x, y = self._x[: len(rows)], self._y[: len(rows)]
            yield gather(self.x, rows, x), gather(self.y, rows, y)

    def _through_dataloader(self, order: Tensor | None) -> Iterator[tuple[Tensor, Tensor]]:
        from torch.utils.data import DataLoader, TensorDataset

        sampler = range(len(self.x)) if order is None else order.tolist()
        own = Generator()  # DataLoader draws a seed for its workers; not from the run's or the global generator
        loader = DataLoader(TensorDataset(self.x, self.y), self.batch_size, sampler=sampler, generator=own)
        yield from loader


def gather(table: Tensor, rows: Tensor, out: Tensor) -> Tensor:
    """The given rows of a table, written into `out` (len(rows), columns)."""
    if table.device.type != "cpu":
        return torch.index_select(table, 0, rows, out=out)
    # copies whole rows, in half the time of index_select; without mode="clip" it would go through a buffer
    np.take(table.numpy(), rows.numpy(), axis=0, out=out.numpy(), mode="clip")
    return out


def cut(blocks: Iterable[tuple[Tensor, Tensor]], size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Blocks of x and y as batches of `size` rows: views, but for a batch that reaches over the end of a block."""
    rest: list[tuple[Tensor, Tensor]] = []
    missing = size
    for x, y in blocks:
        if rest:
            rest.append((x[:missing], y[:missing]))
            x, y, missing = x[missing:], y[missing:], missing - len(rest[-1][0])
            if missing:
                continue
            yield _joined(rest)
            rest, missing = [], size
        whole = len(x) - len(x) % size
        yield from zip(x[:whole].split(size), y[:whole].split(size), strict=True) if whole else ()
        if whole < len(x):
            rest, missing = [(x[whole:], y[whole:])], size - (len(x) - whole)
    if rest:
        yield _joined(rest)


def _joined(pieces: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    if len(pieces) == 1:
        return pieces[0]
    return torch.cat([x for x, _ in pieces]), torch.cat([y for _, y in pieces])
