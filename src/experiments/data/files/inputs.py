"""A frame of rows to predict for as the inputs of a model (n, features): columns by name, cells as in training."""

import io
import math
import re
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from experiments.data.files.columns import TEXT, kind_of, numbers, require, side_by_side, stripped, words
from experiments.data.files.dialect import MISSING
from experiments.data.files.encoding import Encoding
from experiments.data.files.given_rows import UNNAMED, frame_of, require_width
from experiments.data.files.levels import MISSING_LEVEL
from experiments.errors import UserError, one_line

Array = np.ndarray
WANTED = {
    "boolean": "true or false, 1 or 0,",
    "date": "a date as 2024-12-31, or a number of days since 1970-01-01,",
    "time": "a time as 13:30, or a share of the day,",
    "duration": "a number of days",
}
"""What is to be given for an input of this kind."""
TOLD = 10
"""Rows without a prediction of which each is told why."""


def inputs_of(rows: Any, encoding: Encoding, ranges: Any) -> tuple[Array, bool]:
    """Rows of any kind as inputs (n, features), and whether they were one row; see `given_rows.frame_of`.

    Warns of values outside `ranges`, those of the training rows by name. Raises UserError.
    """
    features = encoding.features
    numeric = getattr(getattr(rows, "dtype", None), "kind", "") in ("f", "i", "u", "b") or hasattr(rows, "detach")
    if numeric and len(features) != len(encoding.inputs) and rows.shape[-1:] == (len(features),):
        encoding = Encoding(features)  # an array with the categories spread out already
    frame, single = frame_of(rows, encoding.inputs)
    x = from_frame(frame, encoding, "rows")
    for line in outside(x, features, ranges):
        warnings.warn(line, stacklevel=3)
    return x, single


def from_frame(frame: pl.DataFrame, encoding: Encoding, where: str) -> Array:
    """Inputs (n, features) of a frame: its columns by name, in any order; by position where they have no names.

    `where`: what errors call it, nothing for words. Raises UserError that names the missing column, or the first cell
    that is no number or no category.
    """
    frame = _chosen(frame, encoding, where)
    return _encoded(frame, [_cells(column, encoding, where) for column in frame], encoding, where)


def answerable(frame: pl.DataFrame, encoding: Encoding, where: str) -> tuple[Array, Array, list[str]]:
    """Inputs of those rows that have all of them, which rows these are (n,), and a line for each of the first others.

    Raises UserError for a frame that lacks a column.
    """
    frame = _chosen(frame, encoding, where)
    cells = [_cells(column, encoding, where) for column in frame]
    usable = np.ones(frame.height, dtype=bool)
    for column in cells:
        if (levels := encoding.categories.get(column.name)) is not None:
            known = words(column, "data.one_hot").fill_null(MISSING_LEVEL).is_in(levels)
        else:
            known = column.is_finite().fill_null(False)
        usable &= known.to_numpy()

    lines = []
    for row in np.flatnonzero(~usable)[:TOLD].tolist():
        try:
            _encoded(frame[row], [column[row : row + 1] for column in cells], encoding, where, row)
        except UserError as error:
            lines.append(str(error))
    rows = pl.Series(usable)
    return _encoded(frame.filter(rows), [column.filter(rows) for column in cells], encoding, where), usable, lines


def _chosen(frame: pl.DataFrame, encoding: Encoding, where: str) -> pl.DataFrame:
    """The columns of the inputs, in their order."""
    wanted = encoding.inputs
    if all(re.fullmatch(UNNAMED, name) for name in frame.columns) and not set(wanted) <= set(frame.columns):
        require_width(frame.width, wanted, where, "column{} without names")
        return frame.rename(dict(zip(frame.columns, wanted, strict=True)))
    require(frame.columns, wanted, one_line(where))
    return pl.DataFrame([frame[name] for name in wanted])  # select would read a column called * as all of them


def _encoded(frame: pl.DataFrame, cells: list[pl.Series], encoding: Encoding, where: str, first: int = 0) -> Array:
    """The inputs (n, features) of `cells`, made of those of a frame; `first`: which row of the user's is the first."""
    for given, column in zip(frame, cells, strict=True):
        if column.name in encoding.categories:
            continue
        bad = (~column.fill_null(math.nan).is_finite()).arg_true()
        if len(bad):
            cell = "nothing" if given[bad[0]] is None else one_line(given[bad[0]]) or "nothing"
            wanted = WANTED.get(encoding.kinds.get(column.name, ""), "a finite number")
            at = f"{one_line(where)}: row {first + bad[0] + 1}, column {one_line(column.name)}: {cell}"
            at = at if where else f"{cell}: given for {one_line(column.name)},"
            raise UserError(f"{at} where {wanted} belongs")
    rows = range(first, first + frame.height)
    return side_by_side(encoding.columns(pl.DataFrame(cells), one_line(where) or "VALUES", rows)).astype(float)


def _cells(column: pl.Series, encoding: Encoding, where: str) -> pl.Series:
    """A column with words for a missing cell as missing cells: text of categories, else floats, null for no number.

    Texts are read as in a CSV file, and missing numbers are the mean where there is one.
    """
    name, kind, text = column.name, encoding.kinds.get(column.name, ""), column.dtype in TEXT
    if (levels := encoding.categories.get(name)) is not None:
        missing = [word for word in MISSING if word not in levels]
        return stripped(column).replace(missing, [None] * len(missing)) if text else column
    if text:
        column = stripped(column)
        missing = column.is_null() | column.is_in(MISSING)
        values = column.cast(pl.Float64, strict=False)
        if kind:
            odd = column.filter(values.is_null() & ~missing).unique()
            values = values.fill_null(
                column.replace_strict(odd, [_as_in_csv(cell, kind) for cell in odd], default=None)
            )
    else:
        values = numbers(column, one_line(where)).cast(pl.Float64)
        missing = column.is_null() | values.is_nan().fill_null(False)
    if (mean := encoding.means.get(name)) is not None:
        values = pl.select(pl.when(missing).then(mean).otherwise(values)).to_series()
    return values.alias(name)


def _as_in_csv(cell: str, kind: str) -> float:
    """A cell as the number that it is in a CSV file's column of this kind, a date for instance; NaN if it is none."""
    if not cell or not cell.isprintable() or '"' in cell:
        return math.nan
    column = pl.read_csv(io.StringIO(f'cell\n"{cell}"'), try_parse_dates=True)["cell"]
    if kind_of(column.dtype) != kind or len(column) != 1:
        return math.nan
    value = numbers(column, "rows")[0]
    return math.nan if value is None else float(value)


def outside(rows: Array, features: Sequence[str], ranges: Any) -> list[str]:
    """A line for every input with values beyond the training data's, which a linear model extends blindly."""
    said = []
    for name, column in zip(features, rows.T, strict=True):
        bounds = ranges.get(name) if isinstance(ranges, dict) else None
        if not isinstance(bounds, list) or len(bounds) != 2 or not all(isinstance(b, int | float) for b in bounds):
            continue
        low, high = bounds
        beyond = column[(column < low) | (column > high)]
        if beyond.size:
            many = f": {beyond.size} values are"
            what = f"{one_line(name)}{f'={beyond[0]:g} is' if beyond.size == 1 else many}"
            said.append(f"{what} outside the training data ({low:g} to {high:g}), where nothing was learned")
    return said
