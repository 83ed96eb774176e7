"""A person's own table: one file of CSV, TSV, Parquet, Arrow, Feather, NPY or NPZ, read into memory."""

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import numpy as np
import polars as pl
import torch

from experiments.data.dataset import Dataset
from experiments.data.files.chosen import (
    checked_categories,
    checked_drop,
    checked_held,
    chosen_inputs,
    chosen_targets,
    one_split,
    present,
    required_path,
    said_held,
)
from experiments.data.files.columns import Encoding, Numbers, kinds, matrix, numbers, require, words
from experiments.data.files.reading import read, validation_file
from experiments.data.splitting import held_out_rows


@dataclass(frozen=True)
class Part:
    """Some rows of a file, and which ones they are."""

    frame: pl.DataFrame
    rows: Numbers = None

    def only(self, mask: pl.Series) -> "Part":
        """The rows where the mask holds."""
        chosen = np.flatnonzero(mask.to_numpy())
        return Part(self.frame.filter(mask), chosen if self.rows is None else np.asarray(self.rows)[chosen])


@dataclass(frozen=True)
class Table:
    """The keys of data=table; `load` reads the file, holds rows out, and only then learns means to fill in."""

    path: str | None = None
    inputs: list[str] | None = None
    targets: list[str] | None = None
    one_hot: list[str] | None = None
    missing: str = "error"
    units: dict[str, str] | None = None
    validation: float = 0.0
    validation_column: str | None = None
    validation_path: str | None = None
    split_seed: int = 0

    def load(self) -> Dataset:
        """The training rows, and in `held_out` those for validation. Raises UserError."""
        path = required_path(self.path, "table")
        frame = read(path)
        targets = chosen_targets(self.targets, frame.columns)
        held = one_split(self.validation, self.validation_column, self.validation_path)
        inputs = chosen_inputs(self, frame, targets)
        categories = {name: categories_of(frame[name]) for name in self.one_hot or ()}
        require([*inputs, *targets], list(self.units or ()), "data.units")
        used = [*inputs, *targets]
        part = self._complete(Part(frame), used)
        where, elsewhere = f"data.path={path}", f"data.validation_path={self.validation_path}"
        other = None
        if held == "validation_path":
            with validation_file():
                other = Part(read(Path(self.validation_path or "")))
            if self.missing == "drop":
                require(other.frame.columns, used, elsewhere)
                other = self._complete(other, used)
        elif held is not None:
            mask, elsewhere = self._held(part), where
            part, other = part.only(~mask), part.only(mask)
        means = self._means(part, inputs, categories, where) if self.missing == "mean" else {}
        encoding = Encoding(tuple(inputs), categories, means, kinds(frame, [n for n in inputs if n not in categories]))
        training = self._dataset(part, encoding, targets, where)
        return training if other is None else training.holding_out(self._dataset(other, encoding, targets, elsewhere))

    def _complete(self, part: Part, names: Sequence[str]) -> Part:
        """With data.missing=drop the rows without a missing cell in the columns that are used, else all."""
        if self.missing != "drop":
            return part
        there = {name: present(part.frame[name]) for name in names}
        kept = reduce(operator.and_, there.values())
        checked_drop({name: int(cells.sum()) for name, cells in there.items()}, int(kept.sum()), len(kept))
        return part.only(kept)

    def _held(self, part: Part) -> pl.Series:
        """True for the rows held out: by share, or by a column of booleans, 0 and 1, or train and validation."""
        frame, name = part.frame, self.validation_column
        if name is None:
            return pl.Series(held_out_rows(frame.height, self.validation, self.split_seed).numpy())
        require(frame.columns, [name], "data.validation_column")
        held = said_held(frame[name], part.rows)
        checked_held(name, int(held.sum()), len(held))
        return held

    def _means(
        self, part: Part, inputs: Sequence[str], categories: dict[str, list[str]], where: str
    ) -> dict[str, float]:
        """Of the training rows' inputs; a missing target is never filled in."""
        means = {}
        for name in inputs:
            if name not in categories:
                values = numbers(part.frame[name], where, part.rows).cast(pl.Float64)
                mean = values.filter(values.is_finite()).mean()  # an infinite cell is refused later, by its row
                if isinstance(mean, float):  # None: there is no number in the column
                    means[name] = mean
        return means

    def _dataset(self, part: Part, encoding: Encoding, targets: Sequence[str], where: str) -> Dataset:
        frame, rows = part.frame, part.rows
        require(frame.columns, targets, where)
        units = self.units or {}
        x = encoding.encode(frame, where, rows)
        y = matrix([numbers(frame[name], where, rows) for name in targets], where, rows)
        return Dataset(
            x=torch.from_numpy(x),
            y=torch.from_numpy(y if y.dtype == x.dtype else y.astype(np.float64)),
            features=encoding.features,
            targets=tuple(targets),
            feature_units=tuple(units.get(name, "") for name in encoding.features),
            target_units=tuple(units.get(name, "") for name in targets),
            encoding=encoding.as_json(),
        )


def categories_of(column: pl.Series) -> list[str]:
    """The levels of a column of categories, sorted. Raises UserError."""
    found = words(column, "data.one_hot").drop_nulls().unique().to_list()
    return checked_categories(column.name, found, column.dtype)
