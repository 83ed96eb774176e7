"""The first sheet of an Excel workbook as a table."""

from pathlib import Path

import polars as pl

from experiments.data.files.dialect import MISSING, named
from experiments.errors import UserError


def read_sheet(path: Path) -> pl.DataFrame:
    """The sheet, its first row the names; the words for a missing cell are missing. Raises UserError."""
    try:
        frame = pl.read_excel(path, engine="calamine", infer_schema_length=None)
    except ModuleNotFoundError:
        raise UserError(
            f"data.path={path}: needs fastexcel, which is not installed; pip install 'experiments[excel]', or save "
            "the sheet as CSV"
        ) from None
    except pl.exceptions.NoDataError:
        raise UserError(f"data.path={path}: its first sheet is empty") from None
    except Exception as error:  # calamine has its own for each kind of damage
        raise ValueError(str(error)) from error
    names = named(path, ["" if name.startswith("__UNNAMED__") else name for name in frame.columns])
    return pl.DataFrame([_typed(column.alias(name)) for column, name in zip(frame, names, strict=True)])


def _typed(column: pl.Series) -> pl.Series:
    """A column of numbers with words for a missing cell among them is one of numbers."""
    if column.dtype != pl.String:
        return column
    there = column.to_frame().select(pl.when(~pl.first().str.strip_chars().is_in(MISSING)).then(pl.first())).to_series()
    numbers = there.cast(pl.Float64, strict=False)
    return numbers if numbers.null_count() == there.null_count() < len(there) else there.alias(column.name)
