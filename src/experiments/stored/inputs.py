"""Rows to predict for, from words of the command line or a table; every mistake is one line.

Both become a frame of the columns that the run was trained on, and that the run's inputs (n, features).
"""

import io
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from experiments.data.files.columns import TEXT, Encoding, kind_of, numbers, stripped
from experiments.data.files.dialect import MISSING
from experiments.errors import Failure, UserError, nearest, one_line

Array = np.ndarray
UNNAMED = re.compile(r"(column_|c)\d+")
"""What polars and NPY files call columns without names."""
WHAT = {
    "boolean": "true or false, 1 or 0,",
    "date": "a date as 2024-12-31, or a number of days since 1970-01-01,",
    "time": "a time as 13:30, or a share of the day,",
    "duration": "a number of days",
}
"""What is to be given for an input of this kind."""


def from_words(words: Sequence[str], encoding: Encoding) -> Array:
    """Rows (n, features) from words as `75,63,44`, or `rainfall=63,temp=75,humidity=44` in any order.

    Raises UserError for another width, and for what is no number or no level.
    """
    cells = [_cells(word, encoding.inputs) for word in words]
    columns: dict[str, Any] = {}
    for k, name in enumerate(encoding.inputs):
        column = [row[k] for row in cells]
        if name not in encoding.categories:
            kind = encoding.kinds.get(name, "")
            column = [_number(cell, name, encoding.means.get(name), kind) for cell in column]
        columns[name] = column
    return encoding.encode(pl.DataFrame(columns), "VALUES").astype(np.float64)


def _cells(word: str, names: Sequence[str]) -> list[str]:
    """The cells of one row in the order of `names`."""
    cells = [cell.strip() for cell in word.strip().strip("[]").split(",")]
    if len(cells) != len(names):
        raise UserError(
            f"{one_line(word)}: {len(cells)} value{'s' * (len(cells) != 1)}; the model takes {len(names)}: "
            f"{one_line(', '.join(names))}"
        )
    pairs = dict(zip([cell.rpartition("=")[0].strip() for cell in cells], cells, strict=True))
    if not any(pairs):
        return cells
    for name in pairs:
        if name not in names:
            what = f"{one_line(name)}: the model has no such input" if name else f"{one_line(word)}: some have no name"
            raise UserError(f"{what}{nearest(name, names) or f'; it takes {one_line(chr(44).join(names))}'}")
    if len(pairs) != len(names):
        raise UserError(f"{one_line(word)}: an input is named twice; the model takes {one_line(', '.join(names))}")
    return [pairs[name].rpartition("=")[2].strip() for name in names]


def _number(cell: str, name: str, mean: float | None, kind: str) -> float:
    if mean is not None and cell in MISSING:
        return mean
    try:
        value = float(cell)
    except ValueError:
        value = _as_in_csv(cell, kind)
    if not math.isfinite(value):
        what = WHAT.get(kind, "a finite number")
        raise UserError(f"{one_line(cell) or 'nothing'}: given for {one_line(name)}, where {what} belongs")
    return value


def _as_in_csv(cell: str, kind: str) -> float:
    """A cell as the number that it is in a CSV file's column of this kind, a date for instance; NaN if it is none."""
    if kind not in WHAT or not cell or not cell.isprintable() or '"' in cell:
        return math.nan
    column = pl.read_csv(io.StringIO(f'cell\n"{cell}"'), try_parse_dates=True)["cell"]
    if kind_of(column.dtype) != kind or len(column) != 1:
        return math.nan
    value = numbers(column, "VALUES")[0]
    return math.nan if value is None else float(value)


def read_table(path: str) -> pl.DataFrame:
    """A table in any format that data=table reads; a CSV whose first line is all numbers has no header.

    Raises UserError or Failure.
    """
    from experiments.data.files import dialect, reading

    file = Path(path)
    try:
        reading.checked(file)
        if file.suffix.lower() in (".csv", ".tsv"):
            with file.open(encoding="utf-8-sig", errors="replace") as lines:
                first = lines.readline(2**20).strip()
            options = dialect.csv_options(file, headed=False)
            if all(_is_number(cell) for cell in first.split(options["separator"])):
                return pl.read_csv(file, **{**options, "has_header": False, "new_columns": None})
        return reading.read(file)
    except (UserError, Failure) as error:  # the reader speaks of the table that a run is trained on
        raise type(error)(str(error).replace("data.path=", "", 1)) from None
    except (OSError, pl.exceptions.PolarsError) as error:
        raise UserError(f"{one_line(path)}: can't be read: {one_line(str(error).partition(chr(10))[0])}") from None


def from_table(table: pl.DataFrame, encoding: Encoding, path: str) -> Array:
    """Rows (n, features): the inputs' columns by name, in any order; by position where there is no header.

    Raises UserError that names the missing column, or the row and column of what is no number or no level.
    """
    path, wanted = one_line(path), encoding.inputs
    if all(UNNAMED.fullmatch(name) for name in table.columns) and not set(wanted) <= set(table.columns):
        if table.width != len(wanted):
            raise UserError(
                f"{path}: {table.width} columns without names; the model takes {len(wanted)}: "
                f"{one_line(', '.join(wanted))}"
            )
        table = table.rename(dict(zip(table.columns, wanted, strict=True)))
    for name in wanted:
        if name not in table.columns:
            hint = nearest(name, table.columns) or f"; there are {', '.join(table.columns[:20])}"
            raise UserError(f"{path}: there is no column {one_line(name)}{one_line(hint)}")
    columns = [
        table[name] if name in encoding.categories else _column(table[name], path, encoding.means.get(name))
        for name in wanted
    ]
    return encoding.encode(pl.DataFrame(columns), path).astype(np.float64)


def _column(column: pl.Series, path: str, mean: float | None) -> pl.Series:
    """A column as floats, dates and booleans as in training. Raises UserError for the first cell that is none."""
    if column.dtype in TEXT:
        column = stripped(column)
        values = column.cast(pl.Float64, strict=False)
    else:
        values = numbers(column, path).cast(pl.Float64)
    missing = column.is_null() | values.is_nan().fill_null(False)
    if mean is not None:
        values = pl.select(pl.when(missing).then(mean).otherwise(values)).to_series().alias(column.name)
    bad = (~values.fill_null(math.nan).is_finite()).arg_true()
    if len(bad):
        row = bad[0]
        cell = "nothing" if column[row] is None else one_line(column[row])
        raise UserError(f"{path}: row {row + 1}, column {one_line(column.name)}: {cell} where a finite number belongs")
    return values


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def outside(rows: Array, features: Sequence[str], ranges: Any) -> list[str]:
    """A line for every input with values beyond the training data's, which a linear model extends blindly."""
    said = []
    for name, column in zip(features, rows.T, strict=True):
        bounds = ranges.get(name) if isinstance(ranges, dict) else None
        if not isinstance(bounds, list) or len(bounds) != 2 or not all(isinstance(b, int | float) for b in bounds):
            continue
        low, high = bounds
        beyond = column[(column < low) | (column > high)]
        if not beyond.size:
            continue
        what = (
            f"{one_line(name)}={beyond[0]:g} is" if beyond.size == 1 else f"{one_line(name)}: {beyond.size} values are"
        )
        said.append(f"{what} outside the training data ({low:g} to {high:g}), where nothing was learned")
    return said
