"""Which columns and rows of a file the keys of data=table and data=stream choose."""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from experiments.config.schema import Table
from experiments.data.files.columns import TEXT, RowNumbers, first, in_file, numeric, require, separated, words
from experiments.data.files.dialect import NAMELESS
from experiments.errors import UserError

log = logging.getLogger("experiments")
HANDED_OVER = re.compile(r"[0-9a-f]{16}\.parquet")
"""What a table that Python handed over is called, see `cli/handed_over.py`."""


@dataclass(frozen=True)
class FileKeys(Table):
    """The keys of data=table, and what follows from them for every table whose columns the user names."""

    @property
    def categories(self) -> list[str]:
        """The columns of categories."""
        return self.one_hot or []

    def file(self, choice: str) -> Path:
        """The file to read for data=`choice`. Raises UserError where none is named."""
        if self.path is None:
            raise UserError(f"data.path: data={choice} needs a file; add data.path=FILE")
        path = Path(self.path)
        if not self.store and not HANDED_OVER.fullmatch(path.name):
            raise UserError(f"data.store=false: is for tables that Python hands over as data=, not for {path.name}")
        if not self.store and not path.exists():
            raise UserError(
                f"data.path={path}: this table came from Python and was not kept (data.store=false); hand it over "
                "again, as run(..., data=frame), or give data.path and data.store=true for a file with the same rows"
            )
        return path

    @property
    def split_columns(self) -> list[str]:
        """The columns, besides inputs and targets, that tell which rows are held out."""
        return [name for name in (self.validation_column, self.groups) if name]

    def split_key(self) -> str | None:
        """The key that tells which rows are held out. Raises UserError where more than one does."""
        asked = [k for k in ("validation", "folds", "validation_column", "validation_path") if getattr(self, k)]
        if len(asked) > 1:
            raise UserError(f"data.{asked[0]} and data.{asked[1]}: rows can be held out in one way only")
        return asked[0] if asked else None


def chosen_targets(keys: FileKeys, columns: Sequence[str]) -> tuple[str, ...]:
    """The targets, each a column of the table. Raises UserError."""
    if not keys.targets:
        raise UserError(
            f"data.targets: name the columns to predict, as data.targets=[{columns[-1]}]; there are "
            + ", ".join(columns[:20])
        )
    require(columns, keys.targets, "data.targets")
    _require_once("data.targets", keys.targets, ())
    return tuple(keys.targets)


def chosen_inputs(keys: FileKeys, frame: pl.DataFrame, targets: Sequence[str], where: str) -> tuple[str, ...]:
    """Those asked for, or every other numeric column and the categorical ones of one_hot. Raises UserError.

    `frame` holds all the columns of the file, and rows enough to tell what they hold; `where` is what errors call it.
    """
    require(frame.columns, keys.categories, "data.one_hot")
    _require_once("data.one_hot", keys.categories, targets)
    if keys.inputs is None:
        kept = _numeric_inputs(keys, frame, targets, where)
    elif keys.inputs:
        kept = keys.inputs
        require(frame.columns, kept, "data.inputs")
    else:
        raise UserError("data.inputs=[]: at least one column is needed")
    _require_once("data.inputs", kept, targets)
    for name in (*kept, *targets):
        if name not in keys.categories and _beyond_float(frame[name]):
            log.warning("column %s holds integers beyond 2^53: a number keeps about 16 digits of them", name)
    return (*kept, *(n for n in keys.categories if n not in kept))


def _numeric_inputs(keys: FileKeys, frame: pl.DataFrame, targets: Sequence[str], where: str) -> list[str]:
    """Every column that may be an input without being named; the user is told of those left out."""
    rest = [n for n in frame.columns if n not in (*targets, keys.validation_column, keys.groups)]
    if nameless := [name for name in rest if NAMELESS.fullmatch(name)]:  # most often the rows' number
        verb, it = ("has", "it") if len(nameless) == 1 else ("have", "them")
        log.warning("not used: %s, which %s no name; data.inputs can name %s", _listed(nameless), verb, it)
    rest = [name for name in rest if name not in nameless]
    kept = [n for n in rest if n in keys.categories or numeric(frame[n])]
    unused = _unused([frame[n] for n in rest if n not in kept])
    if not kept:
        raise UserError(f"{where}: no numeric column is left for the inputs" + (f"; {unused}" if unused else ""))
    if unused:
        log.warning("%s", unused)
    return kept


def _unused(columns: list[pl.Series]) -> str:
    """What is said of columns that are no inputs because they hold no numbers."""
    if not columns:
        return ""
    written = [column.name for column in columns if column.dtype in TEXT and separated(column)]
    texts = [column.name for column in columns if column.dtype in TEXT and column.name not in written]
    kinds = {"text" if column.dtype in TEXT else str(column.dtype) for column in columns}
    hint = f"; data.one_hot=[{','.join(texts[:5])}] makes inputs of the categories" if texts else ""
    if written:
        hint += f"; write the numbers of {_listed(written)} with digits and a point alone, as 33919.02"
    verb = "holds" if len(columns) == 1 else "hold"
    return f"not used: {_listed([column.name for column in columns])}, which {verb} {' and '.join(sorted(kinds))}{hint}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _require_once(key: str, names: Sequence[str], targets: Sequence[str]) -> None:
    """Raise UserError for a column that is named twice."""
    if twice := [name for i, name in enumerate(names) if name in names[:i]]:
        raise UserError(f"{key}: names {twice[0]} twice; each column is used once")
    if both := set(names) & set(targets):
        raise UserError(f"{key} and data.targets both name {min(both)}; a column can only be one of them")


def _beyond_float(column: pl.Series) -> bool:
    """Whether a column of integers has some that float64 can't hold."""
    low, high = (column.min(), column.max()) if column.dtype.is_integer() else (None, None)
    return isinstance(low, int) and isinstance(high, int) and max(-low, high) > 2**53


def held_by_column(column: pl.Series, rows: RowNumbers = None, file: str = "") -> pl.Series:
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


def group_names(column: pl.Series, rows: RowNumbers = None) -> pl.Series:
    """What each row belongs to, as text. Raises UserError for a missing cell."""
    said = words(column, "data.groups")
    if (row := first(said.is_null())) is not None:
        raise UserError(f"data.groups: row {in_file(row, rows)} of {column.name} is missing; each row needs a group")
    return said
