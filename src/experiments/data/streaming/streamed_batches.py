"""The batches of a stream: while some are trained on, the next blocks are read and scaled in the background."""

from collections import abc, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
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

Blocks = abc.Generator[tuple[Tensor, Tensor], None, None]
"""Tables (n, features + targets), and an order (n,) of the rows of each."""


@dataclass(frozen=True)
class BlocksAsTrained:
    """The blocks of a file for a model that trains with `like`'s dtype on its device, and an order of each one's rows.

    `write(table, out)` puts rows (n, features + targets) into `out` as the model trains on them; it is left out where
    `standardized` is False and the file has the dtype already.
    """

    rows: Rows
    like: Tensor
    standardized: bool
    write: Callable[[Tensor, Tensor], object]
    shuffle: bool
    used: deque[np.ndarray] = field(default_factory=deque)
    """The blocks read last: some are in use or wait, and what came before them is overwritten."""

    @property
    def sizes(self) -> list[int]:
        """How many rows each block has; nothing is read."""
        return [self.rows.size(block) for block in self.rows.reader.blocks]

    def ahead(self, order: list[int], seed: int, depth: int, in_use: int) -> Blocks:
        """The blocks in `order` as trained, and the order of their rows, in memory that later ones overwrite.

        `depth` of them wait, at most, for a consumer that uses `in_use` at a time.
        """
        return prefetched(self._read(order, seed, depth + in_use), depth)

    def _read(self, order: list[int], seed: int, kept: int) -> Iterator[tuple[Tensor, Tensor]]:
        dtype = torch.empty(0, dtype=self.like.dtype).numpy().dtype
        raw, written = None, self.standardized
        for b in order:
            spare = self.used.popleft() if len(self.used) > kept else None
            table = self.rows.table(self.rows.reader.blocks[b], spare=raw if written else spare)
            if written := written or table.dtype != dtype:
                raw, table = table, reused(spare, table.shape, dtype)
                self.write(torch.from_numpy(raw), torch.from_numpy(table))
            self.used.append(table)
            inside = within_block(len(table), seed, b) if self.shuffle else torch.arange(len(table))
            yield torch.from_numpy(table).to(self.like.device), inside.to(self.like.device)


class StreamedBatches:
    """Gives batches as `Batches` does, from the blocks of a file."""

    def __init__(self, blocks: BlocksAsTrained, batch_size: int) -> None:
        self.blocks, self.batch_size = blocks, batch_size
        self.sizes, columns = blocks.sizes, len(blocks.rows.names)
        self.per_epoch = -(-sum(self.sizes) // batch_size)
        at_once = batch_size * max(1, GATHERED // (columns * batch_size))
        self._place = blocks.like.new_empty(min(at_once, max(self.sizes, default=1)), columns)

    def epoch(self, generator: Generator, first: int = 0, arrays: bool = False) -> Iterator[tuple[Any, Any]]:
        """The epoch's batches, see `Batches.epoch`; blocks before number `first` are not read."""
        order, seed = list(range(len(self.sizes))), 0
        if self.blocks.shuffle:
            order, seed = block_plan(len(order), generator)
        ends = list(accumulate(self.sizes[b] for b in order))
        skipped = first * self.batch_size
        at = next((i for i, end in enumerate(ends) if end > skipped), len(order))
        offset = skipped - (ends[at - 1] if at else 0)
        ahead = self.blocks.ahead(order[at:], seed, DEPTH, in_use=1)
        runs = cut(self._gathered(ahead), self.batch_size, offset)
        return batches(runs, self.batch_size, arrays)

    def _gathered(self, blocks: Iterator[tuple[Tensor, Tensor]]) -> Iterator[Pair]:
        """The rows of each block in their order, some whole batches at a time, in memory that later ones overwrite.

        By the consumer: reading takes about as long as this and the training, and a third thread would wait for both.
        """
        features = self.blocks.rows.features
        for table, order in blocks:
            for rows in order.split(len(self._place)):
                run = gather(table, rows, self._place[: len(rows)])
                yield run[:, :features], run[:, features:]
            del table  # so that a place on the device is free
