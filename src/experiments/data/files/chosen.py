"""Which columns and rows of a file the keys of data=table and data=stream choose: for both by these functions."""

import logging
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Protocol

import polars as pl

from experiments.data.files.columns import (
    TEXT,
    Numbers,
    first,
    in_file,
    named,
    numeric,
    require,
    stripped,
    unlike,
    unused,
    words,
)
from experiments.errors import UserError

log = logging.getLogger("experiments")
MOST_NUMBERS = 1_000
MOST_LEVELS = 10_000
"""A column of numbers, or of text, with more different values than these holds no categories."""


class Keys(Protocol):
    """What data=table and data=stream have in common."""

    @property
    def path(self) -> str | None: ...
    @property
    def inputs(self) -> list[str] | None: ...
    @property
    def one_hot(self) -> list[str] | None: ...
    @property
    def validation_column(self) -> str | None: ...


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


def chosen_inputs(keys: Keys, frame: pl.DataFrame, targets: Sequence[str]) -> list[str]:
    """Those asked for, or every other numeric column and the categorical ones of one_hot. Raises UserError.

    `frame` holds all the columns of the file, and rows enough to tell what they hold.
    """
    one_hot = keys.one_hot or []
    require(frame.columns, one_hot, "data.one_hot")
    unlike((), targets, one_hot)
    if keys.inputs is not None:
        if not keys.inputs:
            raise UserError("data.inputs=[]: at least one column is needed")
        kept = keys.inputs
        require(frame.columns, kept, "data.inputs")
    else:
        rest = named([n for n in frame.columns if n not in targets and n != keys.validation_column])
        kept = [n for n in rest if n in one_hot or numeric(frame[n])]
        left = [n for n in rest if n not in kept]
        if left and kept:
            log.warning("%s", unused(frame, left))
        if not kept:
            raise UserError(
                f"data.path={keys.path}: no numeric column is left for the inputs"
                + (f"; {unused(frame, left)}" if left else "")
            )
    unlike(kept, targets)
    for name in (*kept, *targets):
        column = frame[name]
        if column.dtype.is_integer() and name not in one_hot and _beyond_float(column):
            log.warning("column %s holds integers beyond 2^53: a number keeps about 16 digits of them", name)
    return [*kept, *(n for n in one_hot if n not in kept)]


def _beyond_float(column: pl.Series) -> bool:
    """Whether a column of integers has some that float64 can't hold."""
    low, high = column.min(), column.max()
    return isinstance(low, int) and isinstance(high, int) and max(-low, high) > 2**53


def checked_categories(name: str, found: Collection[str], kind: pl.DataType) -> list[str]:
    """The levels of a column in their order, from its different cells. Raises UserError for too many or too few.

    The order is that of the column's type: numbers by size, an enumeration as it is defined, text by its letters.
    """
    too_many(name, len(found), kind)
    if len(found) < 2:
        raise UserError(f"data.one_hot: {name} has {len(found)} level; at least two tell rows apart")
    if kind.is_numeric():
        return sorted(found, key=float)
    if isinstance(kind, pl.Enum):
        defined = [level.strip() for level in kind.categories.to_list()]
        return sorted(found, key=defined.index)
    return sorted(found)


def too_many(name: str, values: int, kind: pl.DataType, unfinished: bool = False) -> None:
    """Raise UserError for a column with so many values, or more where it is unfinished, that they are no categories."""
    most = MOST_LEVELS if kind in TEXT else MOST_NUMBERS
    if values > most:
        said = f"more than {most}" if unfinished else str(values)
        raise UserError(f"data.one_hot: {name} has {said} different values; too many to be levels")


def one_split(share: float, column: str | None, path: str | None) -> str | None:
    """Which of the three ways of holding rows out is asked for. Raises UserError for more than one."""
    ways = {"validation": share, "validation_column": column, "validation_path": path}
    asked = [name for name, value in ways.items() if value]
    if len(asked) > 1:
        raise UserError(f"data.{asked[0]} and data.{asked[1]}: rows can be held out in one way only")
    return asked[0] if asked else None


def present(column: pl.Series) -> pl.Series:
    """True where a column has a cell that is not missing."""
    if column.dtype in TEXT:
        return stripped(column).is_not_null()
    return column.is_not_null() & column.is_not_nan() if column.dtype.is_float() else column.is_not_null()


def checked_drop(cells: dict[str, int], kept: int, rows: int) -> None:
    """Say how many rows are dropped, from how many cells are there by column. Raises UserError where none is left."""
    for name, there in cells.items():
        if not there:
            raise UserError(f"data.missing=drop: every cell of column {name} is missing, so no row would be left")
    if not kept:
        raise UserError("data.missing=drop: every row has a missing cell, so none would be left")
    if kept < rows:
        log.info("%d of %d rows dropped for missing cells", rows - kept, rows)


def said_held(column: pl.Series, rows: Numbers = None, file: str = "") -> pl.Series:
    """True where a column says that its row is for validation. Raises UserError for other words and missing cells.

    `file` is where the column is, if that must be told.
    """
    said = words(column, "data.validation_column").str.to_lowercase()
    held = said.is_in(["true", "1", "1.0", "validation", "valid", "val", "test"])
    known = held | said.is_in(["false", "0", "0.0", "train", "training"])
    if (row := first((~known).fill_null(True))) is not None:
        raise UserError(
            f"data.validation_column: {file}row {in_file(row, rows)} of {column.name} is {column[row]}; must be true "
            "or false, 1 or 0, or validation or train"
        )
    return held


def checked_held(name: str, held: int, rows: int) -> None:
    """Raise UserError where a validation column holds all of the rows out, or none."""
    if held in (0, rows):
        raise UserError(f"data.validation_column={name}: {'none' if held == 0 else 'all'} of the rows are held out")
