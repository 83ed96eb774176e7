"""The batches of a stream: while some are trained on, the next are read, shuffled and scaled in the background."""

from collections import deque
from collections.abc import Callable, Iterator
from itertools import accumulate, cycle
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from experiments.data.ahead import DEPTH, ahead
from experiments.data.batches import GATHERED, Pair, batches, cut, gather
from experiments.data.order import block_plan, within_block
from experiments.data.streamed_rows import Rows

PLACES = 3
"""One is trained on, one waits, one is being filled."""


class StreamedBatches:
    """The face of `Batches` over the blocks of a file.

    `placed(table, out)` gives rows (n, features + targets) as the model trains on them, in `out`'s memory if it likes.
    """

    def __init__(
        self, rows: Rows, placed: Callable[[Tensor, Tensor], Pair], dtype: torch.dtype, batch_size: int,
        shuffle: bool | str,
    ) -> None:  # fmt: skip
        self.rows, self.placed, self.dtype = rows, placed, dtype
        self.batch_size, self.shuffle = batch_size, bool(shuffle)
        self.sizes = [rows.size(block) for block in rows.reader.blocks]
        self.per_epoch = -(-sum(self.sizes) // batch_size)

    def epoch(self, generator: Generator, first: int = 0, arrays: bool = False) -> Iterator[tuple[Any, Any]]:
        """The epoch's batches, see `Batches.epoch`; blocks before number `first` are not read."""
        order, seed = list(range(len(self.sizes))), 0
        if self.shuffle:
            order, seed = block_plan(len(order), generator)
        ends = list(accumulate(self.sizes[b] for b in order))
        skipped = first * self.batch_size
        at = next((i for i, end in enumerate(ends) if end > skipped), len(order))
        offset = skipped - (ends[at - 1] if at else 0)
        runs = ahead(self._gathered(ahead(self._blocks(order[at:], seed))), depth=1)
        return batches(cut(runs, self.batch_size, offset), self.batch_size, arrays)

    def _blocks(self, order: list[int], seed: int) -> Iterator[tuple[Tensor, Tensor]]:
        """The blocks in `order` and the order of their rows, in memory that later ones overwrite."""
        used = deque[np.ndarray]()  # the consumer has one, DEPTH wait; what came before them is done with
        for b in order:
            table = self.rows.table(self.rows.reader.blocks[b], spare=used.popleft() if len(used) > DEPTH + 1 else None)
            used.append(table)
            inside = within_block(len(table), seed, b) if self.shuffle else torch.arange(len(table))
            yield torch.from_numpy(table), inside

    def _gathered(self, blocks: Iterator[tuple[Tensor, Tensor]]) -> Iterator[Pair]:
        """The rows of each block in their order, some whole batches at a time, in memory that later ones overwrite."""
        columns = len(self.rows.names)
        at_once = self.batch_size * max(1, GATHERED // (columns * self.batch_size))
        places: Iterator[tuple[Tensor, Tensor]] | None = None
        for table, order in blocks:
            if places is None:
                shape = at_once, columns
                places = cycle([(table.new_empty(shape), torch.empty(shape, dtype=self.dtype)) for _ in range(PLACES)])
            for rows, (raw, out) in zip(order.split(at_once), places, strict=False):
                yield self.placed(gather(table, rows, raw[: len(rows)]), out[: len(rows)])
