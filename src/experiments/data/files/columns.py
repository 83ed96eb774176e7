"""The columns of a frame as numbers: dates, booleans, levels of text, missing cells; and how to do it again.

`Encoding` is what a run stores so that another file can be turned into the same inputs.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from experiments.data.allocation import reused
from experiments.data.files.dialect import NAMELESS
from experiments.errors import UserError, nearest

log = logging.getLogger("experiments")
TEXT = (pl.String, pl.Categorical, pl.Enum)
Numbers = Sequence[int] | np.ndarray | None
"""Which row of its file, counted from 0, each row of a frame is; None where they are the file's first rows."""


@dataclass(frozen=True)
class Encoding:
    """From a table's columns to inputs: the columns as named in the file, the levels of those of text.

    A column of k categories becomes k - 1 inputs called `column=level`; the first level is where all are zero.
    Dates are days since 1970-01-01, booleans 0 and 1: `kinds` says which inputs are such. `means` fills missing cells
    where data.missing=mean.
    """

    inputs: tuple[str, ...]
    categories: dict[str, list[str]] = field(default_factory=dict)
    means: dict[str, float] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)

    @property
    def features(self) -> tuple[str, ...]:
        """The names of the inputs, categories spread out."""
        spread = [[f"{n}={v}" for v in self.categories[n][1:]] if n in self.categories else [n] for n in self.inputs]
        return tuple(name for names in spread for name in names)

    def encode(self, frame: pl.DataFrame, where: str, rows: Numbers = None) -> np.ndarray:
        """The inputs (rows, features) of a frame, float32 where every column is, else float64. Raises UserError."""
        return matrix(self.columns(frame, where, rows), where, rows)

    def columns(self, frame: pl.DataFrame, where: str, rows: Numbers = None) -> list[pl.Series]:
        """The inputs of a frame, each a column of floats called as its feature; missing cells without a mean stay."""
        require(frame.columns, self.inputs, where)
        columns: list[pl.Series] = []
        for name in self.inputs:
            if name in self.categories:
                columns += self._spread(frame[name], where, rows)
                continue
            values = numbers(frame[name], where, rows)
            if name in self.means:
                values = values.fill_nan(None).fill_null(self.means[name])
            columns.append(values)
        return columns

    @staticmethod
    def from_json(stored: dict[str, Any]) -> "Encoding":
        """The encoding that `as_json` gave."""
        return Encoding(tuple(stored["inputs"]), stored["levels"], stored["means"], stored.get("kinds", {}))

    def as_json(self) -> dict[str, Any]:
        return {"inputs": self.inputs, "levels": self.categories, "means": self.means, "kinds": self.kinds}

    def _spread(self, column: pl.Series, where: str, rows: Numbers) -> list[pl.Series]:
        categories, text = self.categories[column.name], words(column, "data.one_hot")
        known = list(dict.fromkeys(categories))
        # numbers, because to compare texts once a level costs several times as much
        code = text.cast(pl.Enum(known), strict=False).to_physical()
        if (row := first(code.is_null())) is not None:
            cell = f"{where}: row {in_file(row, rows)}, column {column.name} is {shown(text[row])}"
            if text[row] is None:
                raise UserError(f"{cell}; correct it, or use data.missing=drop: categories have no mean")
            raise UserError(
                f"{cell}; must be one of its categories {', '.join(categories[:20])}"
                f"{nearest(str(text[row]), categories)}"
            )
        return [
            (code == known.index(level)).cast(pl.Float32).alias(f"{column.name}={level}") for level in categories[1:]
        ]


def require(names: Sequence[str], wanted: Sequence[str], where: str) -> None:
    """Raise UserError with the nearest name unless every wanted column is there."""
    for name in wanted:
        if name not in names:
            there = nearest(name, names) or f"; there are {', '.join(names[:20])}{', ...' if len(names) > 20 else ''}"
            raise UserError(f"{where}: there is no column {name}{there}")


def unlike(inputs: Sequence[str], targets: Sequence[str], one_hot: Sequence[str] = ()) -> None:
    """Raise UserError for a column that is named twice."""
    for key, names in (("data.inputs", inputs), ("data.targets", targets), ("data.one_hot", one_hot)):
        if twice := [name for i, name in enumerate(names) if name in names[:i]]:
            raise UserError(f"{key}: names {twice[0]} twice; each column is used once")
    for key, names in (("data.inputs", inputs), ("data.one_hot", one_hot)):
        if both := set(names) & set(targets):
            raise UserError(f"{key} and data.targets both name {min(both)}; a column can only be one of them")


def unused(frame: pl.DataFrame, names: Sequence[str]) -> str:
    """What is said of columns that are no inputs because they hold no numbers."""
    kinds = {"text" if frame[n].dtype in TEXT else str(frame[n].dtype) for n in names}
    listed = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    texts = [n for n in names if frame[n].dtype in TEXT]
    hint = f"; data.one_hot=[{','.join(texts[:5])}] makes inputs of the categories" if texts else ""
    return f"not used: {listed}, which {'holds' if len(names) == 1 else 'hold'} {' and '.join(sorted(kinds))}{hint}"


def named(names: Sequence[str]) -> list[str]:
    """The columns that have a name: one without is most often the rows' number, or nothing. The others are told."""
    left = [name for name in names if NAMELESS.fullmatch(name)]
    if left:
        log.warning(
            "not used: %s, which %s no name; data.inputs can name %s",
            ", ".join(left[:5]) + (f" and {len(left) - 5} more" if len(left) > 5 else ""),
            *(("has", "it") if len(left) == 1 else ("have", "them")),
        )
    return [name for name in names if name not in left]


def numeric(column: pl.Series) -> bool:
    """Whether a column is meant as numbers: by its type, or as text most of which reads as numbers, if there is any."""
    if column.dtype.is_numeric() or column.dtype.is_temporal() or column.dtype == pl.Boolean:
        return True
    if column.dtype == pl.Null:
        return True
    if column.dtype not in TEXT:
        return False
    filled = stripped(column).drop_nulls()
    read = filled.cast(pl.Float64, strict=False)
    return filled.is_empty() or 2 * read.null_count() < len(filled)


def words(column: pl.Series, key: str) -> pl.Series:
    """A column's cells as text, for the config key that names it. Raises UserError for lists and the like."""
    if column.dtype.is_nested() or column.dtype in (pl.Binary, pl.Object):
        raise UserError(f"{key}: {column.name} holds {column.dtype}; its cells must be text, numbers or booleans")
    return stripped(column)


def stripped(column: pl.Series) -> pl.Series:
    """A column as text without the blanks around it; a cell of nothing else is missing."""
    return column.cast(pl.String).str.strip_chars().replace("", None)


def kind_of(kind: pl.DataType) -> str:
    """What besides numbers a column's type stands for: a boolean, a date, a time, a duration; or nothing."""
    if kind == pl.Boolean:
        return "boolean"
    if not kind.is_temporal():
        return ""
    return "duration" if kind == pl.Duration else "time" if kind == pl.Time else "date"


def kinds(frame: pl.DataFrame, names: Sequence[str]) -> dict[str, str]:
    """The kinds of those of the columns that have one."""
    return {name: kind for name in names if (kind := kind_of(frame[name].dtype))}


def numbers(column: pl.Series, where: str, rows: Numbers = None) -> pl.Series:
    """A column as floats: float32 stays, the rest is float64; missing cells stay null. Names the first bad cell."""
    kind = column.dtype
    if kind in (pl.Float32, pl.Float64):
        return column
    if kind == pl.Duration:
        return column.dt.total_microseconds() / 86_400e6
    if kind == pl.Time:
        return column.cast(pl.Int64) / 86_400e9
    if kind.is_temporal():
        return column.cast(pl.Datetime("us")).cast(pl.Int64) / 86_400e6
    if kind in TEXT:
        column = stripped(column)
        read = column.cast(pl.Float64, strict=False)
        if (row := first(read.is_null() & column.is_not_null())) is not None:
            raise UserError(
                f"{where}: row {in_file(row, rows)}, column {column.name} is {shown(column[row])}, no number; "
                f"correct the cell, or use data.one_hot=[{column.name}] for a column of categories; a missing cell is "
                "empty, or NA"
            )
        return read
    if not (kind.is_numeric() or kind in (pl.Boolean, pl.Null)):
        raise UserError(f"{where}: column {column.name} holds {kind}; must be numbers, dates, booleans or text")
    return column.cast(pl.Float64)


def matrix(columns: list[pl.Series], where: str, rows: Numbers = None) -> np.ndarray:
    """Columns side by side (rows, columns), float32 where all are; the first missing or infinite cell is named."""
    table = side_by_side(columns)
    if not finite(table):
        for i in np.flatnonzero(np.isnan(table).all(0)):
            raise UserError(empty_column(where, columns[i].name))
        raise UserError(unusable(where, table, [column.name for column in columns], rows))
    return table


def finite(table: np.ndarray) -> bool:
    """Whether every number is: mostly one pass and no copy."""
    with np.errstate(all="ignore"):  # this may run in a thread of its own
        return bool(np.isfinite(table.sum()) or np.isfinite(table).all())


def side_by_side(columns: list[pl.Series], spare: np.ndarray | None = None) -> np.ndarray:
    """(rows, columns) in C order, float32 where every column is, else float64; a missing cell is NaN.

    In the memory of `spare` where that fits, a table like it.
    """
    kind = pl.Float32 if all(column.dtype == pl.Float32 for column in columns) else pl.Float64
    table = reused(spare, (len(columns[0]), len(columns)), np.float32 if kind == pl.Float32 else np.float64)
    # a tile at a time, so that both sides stay in the cache: half the time of polars' own order="c"
    for j in range(0, len(columns), 16):
        strip = pl.DataFrame([column.cast(kind) for column in columns[j : j + 16]]).to_numpy(order="fortran")
        for i in range(0, len(table), 512):
            table[i : i + 512, j : j + 16] = strip[i : i + 512]
    return table


def first(mask: pl.Series) -> int | None:
    """The first row where the mask holds, counted from 0; None for none."""
    return int(mask.arg_max() or 0) if mask.any() else None


def in_file(row: int, rows: Numbers) -> int:
    """The number, counted from 1 as people do, of a frame's row in its file."""
    return 1 + (row if rows is None else int(rows[row]))


def empty_column(where: str, name: str, which: str = "") -> str:
    """What is said of a column without a number; `which` are the rows meant, where they are not all."""
    return f"{where}: every cell{which} of column {name} is missing; leave it out of data.inputs"


def unusable(where: str, table: np.ndarray, names: Sequence[str], rows: Numbers = None) -> str:
    """What is said of the first cell of a table that is no finite number, with the remedy."""
    row, i = (int(k) for k in np.argwhere(~np.isfinite(table))[0])
    value = float(table[row, i])
    if value != value:
        said = "missing; correct it, or use data.missing=drop or mean (which fills in inputs only)"
    else:
        said = f"{value}: infinite, or beyond 1.8e308; every cell must be a finite number"
    return f"{where}: row {in_file(row, rows)}, column {names[i]} is {said}"


def shown(value: object) -> str:
    return "missing" if value is None else str(value)[:40]
