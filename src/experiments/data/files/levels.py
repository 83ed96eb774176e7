"""Columns of categories and of labels: their different cells found, put in order as levels or classes, and numbered."""

from collections.abc import Collection, Sequence

import polars as pl

from experiments.data.files.columns import TEXT, RowNumbers, first, in_file, shown, stripped, words
from experiments.data.labels import not_whole, require_classes
from experiments.errors import UserError, nearest

MISSING_LEVEL = "(missing)"
"""The last level of a column with missing cells, where data.missing=level."""
MOST_NUMBERS = 1_000
MOST_LEVELS = 10_000
"""A column of numbers, or of text, with more different values than these holds no categories."""


def levels_of(column: pl.Series, missing: str) -> list[str]:
    """The different levels that a column of categories has, by the key data.missing. Raises UserError for no text."""
    return with_missing_level(words(column, "data.one_hot").unique(), missing).drop_nulls().to_list()


def with_missing_level(text: pl.Series, missing: str) -> pl.Series:
    """The cells of a column of categories; where data.missing=level, missing ones have a level of their own."""
    return text.fill_null(MISSING_LEVEL) if missing == "level" else text


def numbered(
    text: pl.Series, levels: Sequence[str], where: str, rows: RowNumbers = None, what: str = "categories"
) -> pl.Series:
    """The number of each cell's level, from 0; missing cells stay null. Raises UserError for one that is no level."""
    code = text.cast(pl.Enum(levels), strict=False).to_physical()
    if (row := first(code.is_null() & text.is_not_null())) is not None:
        raise UserError(
            f"{where}: row {in_file(row, rows)}, column {text.name} is {shown(text[row])}; must be one of its "
            f"{what} {', '.join(levels[:20])}{nearest(text[row], levels)}"
        )
    return code


def labels(column: pl.Series, where: str, rows: RowNumbers = None) -> pl.Series:
    """A column of labels as text, whole numbers without a point; missing cells stay null.

    Raises UserError for numbers that are not whole, and for dates, lists and the like.
    """
    if column.dtype.is_float():
        column = column.fill_nan(None)
        if (row := first((column != column.round()) | column.is_infinite())) is not None:
            raise UserError(not_whole(where, in_file(row, rows), column.name, column[row]))
        column = column.cast(pl.Int64)
    if not (column.dtype in TEXT or column.dtype.is_integer() or column.dtype == pl.Boolean):
        raise UserError(
            f"data.targets: {column.name} holds {column.dtype}; classes are text, whole numbers or booleans"
        )
    return stripped(column)


def checked_categories(name: str, found: Collection[str], kind: pl.DataType) -> list[str]:
    """The levels of a column in their order, from its different cells. Raises UserError for too few."""
    if len(found) < 2:
        raise UserError(f"data.one_hot: {name} has {len(found)} level; at least two tell rows apart")
    blank = [MISSING_LEVEL] if MISSING_LEVEL in found else []
    return in_order([level for level in found if level not in blank], kind) + blank


def checked_classes(name: str, found: Collection[str], kind: pl.DataType) -> tuple[str | int | bool, ...]:
    """The classes of a column of labels in their order, as the file has them. Raises UserError for one or too many."""
    labels = in_order(found, kind)
    require_classes(name, labels)
    return tuple(int(v) if kind.is_numeric() else v == "true" if kind == pl.Boolean else v for v in labels)


def in_order(found: Collection[str], kind: pl.DataType) -> list[str]:
    """The cells of a column in the order of its type: numbers by size, an enumeration as defined, text by letters."""
    if kind.is_numeric():
        return sorted(found, key=int if kind.is_integer() else float)
    if isinstance(kind, pl.Enum):
        defined = [level.strip() for level in kind.categories.to_list()]
        return sorted(found, key=defined.index)
    return sorted(found)


def refuse_too_many(name: str, values: int, kind: pl.DataType) -> None:
    """Raise UserError for a column with so many different values, seen so far, that they are no categories."""
    most = MOST_LEVELS if kind in TEXT else MOST_NUMBERS
    if values > most:
        raise UserError(f"data.one_hot: {name} has more than {most} different values; too many to be levels")
