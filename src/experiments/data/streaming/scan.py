"""What must be known of a file before its rows are numbers, from one look at the few columns that tell it.

Levels of all rows but those of the test, classes of the whole file, means of the training rows, and how many rows of
each block are in which subset. Nothing is read where no column tells it; of a stream some megabytes are in memory.
"""

import dataclasses
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from experiments.data.files.chosen import FileKeys, chosen_inputs, chosen_targets
from experiments.data.files.columns import empty_column, kind_of, numbers, present, require
from experiments.data.files.encoding import Encoding
from experiments.data.files.levels import checked_categories, checked_classes, labels, levels_of, refuse_too_many
from experiments.data.files.reading import errors_of
from experiments.data.labels import MOST_CLASSES, require_classes, require_one_target
from experiments.data.splitting import HELD, TESTED, TRAINED
from experiments.data.streaming.reader import Block, Reader
from experiments.data.streaming.rows import Rows
from experiments.errors import UserError

log = logging.getLogger("experiments")


def opened(
    keys: FileKeys, reader: Reader, another: Callable[[Path], Reader], classes: bool
) -> tuple[Rows, Rows | None]:
    """Training rows and validation rows of a file, or of a second one read by `another`. Raises UserError.

    With `classes` the target is a column of labels.
    """
    targets, split, head = chosen_targets(keys, reader.names), keys.split_key(), reader.head()
    if classes:
        require_one_target(targets)
    inputs = chosen_inputs(keys, head, targets, reader.where)
    require([*inputs, *targets], list(keys.units or ()), "data.units")
    for key in ("validation_column", "groups"):
        require(reader.names, [name] if (name := getattr(keys, key)) else [], f"data.{key}")
    kinds = {n: kind for n in inputs if n not in keys.categories and (kind := kind_of(head[n].dtype))}
    rows = Rows(keys, reader, Encoding(inputs, kinds=kinds), targets, labels=classes)
    reader.cut(len(rows.names))
    training, held = learned(rows)
    if reader.cut(len(training.names)):  # categories have made the rows wider
        training, held = learned(rows)
    _tell_dropped(training)
    if split != "validation_path":
        return training, held if split else None
    assert keys.validation_path
    with errors_of(key := "data.validation_path"):
        reader = another(Path(keys.validation_path))
        require(reader.names, rows.used, reader.where)
        reader.cut(len(training.names))
        second, _ = learned(dataclasses.replace(training, reader=reader, key=key, dropped=0))
    _tell_dropped(second)
    return dataclasses.replace(training, dropped=training.dropped + second.dropped), second


def _tell_dropped(rows: Rows) -> None:
    if rows.dropped:
        log.warning("%d of %d rows dropped for missing cells", rows.dropped, rows.reader.rows)


def learned(rows: Rows) -> tuple[Rows, Rows]:
    """The rows to train on and those held out, with what had to be learned of the file. Raises UserError.

    Nothing is learned anew of a second file's rows, but how many are dropped.
    """
    scan = Scan(rows)
    for block in rows.reader.blocks:
        scan.take(block, rows.reader.frame(block, scan.columns) if scan.columns else pl.DataFrame())
    trained, held, tested = (sum(counts.values()) for counts in scan.counts)
    for name, there in scan.cells.items():
        if not there:
            raise UserError(f"data.missing=drop: every cell of column {name} is missing, so no row would be left")
    if scan.cells and not trained + held:
        raise UserError("data.missing=drop: every row has a missing cell, so none would be left")
    if (column := rows.keys.validation_column) and not (trained and held):
        raise UserError(f"data.validation_column={column}: {'all' if held else 'none'} of the rows are held out")
    for name, mean in scan.means.items():
        if trained and not mean.count:
            raise UserError(empty_column(rows.reader.where, name))
    if not rows.second:
        categories = {n: checked_categories(n, found, scan.kinds[n]) for n, found in scan.levels.items()}
        for name, found in categories.items():
            if held_only := [level for level in found if level not in scan.trained_levels[name]]:
                log.warning(
                    "no training row has %s=%s, only rows held out do: what it weighs is not learned",
                    name, ", ".join(held_only[:5]) + ", ..." * (len(held_only) > 5),
                )  # fmt: skip
        means = {name: mean.value for name, mean in scan.means.items() if mean.count}
        encoding = dataclasses.replace(rows.encoding, categories=categories, means=means)
        classes = checked_classes(scan.label, scan.classes, scan.kinds[scan.label]) if scan.label else None
        rows = dataclasses.replace(rows, encoding=encoding, classes=classes)
        if twice := [name for i, name in enumerate(rows.names) if name in rows.names[:i]]:
            raise UserError(f"data.one_hot: {twice[0]} is a level, and a column is called so; rename the column")
    rows = dataclasses.replace(rows, counts=scan.counts, dropped=rows.reader.rows - trained - held - tested)
    return rows, dataclasses.replace(rows, subset=HELD)


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


class Scan:
    """What is seen of a file's columns, block by block."""

    def __init__(self, rows: Rows) -> None:
        keys, drop = rows.keys, rows.keys.missing == "drop"
        learning, filled = not rows.second, keys.missing in ("mean", "level")
        self.rows = rows
        self.label = rows.targets[0] if rows.labels and learning else None
        self.classes = set[str]()
        self.levels: dict[str, set[str]] = {name: set() for name in (keys.categories if learning else ())}
        """Of each column of categories, in all rows but those of the test."""
        self.trained_levels: dict[str, set[str]] = {name: set() for name in self.levels}
        """Those that training rows have."""
        self.kinds: dict[str, pl.DataType] = {}
        self.means = {n: Mean() for n in rows.encoding.inputs if learning and filled and n not in self.levels}
        self.cells = dict.fromkeys(rows.used if drop else (), 0)
        """With data.missing=drop: how many cells of each column are not missing."""
        self.counts: tuple[dict[int, int], ...] = ({}, {}, {})
        """How many rows of each subset each block has left, by the block's number."""
        told = [*([self.label] if self.label else []), *(keys.split_columns if learning else [])]
        self.columns = list(dict.fromkeys([*self.levels, *self.means, *self.cells, *told]))
        """Those that are read: none where nothing is to be learned."""

    def take(self, block: Block, frame: pl.DataFrame) -> None:
        """Take in the rows of a block. Raises UserError."""
        kept = np.ones(block.rows, bool)
        for name in self.cells:
            there = present(frame[name]).to_numpy()
            self.cells[name] += int(np.count_nonzero(there))
            kept &= there
        frame, left = frame.filter(pl.Series(kept)) if self.cells else frame, block.row_numbers[kept]
        if self.label:
            self._learn_classes(labels(frame[self.label], block.file.where, left), frame[self.label].dtype)
        subset = self.rows.subsets(block, frame, left)
        subset = np.full(len(left), TRAINED) if subset is None else subset
        for counts, chosen in zip(self.counts, (TRAINED, HELD, TESTED), strict=True):
            counts[block.number] = int(np.count_nonzero(subset == chosen))
        trained, seen = subset == TRAINED, subset != TESTED
        for name in self.levels:
            self._learn_levels(frame[name].filter(pl.Series(seen)))
            own = levels_of(frame[name].filter(pl.Series(trained)), self.rows.keys.missing)
            self.trained_levels[name].update(own)
        for name, mean in self.means.items():
            mean.add(numbers(frame[name].filter(pl.Series(trained)), block.file.where, left[trained]))

    def _learn_levels(self, column: pl.Series) -> None:
        found = self.levels[column.name]
        self._learn_kind(column.name, column.dtype)
        found.update(levels_of(column, self.rows.keys.missing))
        refuse_too_many(column.name, len(found), column.dtype)

    def _learn_classes(self, text: pl.Series, kind: pl.DataType) -> None:
        self._learn_kind(text.name, pl.Int64() if kind.is_numeric() else kind)
        self.classes.update(text.drop_nulls().unique().to_list())
        if len(self.classes) > MOST_CLASSES:
            require_classes(text.name, sorted(self.classes))

    def _learn_kind(self, name: str, kind: pl.DataType) -> None:
        """The files of a folder need not agree: then the column is text."""
        self.kinds[name] = kind if self.kinds.setdefault(name, kind) == kind else pl.String()
