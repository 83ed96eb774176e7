"""Batches whose rows come from several blocks of a stream at once, so that processes can share each of them.

An epoch's blocks are taken `together` at a time, in the epoch's order. Of such a set each batch has the next rows of
every block, in the order drawn for that block, as many of each (but for one, where they do not divide the batch); a
block that has ended has none. Which rows a batch has does not depend on how many processes there are.
"""

from collections.abc import Iterator
from contextlib import closing
from itertools import islice

import torch
from torch import Generator, Tensor

from experiments.data.batches import Pair, gather
from experiments.data.order import block_plan
from experiments.data.streaming.streamed_batches import BlocksAsTrained
from experiments.data.workers import Share, Workers
from experiments.errors import UserError


class SharedBatches:
    """Gives batches as `StreamedBatches` does, but each a Share."""

    def __init__(self, blocks: BlocksAsTrained, batch_size: int, together: int, workers: Workers) -> None:
        """Raises UserError for a batch of fewer rows than blocks, and for more processes than blocks."""
        self.blocks, self.batch_size, self.together, self.workers = blocks, batch_size, together, workers
        self.sizes = blocks.sizes
        if batch_size < min(together, len(self.sizes)):
            raise UserError(
                f"training.batch_size={batch_size}: a batch takes its rows from data.batch_blocks={together} blocks; "
                "give it a row of each at least"
            )
        if workers.size > together:
            raise UserError(
                f"data.batch_blocks={together}: {workers.size} processes can't share so few blocks; start fewer, or "
                f"give data.batch_blocks={workers.size} (with another number the batches are others)"
            )
        self._in_use = len(workers.share(min(together, len(self.sizes))))
        self._places: dict[int, Tensor] = {}
        # which blocks meet is drawn anew in each epoch: so many are the most
        self.per_epoch = sum(-(-max(self.sizes) // self._rows(0, len(of_set))) for of_set in self._sets(self.sizes))

    def epoch(self, generator: Generator, first: int = 0, arrays: bool = False) -> Iterator[tuple[Share]]:
        """The epoch's batches from number `first` on; sets of blocks before it are not read."""
        order = list(range(len(self.sizes)))
        if self.blocks.shuffle:
            order, seed = block_plan(len(order), generator)
        else:
            seed = int(torch.randint(2**62, (), generator=generator))
        sets, number = list[tuple[int, int, list[int]]](), 0
        for chosen in self._sets(order):
            count = self._batches(chosen)
            if number + count > first:
                sets.append((number, count, chosen))
            number += count
        own = [chosen[i] for _, _, chosen in sets for i in self.workers.share(len(chosen))]
        with closing(self.blocks.ahead(own, seed, self._in_use, self._in_use)) as read:
            for number, count, chosen in sets:
                share = self.workers.share(len(chosen))
                tables = dict(zip(share, islice(read, len(share)), strict=True))
                for batch in range(max(0, first - number), count):
                    found = {i: self._piece(batch, i, len(chosen), *table) for i, table in tables.items()}
                    pieces = {i: piece for i, piece in found.items() if len(piece[0])}
                    yield (Share(pieces, len(chosen), (seed + (number + batch) * self.together) % 2**62),)
                tables.clear()

    def _sets(self, order: list[int]) -> list[list[int]]:
        return [order[i : i + self.together] for i in range(0, len(order), self.together)]

    def _batches(self, chosen: list[int]) -> int:
        """How many batches a set of blocks gives."""
        return max(-(-self.sizes[b] // self._rows(i, len(chosen))) for i, b in enumerate(chosen))

    def _rows(self, i: int, blocks: int) -> int:
        """How many rows a batch has of the i-th of so many blocks, as long as there are any."""
        return (i + 1) * self.batch_size // blocks - i * self.batch_size // blocks

    def _piece(self, batch: int, i: int, blocks: int, table: Tensor, order: Tensor) -> Pair:
        size = self._rows(i, blocks)
        rows = order[batch * size : (batch + 1) * size]
        place = self._places.get(i)
        if place is None or len(place) < len(rows):
            place = self._places[i] = table.new_empty(min(size, max(self.sizes)), table.shape[1])
        run, features = gather(table, rows, place[: len(rows)]), self.blocks.rows.features
        return run[:, :features], run[:, features:]
