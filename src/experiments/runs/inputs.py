"""Rows to predict for, from words of the command line or a table; every mistake is one line."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.errors import UserError, nearest, one_line

if TYPE_CHECKING:
    import polars

Array = np.ndarray


def from_words(words: Sequence[str], features: Sequence[str]) -> Array:
    """Rows (n, features) from words as `75,63,44`. Raises UserError for another width or what is no number."""
    return np.array([_row(word, features) for word in words], dtype=np.float64).reshape(len(words), len(features))


def _row(word: str, features: Sequence[str]) -> list[float]:
    cells = [cell.strip() for cell in word.strip().strip("[]").split(",")]
    if len(cells) != len(features):
        raise UserError(
            f"{one_line(word)}: {len(cells)} values; the model takes {len(features)}: {one_line(', '.join(features))}"
        )
    return [_cell(cell, name) for cell, name in zip(cells, features, strict=True)]


def _cell(cell: str, name: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UserError(f"{one_line(cell) or 'nothing'}: given for {one_line(name)}, where a finite number belongs")
    return value


def read_table(path: str) -> "polars.DataFrame":
    """A CSV or Parquet file, by its suffix; a CSV whose first line is all numbers has no header. Raises UserError."""
    import polars

    kind = Path(path).suffix.lower()
    if kind not in (".csv", ".parquet"):
        raise UserError(f"{one_line(path)}: must end in .csv or .parquet")
    try:
        if kind == ".parquet":
            return polars.read_parquet(path, glob=False)
        table = polars.read_csv(path, infer_schema_length=None, glob=False)
        if table.width and all(_is_number(name) for name in table.columns):
            table = polars.read_csv(path, has_header=False, infer_schema_length=None, glob=False)
        return table
    except FileNotFoundError:
        raise UserError(f"{one_line(path)}: there is no such file") from None
    except (OSError, polars.exceptions.PolarsError) as error:
        raise UserError(f"{one_line(path)}: can't be read: {one_line(str(error).partition(chr(10))[0])}") from None


def from_table(table: "polars.DataFrame", features: Sequence[str], path: str) -> Array:
    """Rows (n, features): the features' columns by name, in any order; by position where there is no header.

    Raises UserError that names the missing column, or the row and column of what is no number.
    """
    path = one_line(path)
    headless = all(name.startswith("column_") for name in table.columns) and not set(features) <= set(table.columns)
    if headless:
        if table.width != len(features):
            raise UserError(
                f"{path}: {table.width} columns without names; the model takes {len(features)}: "
                f"{one_line(', '.join(features))}"
            )
        chosen = list(table.columns)
    else:
        for name in features:
            if name not in table.columns:
                hint = nearest(name, table.columns) or f"; there are {', '.join(table.columns[:20])}"
                raise UserError(f"{path}: there is no column {one_line(name)}{one_line(hint)}")
        chosen = list(features)
    columns = [_column(table[name], name, path) for name in chosen]
    return np.stack(columns, axis=1) if table.height else np.zeros((0, len(features)))


def _column(column: Any, name: str, path: str) -> Array:
    import polars

    if column.dtype == polars.Boolean or column.dtype.is_temporal() or column.dtype.is_nested():
        raise UserError(f"{path}: column {one_line(name)} holds {column.dtype}, not numbers")
    values = column.cast(polars.Float64, strict=False)
    bad = (~values.fill_null(math.nan).is_finite()).arg_true()
    if len(bad):
        row = bad[0]
        cell = "nothing" if column[row] is None else one_line(column[row])
        raise UserError(f"{path}: row {row + 1}, column {one_line(name)}: {cell} where a finite number belongs")
    return values.to_numpy()


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
