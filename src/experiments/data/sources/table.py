"""A person's own table: one file of CSV, TSV, Parquet, Arrow, Feather, NPY or NPZ, read into memory."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
import torch

from experiments.data.dataset import Dataset
from experiments.data.files.chosen import FileKeys
from experiments.data.files.columns import require_numbers, side_by_side
from experiments.data.files.reading import errors_of, read
from experiments.data.prepared import Preparation, Prepared, prepare
from experiments.data.splitting import TESTED
from experiments.data.streaming.reader import InMemory
from experiments.data.streaming.rows import Rows
from experiments.data.streaming.scan import opened


@dataclass(frozen=True)
class Table(FileKeys):
    """The keys of data=table; `load` reads the file, holds rows out, and only then learns means to fill in."""

    def prepared(self, how: Preparation) -> Prepared:
        """What a run trains on, see `prepare`."""
        return prepare(self.load(how.labels), replace(how, folds=None, validation=0.0, test=0.0))

    def load(self, labels: bool = False) -> Dataset:
        """The training rows, and in `held_out` those for validation; with `labels` the target holds classes.

        Raises UserError, and DataChanged.
        """
        training, held = opened(self, self.reader(), in_memory, labels)
        found = self._dataset(training)
        if self.test:
            found = replace(found, test=self._dataset(replace(training, subset=TESTED)))
        return found if held is None else found.holding_out(self._dataset(held))

    def reader(self) -> InMemory:
        """The rows as the file has them. Raises UserError, and DataChanged."""
        return in_memory(self.file("table"))

    def _dataset(self, rows: Rows) -> Dataset:
        (block,) = rows.reader.blocks
        with errors_of(rows.key):
            frame, numbers, mask = rows.remaining(block)
            if mask is not None:
                frame, numbers = frame.filter(pl.Series(mask)), numbers[mask]
            x, y = (side_by_side(columns) for columns in rows.encoded(frame, block, numbers))
            require_numbers(x, rows.encoding.features, block.file.where, numbers)
            require_numbers(y, rows.targets, block.file.where, numbers)
        return rows.dataset(torch.from_numpy(x), torch.from_numpy(y if y.dtype == x.dtype else y.astype(np.float64)))


def in_memory(path: Path) -> InMemory:
    """A whole file, read at once. Raises UserError, and DataChanged."""
    return InMemory(read(path), path)
