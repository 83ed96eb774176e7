"""The rows of a stream that are trained on, or held out: each block of the file as numbers, whenever it is read."""

import math
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import polars as pl
import torch
from torch import Tensor

from experiments.data.batches import Pair
from experiments.data.files.chosen import present, said_held
from experiments.data.files.columns import Encoding, empty_column, finite, in_file, numbers, side_by_side, unusable
from experiments.data.files.reading import validation_file
from experiments.data.prefetch import prefetched
from experiments.data.splitting import held_by_hash
from experiments.data.streaming.reader import Block, Reader
from experiments.errors import UserError


@dataclass(frozen=True)
class Rows:
    """The rows of a reader that are trained on (`held` False) or held out (`held` True)."""

    reader: Reader
    encoding: Encoding
    targets: tuple[str, ...]
    drop: bool = False
    """Leave out the rows with a missing cell in the columns that are used."""
    share: float = 0.0
    split_seed: int = 0
    column: str | None = None
    """What tells the rows held out from the others, instead of a share."""
    held: bool = False
    second: bool = False
    """Whether they are those of data.validation_path, all of them."""
    counts: dict[int, int] | None = None
    """How many rows of each block these are, by its number, where the file had to be read to tell."""

    @property
    def features(self) -> int:
        return len(self.encoding.features)

    @property
    def names(self) -> tuple[str, ...]:
        """The columns of the tables below: features, then targets."""
        return (*self.encoding.features, *self.targets)

    def size(self, block: Block) -> int:
        """How many rows of a block these are; nothing is read."""
        if self.counts is not None:
            return self.counts[block.number]
        mask = self._by_share(block)
        return block.rows if mask is None else int(np.count_nonzero(mask))

    def table(self, block: Block, largest: float | None = None, spare: np.ndarray | None = None) -> np.ndarray:
        """These rows of a block (rows, features + targets), in the table's units; `spare` as in `Reader.read`.

        The first time, with `largest`, a missing or infinite cell is refused, and one beyond `largest`: later the file
        is the same, or is found changed.
        """
        with validation_file() if self.second else nullcontext():
            if self.encoding.categories or self.encoding.means or self.drop or self.column:
                table, rows, mask = self._encoded(block)
            else:
                names = (*self.encoding.inputs, *self.targets)
                table, rows = self.reader.read(block, names, spare), block.numbers
                mask = self._by_share(block)
            if largest is not None:
                self._check(block, table, rows, largest)
        return table if mask is None else table[mask]

    def tables(self, largest: float = math.inf) -> Iterator[Tensor]:
        """These rows of each block (n, features + targets) in the file's order, when they are read for the first time.

        A missing or infinite cell is refused, and one beyond `largest`, also in rows of the block that are not these.
        """
        return (torch.from_numpy(self.table(block, largest)) for block in self.reader.blocks)

    def read_ahead(self) -> Iterator[Tensor]:
        """These rows of each block (n, features + targets) in the file's order, read ahead."""
        return prefetched(torch.from_numpy(self.table(block)) for block in self.reader.blocks)

    def blocks(self) -> Iterator[Pair]:
        """The same as x (n, features) and y (n, targets)."""
        for table in self.read_ahead():
            yield table[:, : self.features], table[:, self.features :]

    def _by_share(self, block: Block) -> np.ndarray | None:
        """Which rows of a block these are, by its number alone, or None for all."""
        if not self.share:
            return None
        out = held_by_hash(block.number, block.rows, self.share, self.split_seed)
        return out if self.held else ~out

    def _encoded(self, block: Block) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """The rows left in a block as a table, their numbers in their file, and which of them these are."""
        used = dict.fromkeys((*self.encoding.inputs, *self.targets, *([self.column] if self.column else ())))
        frame, rows, mask = self.reader.frame(block, list(used)), np.asarray(block.numbers), self._by_share(block)
        if self.drop:
            frame, kept = complete(frame, (*self.encoding.inputs, *self.targets))
            rows, mask = rows[kept], mask if mask is None else mask[kept]
        columns = self.encoding.columns(frame, block.where, rows)
        table = side_by_side([*columns, *(numbers(frame[name], block.where, rows) for name in self.targets)])
        if self.column:
            out = self.said_held(block, frame, rows)
            mask = out if self.held else ~out
        return table, rows, mask

    def said_held(self, block: Block, frame: pl.DataFrame, rows: np.ndarray) -> np.ndarray:
        """Which rows of a frame are held out by the column that tells, (rows,). Raises UserError."""
        assert self.column
        file = f"{block.part.known_as}: " if len(self.reader.parts) > 1 else ""
        return said_held(frame[self.column], rows, file).to_numpy()

    def _check(self, block: Block, table: np.ndarray, rows: range | np.ndarray, largest: float) -> None:
        """Raise UserError that names the first column without a number, or the first cell that is none or too large."""
        if finite(table):
            bounded = len(table) and table.dtype == np.float64 and largest < math.inf
            if bounded and max(-table.min(), table.max()) > largest:
                row, column = (int(k) for k in np.argwhere(np.abs(table) > largest)[0])
                raise UserError(
                    f"{block.where}: row {in_file(row, rows)}, column {self.names[column]} is {table[row, column]}, "
                    "beyond float32 (3.4e38); use device.dtype=float64 or data.standardize=true"
                )
            return
        for column in np.flatnonzero(np.isnan(table).all(0)):
            which = "" if block.rows == block.part.rows else f" of rows {block.first + 1} to {block.first + block.rows}"
            raise UserError(empty_column(block.where, self.names[int(column)], which))
        raise UserError(unusable(block.where, table, self.names, rows))


def complete(frame: pl.DataFrame, names: tuple[str, ...]) -> tuple[pl.DataFrame, np.ndarray]:
    """The rows of a frame without a missing cell in the named columns, and the mask (rows,) that is true for them."""
    kept = np.ones(frame.height, bool)
    for name in names:
        kept &= present(frame[name]).to_numpy()
    return (frame, kept) if kept.all() else (frame.filter(pl.Series(kept)), kept)
