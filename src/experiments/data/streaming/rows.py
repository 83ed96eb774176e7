"""The rows that are trained on, or held out: each block of a file as numbers, whenever it is read."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
import torch
from torch import Tensor

from experiments.data.dataset import Dataset
from experiments.data.files.chosen import FileKeys, group_names, held_by_column
from experiments.data.files.columns import numbers, present, require_numbers, side_by_side, words
from experiments.data.files.encoding import Encoding
from experiments.data.files.levels import labels, numbered, with_missing_level
from experiments.data.files.reading import errors_of
from experiments.data.splitting import TESTED, TRAINED, subsets
from experiments.data.streaming.reader import Block, Reader
from experiments.errors import UserError

log = logging.getLogger("experiments")


@dataclass(frozen=True)
class Rows:
    """The rows of a reader that are in one subset."""

    keys: FileKeys
    reader: Reader
    encoding: Encoding
    targets: tuple[str, ...]
    subset: int = TRAINED
    """Which rows these are, see `splitting`."""
    key: str = "data.path"
    """The config key that names the file; of data.validation_path all rows are held out."""
    counts: tuple[dict[int, int], ...] = ({}, {}, {})
    """How many rows of each subset each block has, by its number."""
    dropped: int = 0
    """Rows, trained on or held out, that are left out for a missing cell."""
    labels: bool = False
    """Whether the target is a column of labels."""
    classes: tuple[str | int | bool, ...] | None = None
    """The labels in their order, once they are known."""

    @property
    def features(self) -> int:
        """How many inputs there are, those made of categories each for itself."""
        return len(self.encoding.features)

    @property
    def names(self) -> tuple[str, ...]:
        """The columns of the tables below: features, then targets."""
        return (*self.encoding.features, *self.targets)

    @property
    def used(self) -> tuple[str, ...]:
        """The file's columns that inputs and targets are made of: a missing cell in one drops its row."""
        return (*self.encoding.inputs, *self.targets)

    @property
    def second(self) -> bool:
        """Whether they are those of a second file, for which nothing is learned."""
        return self.key != "data.path"

    def size(self, block: Block) -> int:
        """How many rows of a block these are."""
        return self.counts[self.subset][block.number]

    def count(self) -> int:
        """How many rows these are."""
        return sum(self.counts[self.subset].values())

    def table(
        self, block: Block, largest: float | np.ndarray | None = None, spare: np.ndarray | None = None
    ) -> np.ndarray:
        """These rows of a block (rows, features + targets), in the table's units; `spare` as in `Reader.array`.

        With `largest`, the first time, a cell that is missing, infinite or beyond it is refused, in any row of the
        block. Later nothing is: the file is the same, or is found changed.
        """
        plain = not (self.encoding.categories or self.encoding.means or self.keys.validation_column or self.labels)
        with errors_of(self.key):
            if plain and self.keys.missing != "drop" and block.file.is_array:
                table, rows = self.reader.array(block, self.used, spare), block.row_numbers
                mask = self._mask(block, pl.DataFrame(), rows)
            else:
                frame, rows, mask = self.remaining(block)
                inputs, targets = self.encoded(frame, block, rows)
                table = side_by_side([*inputs, *targets], spare)
            if largest is not None:
                require_numbers(table, self.names, block.file.where, rows, block.span, largest)
        return table if mask is None else table[mask]

    def tables(self, largest: float | np.ndarray | None = None, chosen: range | None = None) -> Iterator[Tensor]:
        """These rows of each block, or of the `chosen` ones, (n, features + targets), refused as `table` does."""
        blocks = self.reader.blocks if chosen is None else self.reader.blocks[chosen.start : chosen.stop]
        return (torch.from_numpy(self.table(block, largest)) for block in blocks)

    def dataset(self, x: Tensor, y: Tensor) -> Dataset:
        """Some of these rows, x (n, features) and y (n, targets), with all that is known of them."""
        features, units, image = self.encoding.features, self.keys.units or {}, self.keys.image
        return Dataset(
            x=x,
            y=y,
            features=features,
            targets=self.targets,
            feature_units=tuple(units.get(name, "") for name in features),
            target_units=tuple(units.get(name, "") for name in self.targets),
            encoding=self.encoding.as_json(),
            classes=self.classes,
            image=None if image is None else tuple(image),
            dropped=self.dropped,
        )

    def remaining(self, block: Block) -> tuple[pl.DataFrame, np.ndarray, np.ndarray | None]:
        """The rows of a block that are not dropped, as the file has them; their numbers in it; a mask of ours.

        The mask (rows,) is None where all are ours.
        """
        frame = self.reader.frame(block, list(dict.fromkeys([*self.used, *self.keys.split_columns])))
        rows = block.row_numbers
        if self.keys.missing == "drop":
            kept = complete(frame, self.used)
            frame, rows = frame.filter(pl.Series(kept)), rows[kept]
        mask = self._mask(block, frame, rows)
        return frame, rows, self._known(frame, mask) if self.subset == TESTED and mask is not None else mask

    def _known(self, frame: pl.DataFrame, tested: np.ndarray) -> np.ndarray:
        """The mask of the rows for the test without those that have a level which no other row has."""
        known = tested.copy()
        for name, levels in self.encoding.categories.items():
            cells = with_missing_level(words(frame[name], "data.one_hot"), self.keys.missing)
            known &= cells.is_in(levels).fill_null(True).to_numpy()  # a missing cell is refused later, by its row
        if out := int(np.count_nonzero(tested & ~known)):
            said = f"{out} of {np.count_nonzero(tested)} rows of the test have a level that no other row has"
            if not known.any():
                raise UserError(f"data.test={self.keys.test}: {said}; take others, by data.split_seed, or more")
            log.warning("%s, and are left out of it", said)
        return known

    def encoded(self, frame: pl.DataFrame, block: Block, rows: np.ndarray) -> tuple[list[pl.Series], list[pl.Series]]:
        """Inputs and targets of the rows of a frame, each a column of floats called as in `names`."""
        inputs = self.encoding.columns(frame, block.file.where, rows)
        if self.classes is None:
            return inputs, [numbers(frame[name], block.file.where, rows, target=True) for name in self.targets]
        known = [str(label).lower() if isinstance(label, bool) else str(label) for label in self.classes]
        text = labels(frame[self.targets[0]], block.file.where, rows)
        return inputs, [numbered(text, known, block.file.where, rows, "classes").cast(pl.Float32)]

    def subsets(self, block: Block, frame: pl.DataFrame, rows: np.ndarray) -> np.ndarray | None:
        """The subset of each of some rows of a block, (rows,); None where all are trained on. Raises UserError.

        `frame` has their columns that tell, `rows` their numbers.
        """
        keys, held = self.keys, None
        if self.second or (keys.split_key() in (None, "validation_path") and not keys.test):
            return None
        if keys.validation_column:
            file = f"{block.file.known_as}: " if len(self.reader.files) > 1 else ""
            held = held_by_column(frame[keys.validation_column], rows, file).to_numpy()
        elif not keys.folds and not keys.validation:
            held = np.zeros(len(rows), bool)
        elif not keys.folds and not keys.groups and not keys.test:
            held = self.reader.held_out(block, rows, keys.validation, keys.split_seed)
        classes, groups = np.zeros(len(rows), np.int64), None
        if self.labels and (keys.folds or keys.test):
            classes = number_of(labels(frame[self.targets[0]], block.file.where, rows))
        if keys.groups:
            groups = number_of(group_names(frame[keys.groups], rows))
        return subsets(keys, classes, groups, held)

    def _mask(self, block: Block, frame: pl.DataFrame, rows: np.ndarray) -> np.ndarray | None:
        """Which of some rows of a block are ours; None for all."""
        found = self.subsets(block, frame, rows)
        return None if found is None else found == self.subset


def number_of(cells: pl.Series) -> np.ndarray:
    """Of the different cells of a column of text, (rows,), in their order from 0."""
    return cells.fill_null("").rank("dense").to_numpy().astype(np.int64) - 1


def complete(frame: pl.DataFrame, names: tuple[str, ...]) -> np.ndarray:
    """A mask (rows,), true where no cell is missing in the named columns."""
    kept = np.ones(frame.height, bool)
    for name in names:
        kept &= present(frame[name]).to_numpy()
    return kept
