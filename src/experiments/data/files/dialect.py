"""How a CSV or TSV file is written, told from its first lines: separator, decimal sign, line ends, names of columns."""

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from experiments.errors import UserError

MISSING = ["", "NA", "N/A", "n/a", "#N/A", "<NA>", "null", "NULL", "nan", "NaN"]
"""Texts that stand for a missing cell."""
HEAD = 65_536
"""Bytes below the header that the decimal sign is told from."""
OTHER = {
    b"\x1f\x8b": "compressed (gzip); give it the ending .gz",
    b"\x28\xb5\x2f\xfd": "compressed (zstd); give it the ending .zst",
    b"PK\x03\x04": "a ZIP archive or an Excel workbook; unpack it, or give it the ending .xlsx",
    b"PAR1": "Parquet; give it the ending .parquet",
    b"ARROW1": "Arrow; give it the ending .arrow",
}
"""What files of other formats begin with."""
NAMELESS = re.compile(r"Unnamed: \d+|__index_level_\d+__")
"""What pandas calls a column without a name, mostly the rows' numbers; `csv_options` does too."""


def csv_options(path: Path, bare: bool = False) -> dict[str, Any]:
    """How polars is to read this file: types from all the rows, dates as dates. Raises UserError.

    Columns stand apart by a tab in TSV, else by the one of comma, semicolon, tab and bar that the header has most of.
    In a file of semicolons a comma in numbers is the decimal sign, if no number there has a point. Names lose the
    blanks around them, a column without one gets pandas' `Unnamed: 3`. Names that occur twice are refused, which polars
    would rename without a word. With `bare` a first line of nothing but numbers is no header.
    """
    skipped, line, head = first_lines(path)
    unquoted = re.sub(r'"[^"]*"', "", line)
    tsv = path.suffix.lower() == ".tsv"
    separator = "\t" if tsv and "\t" in unquoted else max(",;\t|", key=unquoted.count)
    undated = re.sub(r"(?<!\d)\d{1,9}\.\d{1,9}\.\d+", "", head)  # 24.12.2024 has no decimal point
    decimal_comma = separator == ";" and bool(re.search(r"\d,\d", head)) and not re.search(r"[\d;]\.\d", undated)
    lines = io.StringIO(line + head, newline="")
    try:
        cells = next(csv.reader(lines, delimiter=separator), [])
    except csv.Error as error:  # a name longer than any is, a quotation mark that is never closed
        raise UserError(f"data.path={path}: its first line is no header of a table ({error})") from None
    headed = not bare or pl.Series(cells, dtype=pl.String).str.strip_chars().cast(pl.Float64, strict=False).has_nulls()
    options = {
        "separator": separator, "decimal_comma": decimal_comma, "new_columns": named(path, cells) if headed else None,
        "has_header": headed, "infer_schema_length": None, "try_parse_dates": True, "null_values": MISSING,
        "glob": False,
    }  # fmt: skip
    if skipped:
        options["skip_lines"] = skipped
    if line.endswith("\r"):
        options["eol_char"] = "\r"
    return options


def named(path: Path, cells: Sequence[str]) -> list[str]:
    """The names of columns by the cells of a header, each another. Raises UserError for two of one name."""
    names = [cell.strip() or f"Unnamed: {i}" for i, cell in enumerate(cells)]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UserError(f"data.path={path}: two columns are called {twice[0]}; rename one, names must be unique")
    return names


def first_lines(path: Path) -> tuple[int, str, str]:
    """How many blank lines come first, the line after them, and some text below it. Raises UserError unless UTF-8."""
    with path.open("rb") as file:
        found = file.readline(2**24)
        skipped = 0
        while found and not found.lstrip(b"\xef\xbb\xbf").strip():
            found, skipped = file.readline(2**24), skipped + 1
        below = file.read(HEAD)
    if not found:
        raise UserError(f"data.path={path}: the file is empty, apart from blanks")
    what = next((what for start, what in OTHER.items() if found.startswith(start)), "")
    if b"\x00" in found and not what:
        what = "not in UTF-8 (UTF-16, perhaps); save it in that encoding"
    try:
        text = found.decode("utf-8-sig")
    except UnicodeDecodeError:
        text, what = "", what or "not in UTF-8 (Windows-1252, perhaps); save it in that encoding"
    if what:
        raise UserError(f"data.path={path}: cannot be read as {path.suffix.lower()[1:]}: it is {what}")
    head = below.decode(errors="replace")
    line, end, rest = text.partition("\r")
    if end and rest not in ("", "\n"):  # lines that end in \r alone, as on old Macs
        return skipped, line + end, rest + head
    return skipped, text, head


def filled(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows of a frame read from CSV without those where every cell is missing: blank lines."""
    if frame.width < 2 or any(column.null_count() == 0 for column in frame):
        return frame
    return frame.filter(some_cell())


def some_cell() -> pl.Expr:
    """Holds for a row that is no blank line."""
    return ~pl.all_horizontal(pl.all().is_null())
