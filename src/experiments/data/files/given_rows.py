"""Rows to predict for as people have them, as a frame: words, lists, dicts, arrays, frames of any library, files.

By name wherever there are names; rows without names are in the order of the inputs. Every mistake is one line.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from experiments.data.files.arrays import plain
from experiments.data.files.reading import read
from experiments.errors import Failure, UserError, nearest, one_line

UNNAMED = r"(column_|c)\d+"
"""What polars and NPY files call columns without names."""


def from_words(words: Sequence[str], names: Sequence[str]) -> pl.DataFrame:
    """A row for each word, as `75,63,44`, or `rainfall=63,temp=75,humidity=44` in any order; every cell a text.

    `names`: the inputs. Raises UserError for another number of cells.
    """
    cells = [cell for word in words for cell in word.split()]
    if len(cells) == len(names) > 1 and not any("," in word for word in words):
        raise UserError(f"{one_line(' '.join(words))}: a row is one word, with commas, as {one_line(','.join(cells))}")
    rows = [_cells(word, names) for word in words]
    return pl.DataFrame({name: [row[k] for row in rows] for k, name in enumerate(names)})


def _cells(word: str, names: Sequence[str]) -> list[str]:
    """The cells of one row in the order of `names`."""
    cells = [cell.strip() for cell in word.strip().strip("[]").split(",")]
    require_width(len(cells), names, word)
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


def require_width(width: int, names: Sequence[str], where: str, what: str = "value{}") -> None:
    """Raise UserError unless there is one value for each name."""
    if width != len(names):
        raise UserError(
            f"{one_line(where)}: {width} {what.format('s' * (width != 1))}; the model takes {len(names)}: "
            f"{one_line(', '.join(names))}"
        )


def frame_of(rows: Any, names: Sequence[str]) -> tuple[pl.DataFrame, bool]:
    """Rows of any kind as a frame, and whether they are one row by itself.

    A word; a list of numbers, texts and dates, or of such lists, or of dicts; a dict of cells or of columns; an array
    of NumPy or a tensor of torch; a frame of polars, pandas or Arrow, a row of a pandas frame. `names`: the inputs.
    Raises UserError for rows of another width.
    """
    if isinstance(rows, str):
        return from_words([rows], names), True
    if isinstance(rows, pl.DataFrame | pl.LazyFrame):
        return rows.lazy().collect(), False
    if hasattr(rows, "iloc"):
        return _of_pandas(rows, names)
    if hasattr(rows, "__arrow_c_stream__") and not isinstance(rows, pl.Series):
        return pl.DataFrame(rows), False
    if isinstance(rows, np.ndarray) and rows.dtype.names:
        rows = {name: rows[name] for name in rows.dtype.names}
    if isinstance(rows, Mapping):
        single = not any(_is_column(cells) for cells in rows.values())
        return _of_columns({k: [v] if single else v for k, v in rows.items()}), single
    rows = _on_the_cpu(rows)
    if not isinstance(rows, np.ndarray):
        rows = list(rows) if _is_column(rows) else [rows]
        if rows and all(isinstance(row, Mapping) for row in rows):
            keys = dict.fromkeys(key for row in rows for key in row)
            return _of_columns({key: [row.get(key) for row in rows] for key in keys}), False
    return _of_positions(rows, names)


def _of_positions(rows: Any, names: Sequence[str]) -> tuple[pl.DataFrame, bool]:
    """Rows without names: an array, or a list of cells or of rows."""
    if isinstance(rows, np.ndarray):
        if rows.ndim > 2:
            raise UserError(
                f"rows of {rows.ndim} dimensions; must be (n, {len(names)}), or ({len(names)},) for one row"
            )
        table = np.atleast_2d(rows)
        require_width(table.shape[1], names, "rows")
        return _of_columns(dict(zip(names, table.T, strict=True))), rows.ndim <= 1
    single = not any(_is_column(row) for row in rows)
    table = [rows] if single else rows
    for row in table:
        require_width(len(row) if _is_column(row) else 1, names, "rows")
    return _of_columns({name: [row[k] for row in table] for k, name in enumerate(names)}), single


def _is_column(cells: Any) -> bool:
    """Whether something holds several cells."""
    return hasattr(cells, "__iter__") and not isinstance(cells, str | bytes | Mapping) and getattr(cells, "ndim", 1) > 0


def _on_the_cpu(cells: Any) -> Any:
    """A tensor of torch as an array."""
    return cells.detach().cpu().double().numpy() if hasattr(cells, "detach") else cells


def _of_columns(columns: Mapping[Any, Any]) -> pl.DataFrame:
    """A frame of columns by name, where numbers beside texts are texts. Raises UserError for unlike lengths."""
    found = {}
    for name, cells in columns.items():
        cells = _on_the_cpu(cells)
        if isinstance(cells, np.ndarray):
            cells = cells.tolist() if cells.dtype.kind == "O" else plain(cells)
        found[str(name)] = pl.Series(cells, strict=False)
    try:
        return pl.DataFrame(found)
    except pl.exceptions.PolarsError as error:
        raise UserError(f"rows: {one_line(str(error).partition(chr(10))[0])}") from None


def _of_pandas(rows: Any, names: Sequence[str]) -> tuple[pl.DataFrame, bool]:
    """A pandas frame, or one row of it: a series with the columns' names."""
    if not hasattr(rows, "columns"):
        named = all(isinstance(name, str) for name in rows.index)
        return frame_of(dict(zip(rows.index, rows.tolist(), strict=True)) if named else rows.tolist(), names)
    columns = {}
    for k, name in enumerate(rows.columns):
        column = rows.iloc[:, k]
        cells = column.to_numpy()
        if cells.dtype.kind not in "fiubmM":
            cells = column.astype(object).where(column.notna(), None).tolist()
        columns[name if isinstance(name, str) else f"column_{k}"] = cells  # numbers are no names
    return _of_columns(columns), False


def from_file(path: str) -> pl.DataFrame:
    """A table in any format that data=table reads; a CSV whose first line is all numbers has no header.

    Raises UserError or Failure.
    """
    try:
        return read(Path(path), bare=True)
    except (UserError, Failure) as error:  # the reader speaks of the table that a run is trained on
        raise type(error)(str(error).replace("data.path=", "", 1)) from None
