"""A person's own table: one file of CSV, TSV, Parquet, Arrow, Feather, NPY or NPZ, read into memory."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import torch

from experiments.data.columns import TEXT, Encoding, matrix, named, numbers, numeric, require, unlike, unused, words
from experiments.data.dataset import Dataset
from experiments.data.reading import read, validation_file
from experiments.data.splitting import held_out_rows
from experiments.errors import UserError

log = logging.getLogger("experiments")


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
        inputs = self._inputs(frame, targets)
        levels = self._levels(frame, inputs)
        for key, names in (("data.inputs", inputs), ("data.one_hot", list(levels))):
            require(frame.columns, names, key)
        require([*inputs, *targets], list(self.units or ()), "data.units")
        if self.missing == "drop":
            frame = self._dropped(frame, inputs, targets, levels)
        table, other = frame, None
        if held == "validation_path":
            with validation_file():
                other = read(Path(self.validation_path or ""))
            if self.missing == "drop":
                require(other.columns, [*inputs, *targets], f"data.validation_path={self.validation_path}")
                other = self._dropped(other, inputs, targets, levels)
        elif held is not None:
            mask = self._held(frame)
            table, other = frame.filter(~mask), frame.filter(mask)
        where = f"data.path={path}"
        means = self._means(table, inputs, levels, where) if self.missing == "mean" else {}
        encoding = Encoding(tuple(inputs), levels, means)
        training = self._dataset(table, encoding, targets, where)
        if other is None:
            return training
        return training.holding_out(
            self._dataset(
                other,
                encoding,
                targets,
                f"data.validation_path={self.validation_path}" if held == "validation_path" else where,
            )
        )

    def _inputs(self, frame: pl.DataFrame, targets: Sequence[str]) -> list[str]:
        """Those asked for, or every other numeric column and the categorical ones of one_hot."""
        if self.inputs is not None:
            if not self.inputs:
                raise UserError("data.inputs=[]: at least one column is needed")
            unlike(self.inputs, targets)
            return [*self.inputs, *(n for n in self.one_hot or () if n not in self.inputs)]
        rest = named([n for n in frame.columns if n not in targets and n != self.validation_column])
        kept = [n for n in rest if n in (self.one_hot or ()) or numeric(frame[n])]
        left = [n for n in rest if n not in kept]
        if left and kept:
            log.warning("%s", unused(frame, left, one_hot=True))
        if not kept:
            raise UserError(
                f"data.path={self.path}: no numeric column is left for the inputs"
                + (f"; {unused(frame, left, one_hot=True)}" if left else "")
            )
        return [*kept, *(n for n in self.one_hot or () if n not in kept)]

    def _levels(self, frame: pl.DataFrame, inputs: Sequence[str]) -> dict[str, list[str]]:
        levels = {}
        for name in self.one_hot or ():
            require(frame.columns, [name], "data.one_hot")
            if name not in inputs:
                continue
            column = frame[name]
            text = words(column, "data.one_hot")
            if column.dtype not in TEXT and column.n_unique() > 1000:
                raise UserError(f"data.one_hot: {name} has {column.n_unique()} different values; too many to be levels")
            found = sorted(text.drop_nulls().unique().to_list())
            if len(found) < 2:
                raise UserError(f"data.one_hot: {name} has {len(found)} level; at least two tell rows apart")
            levels[name] = found
        return levels

    def _dropped(
        self, frame: pl.DataFrame, inputs: Sequence[str], targets: Sequence[str], levels: dict[str, list[str]]
    ) -> pl.DataFrame:
        """The rows without a missing cell in the columns that are used."""
        kept = pl.repeat(True, frame.height, eager=True)
        for name in (*inputs, *targets):
            column = frame[name]
            if column.null_count() == len(column):
                raise UserError(f"data.missing=drop: every cell of column {name} is missing, so no row would be left")
            kept &= column.is_not_null()
            if column.dtype in (pl.Float32, pl.Float64):
                kept &= column.is_not_nan()
        if not kept.any():
            raise UserError("data.missing=drop: every row has a missing cell, so none would be left")
        if dropped := len(kept) - int(kept.sum()):
            log.info("%d of %d rows dropped for missing cells", dropped, len(kept))
        return frame.filter(kept)

    def _held(self, frame: pl.DataFrame) -> pl.Series:
        """True for the rows held out: by share, or by a column of booleans, 0 and 1, or train and validation."""
        if self.validation_column is None:
            return pl.Series(held_out_rows(frame.height, self.validation, self.split_seed).numpy())
        require(frame.columns, [self.validation_column], "data.validation_column")
        return held_by(frame[self.validation_column])

    def _means(
        self, frame: pl.DataFrame, inputs: Sequence[str], levels: dict[str, list[str]], where: str
    ) -> dict[str, float]:
        """Of the training rows' inputs; a missing target is never filled in."""
        means = {}
        for name in inputs:
            if name not in levels:
                values = numbers(frame[name], where).cast(pl.Float64).fill_nan(None)
                mean = values.mean()
                if isinstance(mean, float):  # None: there is no number in the column
                    means[name] = mean
        return means

    def _dataset(self, frame: pl.DataFrame, encoding: Encoding, targets: Sequence[str], where: str) -> Dataset:
        require(frame.columns, targets, where)
        units = self.units or {}
        x = encoding.encode(frame, where)
        y = matrix([numbers(frame[name], where) for name in targets], where)
        return Dataset(
            x=torch.from_numpy(x),
            y=torch.from_numpy(y if y.dtype == x.dtype else y.astype(np.float64)),
            features=encoding.features,
            targets=tuple(targets),
            feature_units=tuple(units.get(name, "") for name in encoding.features),
            target_units=tuple(units.get(name, "") for name in targets),
            encoding=encoding.as_json(),
        )


def required_path(path: str | None, choice: str) -> Path:
    if path is None:
        raise UserError(f"data.path: data={choice} needs a file; add data.path=FILE")
    return Path(path)


def chosen_targets(targets: list[str] | None, columns: Sequence[str]) -> list[str]:
    """The targets, each a column of the table. Raises UserError."""
    if not targets:
        raise UserError(
            f"data.targets: name the columns to predict, as data.targets=[{columns[-1]}]; there are "
            + ", ".join(columns[:20])
        )
    require(columns, targets, "data.targets")
    unlike((), targets)
    return list(targets)


def one_split(share: float, column: str | None, path: str | None) -> str | None:
    """Which of the three ways of holding rows out is asked for. Raises UserError for more than one."""
    ways = {"validation": share, "validation_column": column, "validation_path": path}
    asked = [name for name, value in ways.items() if value]
    if len(asked) > 1:
        raise UserError(f"data.{asked[0]} and data.{asked[1]}: rows can be held out in one way only")
    return asked[0] if asked else None


def held_by(column: pl.Series) -> pl.Series:
    """True where a column says that its row is for validation. Raises UserError for other words and missing cells."""
    said = words(column, "data.validation_column").str.to_lowercase()
    held = said.is_in(["true", "1", "1.0", "validation", "valid", "val", "test"])
    known = held | said.is_in(["false", "0", "0.0", "train", "training"])
    bad = (~known).fill_null(True)
    if bad.any():
        row = int(bad.arg_max() or 0)
        raise UserError(
            f"data.validation_column: row {row + 1} of {column.name} is {column[row]}; must be true or false, 1 or 0, "
            "or validation or train"
        )
    if held.all() or not held.any():
        raise UserError(
            f"data.validation_column={column.name}: {'all' if held.all() else 'none'} of the rows are held out"
        )
    return held
