"""The batches of an epoch: contiguous views of a table that sits on the device, after one gather."""

from collections.abc import Iterator
from itertools import islice

import torch
from torch import Generator, Tensor

from experiments.data.order import block_order, epoch_order


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
        if self.shuffle and loader == "tensor":  # reused: a fresh gather of a large table costs ten times as much
            self._x, self._y = torch.empty_like(x), torch.empty_like(y)

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
        x, y = self.x, self.y
        if order is not None:
            order = order.to(x.device)
            x = torch.index_select(x, 0, order, out=self._x)
            y = torch.index_select(y, 0, order, out=self._y)
        return islice(zip(x.split(self.batch_size), y.split(self.batch_size), strict=True), first, None)

    def _through_dataloader(self, order: Tensor | None) -> Iterator[tuple[Tensor, Tensor]]:
        from torch.utils.data import DataLoader, TensorDataset

        sampler = range(len(self.x)) if order is None else order.tolist()
        own = Generator()  # DataLoader draws a seed for its workers; not from the run's or the global generator
        loader = DataLoader(TensorDataset(self.x, self.y), self.batch_size, sampler=sampler, generator=own)
        yield from loader
