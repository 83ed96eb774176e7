"""The batches of a stream: while some are trained on, the next blocks are read and scaled in the background."""

from collections import deque
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from experiments.data.allocation import reused
from experiments.data.batches import GATHERED, Pair, batches, cut, gather
from experiments.data.order import block_plan, within_block
from experiments.data.prefetch import DEPTH, prefetched
from experiments.data.streaming.rows import Rows


class StreamedBatches:
    """The face of `Batches` over the blocks of a file, for a model that trains with `like`'s dtype on its device.

    `write(table, out)` puts rows (n, features + targets) into `out` as the model trains on them; it is left out where
    `standardized` is False and the file has the dtype already.
    """

    def __init__(
        self, rows: Rows, batch_size: int, shuffle: bool | str, like: Tensor, standardized: bool,
        write: Callable[[Tensor, Tensor], object],
    ) -> None:  # fmt: skip
        self.rows, self.like, self.standardized, self.write = rows, like, standardized, write
        self.batch_size, self.shuffle = batch_size, bool(shuffle)
        self.sizes = [rows.size(block) for block in rows.reader.blocks]
        self.per_epoch = -(-sum(self.sizes) // batch_size)
        columns = len(rows.names)
        at_once = batch_size * max(1, GATHERED // (columns * batch_size))
        self._place = like.new_empty(min(at_once, max(self.sizes, default=1)), columns)
        self._used = deque[np.ndarray]()
        """The blocks read last: the consumer has one, DEPTH wait, and what came before them is overwritten."""

    def epoch(self, generator: Generator, first: int = 0, arrays: bool = False) -> Iterator[tuple[Any, Any]]:
        """The epoch's batches, see `Batches.epoch`; blocks before number `first` are not read."""
        order, seed = list(range(len(self.sizes))), 0
        if self.shuffle:
            order, seed = block_plan(len(order), generator)
        ends = list(accumulate(self.sizes[b] for b in order))
        skipped = first * self.batch_size
        at = next((i for i, end in enumerate(ends) if end > skipped), len(order))
        offset = skipped - (ends[at - 1] if at else 0)
        runs = cut(self._gathered(prefetched(self._blocks(order[at:], seed))), self.batch_size, offset)
        return batches(runs, self.batch_size, arrays)

    def _blocks(self, order: list[int], seed: int) -> Iterator[tuple[Tensor, Tensor]]:
        """The blocks in `order` as trained, and the order of their rows, in memory that later ones overwrite."""
        dtype = torch.empty(0, dtype=self.like.dtype).numpy().dtype
        raw, written = None, self.standardized
        for b in order:
            spare = self._used.popleft() if len(self._used) > DEPTH + 1 else None
            table = self.rows.table(self.rows.reader.blocks[b], spare=raw if written else spare)
            if written := written or table.dtype != dtype:
                raw, table = table, reused(spare, table.shape, dtype)
                self.write(torch.from_numpy(raw), torch.from_numpy(table))
            self._used.append(table)
            inside = within_block(len(table), seed, b) if self.shuffle else torch.arange(len(table))
            yield torch.from_numpy(table).to(self.like.device), inside.to(self.like.device)

    def _gathered(self, blocks: Iterator[tuple[Tensor, Tensor]]) -> Iterator[Pair]:
        """The rows of each block in their order, some whole batches at a time, in memory that later ones overwrite.

        By the consumer: reading takes about as long as this and the training, and a third thread would wait for both.
        """
        features = self.rows.features
        for table, order in blocks:
            for rows in order.split(len(self._place)):
                run = gather(table, rows, self._place[: len(rows)])
                yield run[:, :features], run[:, features:]
            del table  # so that a place on the device is free
