"""The batches of an epoch: contiguous views of a table that sits on the device, after one gather a block."""

from collections.abc import Iterable, Iterator
from itertools import cycle, islice
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from experiments.data.order import block_order, epoch_order, rows_of_a_block
from experiments.data.prefetch import prefetched

Pair = tuple[Tensor, Tensor]
"""x (n, features) and y (n, targets)."""
GATHERED = 2**20
"""Numbers of a shuffled table gathered at once: few calls, and still in the processor's cache when trained on."""
READ = 2**18
"""Numbers of a table in its order that are read into the cache at once, a megabyte."""
LARGE = 2**22
"""Tables of more numbers than this (16 MB) lie in memory, not in a cache: worth a thread that gathers ahead."""


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
        self.block_rows, self.loader = rows_of_a_block(block_rows, x.shape[1] + y.shape[1]), loader
        self.per_epoch = -(-rows // self.batch_size)
        numbers = GATHERED if self.shuffle else READ
        self.at_once = min(rows, self.batch_size * max(1, numbers // (x.shape[1] * self.batch_size)))
        self.large = x.device.type == "cpu" and x.numel() > LARGE and self.at_once < rows
        if self.shuffle and loader == "tensor":  # reused: fresh memory for every gather costs several times as much
            # large: one is trained on, one waits, one is being filled
            places = range(3 if self.large else 1)
            self._places = [tuple(t.new_empty(self.at_once, t.shape[1]) for t in (x, y)) for _ in places]

    def order(self, generator: Generator) -> Tensor | None:
        """The epoch's permutation (rows,), or None for the table's own order."""
        if not self.shuffle:
            return None
        if self.shuffle == "blocks":
            return block_order(len(self.x), self.block_rows, generator)
        return epoch_order(len(self.x), generator)

    def epoch(self, generator: Generator, first: int = 0, arrays: bool = False) -> Iterator[tuple[Any, Any]]:
        """The epoch's batches from number `first` on; the draw is the same wherever it starts.

        Tensors, or NumPy arrays on the same memory, which take a tenth of the time to make.
        """
        order = self.order(generator)
        if self.loader == "torch":
            pairs = islice(self._through_dataloader(order), first, None)
            return ((x.numpy(), y.numpy()) for x, y in pairs) if arrays else pairs
        return batches(self._runs(order, first, arrays), self.batch_size, arrays)

    def _runs(self, order: Tensor | None, first: int, arrays: bool) -> Iterator[Pair]:
        """The epoch from batch `first` on, some whole batches at a time."""
        if order is None:
            start = first * self.batch_size
            return iter([(self.x[start:], self.y[start:])]) if arrays else self._in_order(first)
        done = first * self.batch_size // self.at_once * self.at_once  # whole blocks, so that batches lie as ever
        blocks = self._gathered(order[done:].to(self.x.device))
        return cut(
            prefetched(blocks, depth=1) if self.large else blocks, self.batch_size, first * self.batch_size - done
        )

    def _in_order(self, first: int) -> Iterator[Pair]:
        """Views of the table's own rows; those of a large table are read into the cache just before."""
        for start in range(first * self.batch_size, len(self.x), self.at_once):
            x, y = self.x[start : start + self.at_once], self.y[start : start + self.at_once]
            if self.large:
                touch(x)
            yield x, y

    def _gathered(self, order: Tensor) -> Iterator[Pair]:
        """The rows in `order`, some whole batches at a time, in memory that later ones overwrite."""
        for rows, (x, y) in zip(order.split(self.at_once), cycle(self._places)):
            yield gather(self.x, rows, x[: len(rows)]), gather(self.y, rows, y[: len(rows)])

    def _through_dataloader(self, order: Tensor | None) -> Iterator[Pair]:
        from torch.utils.data import DataLoader, TensorDataset

        sampler = range(len(self.x)) if order is None else order.tolist()
        own = Generator()  # DataLoader draws a seed for its workers; not from the run's or the global generator
        loader = DataLoader(TensorDataset(self.x, self.y), self.batch_size, sampler=sampler, generator=own)
        yield from loader


def touch(table: Tensor) -> None:
    """Read a contiguous table on the CPU into the cache.

    This runs at the memory's rate, where a matrix-vector product of torch's, not NumPy's, reads rows at half of it.
    """
    numbers = table.numpy().reshape(-1)
    numbers[:: 64 // numbers.itemsize].max()  # one number of each line of the cache


def gather(table: Tensor, rows: Tensor, out: Tensor) -> Tensor:
    """The given rows of a table, written into `out` (len(rows), columns)."""
    if table.device.type != "cpu":
        return torch.index_select(table, 0, rows, out=out)
    # copies whole rows, in half the time of index_select; without mode="clip" it would go through a buffer
    np.take(table.numpy(), rows.numpy(), axis=0, out=out.numpy(), mode="clip")
    return out


def cut(blocks: Iterable[Pair], size: int, skip: int = 0) -> Iterator[Pair]:
    """Blocks of x and y as runs of whole batches of `size` rows, only the last batch of all may be smaller.

    Views, but for a batch that reaches over the end of a block. The memory of a block may be used again once the
    next one is asked for. The first `skip` rows are left out.
    """
    rest: list[Pair] = []
    missing = size
    for x, y in blocks:
        if skip:
            x, y, skip = x[skip:], y[skip:], max(0, skip - len(x))
        if rest:
            if len(x) < missing:
                rest.append((x.clone(), y.clone()))
                missing -= len(x)
                continue
            rest.append((x[:missing], y[:missing]))
            x, y = x[missing:], y[missing:]
            yield _joined(rest)
            rest, missing = [], size
        whole = len(x) - len(x) % size
        if whole:
            yield x[:whole], y[:whole]
        if whole < len(x):
            rest, missing = [(x[whole:].clone(), y[whole:].clone())], size - (len(x) - whole)
    if rest:
        yield _joined(rest)


def batches(runs: Iterable[Pair], size: int, arrays: bool) -> Iterator[tuple[Any, Any]]:
    """The batches of each run as views, or as NumPy arrays on the same memory."""
    for x, y in runs:
        if arrays:
            x, y = x.numpy(), y.numpy()
            for first in range(0, len(x), size):
                yield x[first : first + size], y[first : first + size]
        else:
            yield from zip(x.split(size), y.split(size), strict=True)


def _joined(pieces: list[Pair]) -> Pair:
    if len(pieces) == 1:
        return pieces[0]
    return torch.cat([x for x, _ in pieces]), torch.cat([y for _, y in pieces])
