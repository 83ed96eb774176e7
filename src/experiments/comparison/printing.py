"""A table for people: aligned on a terminal, tab-separated in a pipe, or a file's bytes."""

import io
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import polars as pl

from experiments.comparison.runs_table import SHOWN
from experiments.stored.cells import cell

if TYPE_CHECKING:
    from rich.table import Table

FIRST = 50
"""Rows on a terminal unless --top says otherwise."""
GAP, SHORTEST = 3, 24
"""Between two columns; what a run's name is shortened to before a column is left out."""
LONG = ("run", "folder")
DRAWN = 200
"""Rows at most that are drawn with rich; longer tables are plain aligned text."""


def show(table: pl.DataFrame, *, everything: bool) -> None:
    """Print the table to standard output."""
    if not sys.stdout.isatty():
        lines = ["\t".join(cell(name, 200) for name in table.columns)]
        lines += ["\t".join(cell(value, 200) for value in row) for row in table.iter_rows()]
        sys.stdout.write("\n".join(lines) + "\n")
        return
    from rich.console import Console

    console = Console(highlight=False)
    first = table if everything else table.head(FIRST)
    if first.height > DRAWN:
        _print_aligned(first)
    else:
        fitting = fit(first, console.width)
        console.print(_drawn(first.select(fitting), console.width))
        if hidden := [name for name in first.columns if name not in fitting]:
            console.print(f"too wide to show: {cell(', '.join(hidden), 500)} (--columns chooses)", markup=False)
    if first.height < table.height:
        console.print(f"{table.height - first.height} more; --top 0 shows all {table.height}", markup=False)


def _drawn(table: pl.DataFrame, width: int) -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    needed = widths(table)
    room = max(SHORTEST, width - sum(n + GAP for name, n in needed.items() if name not in LONG) - GAP)
    for name, heading in zip(table.columns, headings(table.columns), strict=True):
        right = table.schema[name].is_numeric()
        exact = min(needed[name], room) if name in LONG else needed[name]
        justify = "right" if right else "left"
        drawn.add_column(Text(heading), justify=justify, no_wrap=True, overflow="ellipsis", width=exact)
    at = table.columns.index("status") if "status" in table.columns else -1
    for row in table.iter_rows():
        style = "" if at < 0 else {"diverged": "red", "failed": "red", "unfinished": "dim"}.get(row[at], "")
        drawn.add_row(*(Text(cell(value)) for value in row), style=style)
    return drawn


def fit(table: pl.DataFrame, width: int) -> list[str]:
    """The columns that a terminal has room for; the metrics before the keys, keys of every run before those of some."""
    needed = {name: GAP + (min(n, SHORTEST) if name in LONG else n) for name, n in widths(table).items()}
    first = [name for name in ("run", "status", "gap", "train_loss") if name in needed]
    keys = [name for name in table.columns if name not in first]
    keys.sort(key=lambda name: table[name].null_count() > 0 and name not in SHOWN)
    kept, used = set(), 0
    for name in first + keys:
        if used + needed[name] <= width or not kept:
            kept.add(name)
            used += needed[name]
    return [name for name in table.columns if name in kept]


def widths(table: pl.DataFrame) -> dict[str, int]:
    """Characters that each column needs."""
    pairs = zip(table.columns, headings(table.columns), strict=True)
    return {name: max(len(heading), *(len(cell(value)) for value in table[name])) for name, heading in pairs}


def _print_aligned(table: pl.DataFrame) -> None:
    """Long tables without colours: rich needs 3 ms a row."""
    columns = []
    for heading, values in zip(headings(table.columns), table.iter_columns(), strict=True):
        words = [heading, *(cell(value) for value in values)]
        width = max(map(len, words))
        columns.append([w.rjust(width) if values.dtype.is_numeric() else w.ljust(width) for w in words])
    sys.stdout.write("\n".join("  ".join(row).rstrip() for row in zip(*columns, strict=True)) + "\n")


def headings(columns: Sequence[str]) -> list[str]:
    """Column names without their section where they stay unique: `lr` for `optimizer.lr`."""
    short = [name.rpartition(".")[2] if not name.startswith(("r2.", "rmse.")) else name for name in columns]
    return [cell(s if short.count(s) == 1 else name) for s, name in zip(short, columns, strict=True)]


def content(table: pl.DataFrame, kind: str) -> bytes:
    """The table as the bytes of a csv, parquet or json file (a list of objects)."""
    file = io.BytesIO()
    if kind == "csv":
        table.write_csv(file)
    elif kind == "parquet":
        table.write_parquet(file)
    else:
        table.write_json(file)
    return file.getvalue()
