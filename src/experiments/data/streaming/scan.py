"""What must be known of a file before it is streamed, from one look at the few columns that tell it.

Levels of the whole file, means of the training rows, and how many rows of each block are left. Nothing is read where
nothing is asked for, and memory holds some megabytes of the file at a time.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from experiments.data.files.chosen import checked_categories, checked_drop, checked_held, present, too_many
from experiments.data.files.columns import Encoding, empty_column, numbers, words
from experiments.data.splitting import held_by_hash
from experiments.data.streaming.reader import Block
from experiments.data.streaming.streamed_rows import Rows
from experiments.errors import UserError


@dataclass
class Mean:
    """The mean of numbers that come in parts: parts of any size are merged without a loss of digits."""

    count: int = 0
    value: float = 0.0

    def add(self, column: pl.Series) -> None:
        """Take in the finite cells of a column of floats: an infinite one is refused later, by its row."""
        there = column.cast(pl.Float64)
        there = there.filter(there.is_finite())
        mean = there.mean()
        if isinstance(mean, float):  # None: there is no number in the column
            self.count += len(there)
            self.value += (mean - self.value) * (len(there) / self.count)


@dataclass
class Scan:
    """Evaluations at a file's columns, span by span."""

    rows: Rows
    one_hot: Sequence[str] = ()
    averaged: Sequence[str] = ()
    """The inputs whose missing cells become the mean of the training rows."""
    categories: dict[str, set[str]] = field(default_factory=dict)
    kinds: dict[str, pl.DataType] = field(default_factory=dict)
    means: dict[str, Mean] = field(default_factory=dict)
    cells: dict[str, int] = field(default_factory=dict)
    """With data.missing=drop: how many cells of each column are not missing."""
    trained: dict[int, int] = field(default_factory=dict)
    held: dict[int, int] = field(default_factory=dict)
    """How many rows of each block are left to train on, and how many are held out, by the block's number."""

    def __post_init__(self) -> None:
        self.categories = {name: set() for name in self.one_hot}
        self.means = {name: Mean() for name in self.averaged}
        self.used = (*self.rows.encoding.inputs, *self.rows.targets) if self.rows.drop else ()
        self.cells = dict.fromkeys(self.used, 0)

    @property
    def columns(self) -> list[str]:
        """Those that are read: none where nothing is to be learned."""
        column = [self.rows.column] if self.rows.column else []
        return list(dict.fromkeys([*self.one_hot, *self.averaged, *self.used, *column]))

    def read(self) -> None:
        """Read the columns once. Raises UserError."""
        names = self.columns
        for span in self.rows.reader.spans(len(names)) if names else ():
            self._take(span, self.rows.reader.frame(span, names))

    def _take(self, span: Block, frame: pl.DataFrame) -> None:
        for name in self.one_hot:
            self._learn_levels(name, frame[name])
        kept = np.ones(span.rows, bool)
        for name in self.used:
            there = present(frame[name]).to_numpy()
            self.cells[name] += int(np.count_nonzero(there))
            kept &= there
        frame, numbers_left = frame.filter(pl.Series(kept)), np.asarray(span.numbers)[kept]
        held = self._held(span, frame, kept, numbers_left)
        self._count(span, numbers_left, held)
        training = frame.filter(pl.Series(~held))
        for name, mean in self.means.items():
            mean.add(numbers(training[name], span.where, numbers_left[~held]))

    def _learn_levels(self, name: str, column: pl.Series) -> None:
        known = self.kinds.setdefault(name, column.dtype)
        if known != column.dtype:  # the files of a folder need not agree
            self.kinds[name] = pl.String()
        self.categories[name].update(words(column, "data.one_hot").drop_nulls().unique().to_list())
        too_many(name, len(self.categories[name]), column.dtype, unfinished=True)

    def _held(self, span: Block, frame: pl.DataFrame, kept: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """True for those of the rows left that are held out."""
        if self.rows.column:
            return self.rows.said_held(span, frame, rows)
        if self.rows.share:
            return held_by_hash(span.number, span.rows, self.rows.share, self.rows.split_seed)[kept]
        return np.zeros(len(rows), bool)

    def _count(self, span: Block, rows: np.ndarray, held: np.ndarray) -> None:
        size = self.rows.reader.block_rows
        block, blocks = (rows - span.first) // size, -(-span.rows // size)
        for counts, chosen in ((self.trained, ~held), (self.held, held)):
            of_block = np.bincount(block[chosen], minlength=blocks).tolist()
            counts.update({span.number + i * size: count for i, count in enumerate(of_block)})


def learned(rows: Rows, one_hot: Sequence[str] = (), fill: bool = False, again: bool = False) -> tuple[Rows, Rows]:
    """The rows to train on and those held out, with what had to be learned of the file. Raises UserError.

    `one_hot` are the inputs to take as categories; `fill` puts the training rows' means in missing cells of the others.
    With `again` nothing is told of the rows dropped: it has been.
    """
    inputs = rows.encoding.inputs
    scan = Scan(rows, one_hot, [name for name in inputs if name not in one_hot] if fill else ())
    scan.read()
    categories = {name: checked_categories(name, found, scan.kinds[name]) for name, found in scan.categories.items()}
    trained, held = sum(scan.trained.values()), sum(scan.held.values())
    if rows.drop and not again:
        checked_drop(scan.cells, trained + held, rows.reader.rows)
    if rows.column:
        checked_held(rows.column, held, trained + held)
    for name, mean in scan.means.items():
        if trained and not mean.count:
            raise UserError(empty_column(f"data.path={rows.reader.path}", name))
    means = {name: mean.value for name, mean in scan.means.items() if mean.count}
    before = rows.encoding
    encoding = Encoding(
        inputs, before.categories | categories, before.means | means,
        {name: kind for name, kind in before.kinds.items() if name not in categories},
    )  # fmt: skip
    found = dataclasses.replace(rows, encoding=encoding)
    if rows.drop or rows.column:
        found = dataclasses.replace(found, counts=scan.trained)
        return found, dataclasses.replace(found, held=True, counts=scan.held)
    return found, dataclasses.replace(found, held=True)
