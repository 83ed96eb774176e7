"""The columns of a frame as numbers: dates, booleans, text; and what is said of cells that are none."""

import math
import re
from collections.abc import Sequence

import numpy as np
import polars as pl

from experiments.data.allocation import reused
from experiments.errors import UserError, nearest

TEXT = (pl.String, pl.Categorical, pl.Enum)
RowNumbers = Sequence[int] | np.ndarray | None
"""Which row of its file, counted from 0, each row of a frame is; None where they are the file's first rows."""


def require(names: Sequence[str], wanted: Sequence[str], where: str) -> None:
    """Raise UserError with the nearest name unless every wanted column is there."""
    for name in wanted:
        if name not in names:
            there = nearest(name, names) or f"; there are {', '.join(names[:20])}{', ...' if len(names) > 20 else ''}"
            raise UserError(f"{where}: there is no column {name}{there}")


def numeric(column: pl.Series) -> bool:
    """Whether a column is meant as numbers: by its type, or because at least half of its text reads as such."""
    if column.dtype not in TEXT:
        return column.dtype.is_numeric() or column.dtype.is_temporal() or column.dtype in (pl.Boolean, pl.Null)
    filled = stripped(column).drop_nulls()
    return filled.is_empty() or 2 * filled.cast(pl.Float64, strict=False).null_count() < len(filled)


def words(column: pl.Series, key: str) -> pl.Series:
    """A column's cells as text, for the config key that names it. Raises UserError for lists and the like."""
    if column.dtype.is_nested() or column.dtype in (pl.Binary, pl.Object):
        raise UserError(f"{key}: {column.name} holds {column.dtype}; its cells must be text, numbers or booleans")
    return stripped(column)


def stripped(column: pl.Series) -> pl.Series:
    """A column as text without the blanks around it; a cell of nothing else is missing, and so is NaN."""
    column = column.fill_nan(None) if column.dtype.is_float() else column
    return column.cast(pl.String).str.strip_chars().replace("", None)


def present(column: pl.Series) -> pl.Series:
    """True where a column has a cell that is not missing."""
    if column.dtype in TEXT:
        return stripped(column).is_not_null()
    return column.is_not_null() & column.is_not_nan() if column.dtype.is_float() else column.is_not_null()


def kind_of(kind: pl.DataType) -> str:
    """What besides numbers a column's type stands for: a boolean, a date, a time, a duration; or nothing."""
    if kind == pl.Boolean:
        return "boolean"
    if not kind.is_temporal():
        return ""
    return "duration" if kind == pl.Duration else "time" if kind == pl.Time else "date"


def numbers(column: pl.Series, where: str, rows: RowNumbers = None, target: bool = False) -> pl.Series:
    """A column as floats: float32 stays, the rest becomes float64, missing cells stay null.

    Dates are days since 1970-01-01, durations days, times shares of a day, booleans 0 and 1. Raises UserError for the
    first cell of text that is no number, with what can be done about it in an input, or in a `target`; and for a column
    of lists and the like.
    """
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
                + (_written_out(column[row]) or (_AS_TARGET if target else _AS_INPUT.format(column.name)))
            )
        return read
    if not (kind.is_numeric() or kind in (pl.Boolean, pl.Null)):
        raise UserError(f"{where}: column {column.name} holds {kind}; must be numbers, dates, booleans or text")
    return column.cast(pl.Float64)


_AS_INPUT = "correct the cell, or use data.one_hot=[{}] for a column of categories; a missing cell is empty, or NA"
_AS_TARGET = "correct the cell, or use loss=cross_entropy, which predicts labels; a missing cell is empty, or NA"
_SEPARATED = re.compile(r"[$€£¥]?([+-]?)(\d{1,3}(?:[,.'’ \u00a0\u202f]\d{3})+|\d+)(?:[.,](\d+))?[%]?")
"""A number as people write it: with separators of thousands, a decimal comma, a sign of currency or per cent."""


def _written_out(cell: str) -> str:
    """How a cell that people read as a number must be written, as advice; nothing for other text."""
    found = _SEPARATED.fullmatch(cell.replace(" %", "%"))
    if found is None:
        return ""
    sign, whole, share = found.groups()
    return f"write it as {sign}{re.sub(r'[^0-9]', '', whole)}{'.' + share if share else ''}, digits and a point alone"


def separated(column: pl.Series) -> bool:
    """Whether a column of text holds numbers as people write them, 33,919.02 for instance."""
    cells = stripped(column).drop_nulls().head(100)
    return len(cells) > 0 and all(_SEPARATED.fullmatch(cell.replace(" %", "%")) for cell in cells)


def side_by_side(columns: list[pl.Series], spare: np.ndarray | None = None) -> np.ndarray:
    """(rows, columns) in C order, float32 where every column is, else float64; a missing cell is NaN.

    The table is written into `spare`, a table that nobody needs any more, where it fits there.
    """
    kind = pl.Float32 if all(column.dtype == pl.Float32 for column in columns) else pl.Float64
    table = reused(spare, (len(columns[0]), len(columns)), np.float32 if kind == pl.Float32 else np.float64)
    # a tile at a time, so that both sides stay in the cache: half the time of polars' own order="c"
    for j in range(0, len(columns), 16):
        strip = pl.DataFrame([column.cast(kind) for column in columns[j : j + 16]]).to_numpy(order="fortran")
        for i in range(0, len(table), 512):
            table[i : i + 512, j : j + 16] = strip[i : i + 512]
    return table


def require_numbers(
    table: np.ndarray, names: Sequence[str], where: str, rows: RowNumbers = None, span: str = "",
    largest: float | np.ndarray = math.inf,
) -> None:  # fmt: skip
    """Raise UserError for the first column of a table without a number, or the first cell that is none or too large.

    `span` says which rows of the file the table holds, where it is not all of them; `largest` is what float32 takes, in
    every column or by column.
    """
    with np.errstate(all="ignore"):  # this may run in a thread of its own
        whole = np.isfinite(table.sum()) or np.isfinite(table).all()  # mostly one pass and no copy
    if not whole:
        for column in np.flatnonzero(np.isnan(table).all(0)):
            raise UserError(empty_column(where, names[int(column)], span))
        bad = ~np.isfinite(table)
    elif len(table) and table.dtype == np.float64 and np.any(np.maximum(-table.min(0), table.max(0)) > largest):
        bad = np.abs(table) > largest
    else:
        return
    row, column = (int(k) for k in np.argwhere(bad)[0])
    value = float(table[row, column])
    if value != value:
        said = "missing; correct it, or use data.missing=drop or mean (which fills in inputs only)"
    elif whole:
        said = f"{value}, beyond float32 (3.4e38); use device.dtype=float64 or data.standardize=true"
    else:
        said = f"{value}: infinite, or beyond 1.8e308; every cell must be a finite number"
    raise UserError(f"{where}: row {in_file(row, rows)}, column {names[column]} is {said}")


def empty_column(where: str, name: str, span: str = "") -> str:
    """What is said of a column without a number, or with none in the rows that `span` names."""
    return f"{where}: every cell{span} of column {name} is missing; leave it out of data.inputs"


def first(mask: pl.Series) -> int | None:
    """The first row where the mask holds, counted from 0; None for none."""
    return int(mask.arg_max() or 0) if mask.any() else None


def in_file(row: int, rows: RowNumbers) -> int:
    """The number, counted from 1 as people do, of a frame's row in its file."""
    return 1 + (row if rows is None else int(rows[row]))


def shown(value: object) -> str:
    """A cell in a message."""
    return "missing" if value is None else str(value)[:40]
