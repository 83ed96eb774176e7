"""A table for people: aligned on a terminal, tab-separated in a pipe, or a file's bytes."""

import io
import os
import shutil
import sys
import textwrap
from collections.abc import Sequence

import polars as pl

from experiments.config.schema import PER_TARGET
from experiments.stored.cells import cell

FIRST = 50
"""Rows on a terminal unless --top says otherwise."""
GAP, SHORTEST = 2, 24
"""Between two columns; what a run's name is shortened to before a column is left out."""
LONG = ("run", "folder", "group")
COLOURS = {"diverged": "\x1b[31m", "failed": "\x1b[31m", "unfinished": "\x1b[2m"}
KEPT = ("run", "status", "gap", "train_loss", "group")
"""Columns that are shown before others find room."""


def show(table: pl.DataFrame, *, everything: bool) -> None:
    """Print the table to standard output."""
    if not sys.stdout.isatty():
        lines = ["\t".join(cell(name, 200) for name in table.columns)]
        lines += ["\t".join(cell(value, 200) for value in row) for row in table.iter_rows()]
        sys.stdout.write("\n".join(lines) + "\n")
        return
    first = table if everything else table.head(FIRST)
    width = shutil.get_terminal_size().columns
    shown, lines = aligned(first, width)
    print("\n".join(lines))
    if hidden := [name for name in table.columns if name not in shown]:
        print(textwrap.fill(f"too wide to show: {cell(', '.join(hidden), 500)} (--columns chooses)", width))
    if first.height < table.height:
        print(f"{table.height - first.height} more; --top 0 shows all {table.height}")


def aligned(table: pl.DataFrame, width: int) -> tuple[list[str], list[str]]:
    """The columns that there is room for, and a line for the headings and each row, in the colour of its status.

    The metrics come before the keys, and keys of every run before those of some.
    """
    texts = {
        name: [heading, *map(cell, table[name])]
        for name, heading in zip(table.columns, headings(table.columns), strict=True)
    }
    needed = {name: GAP + max(map(len, words)) for name, words in texts.items()}
    least = {name: min(n, SHORTEST + GAP) if name in LONG else n for name, n in needed.items()}
    order = sorted(table.columns, key=lambda n: (n not in KEPT, table[n].null_count() > 0 and "." in n))
    shown: list[str] = []
    for name in order:
        if sum(least[n] for n in shown) + least[name] <= width or not shown:
            shown.append(name)
    shown = [name for name in table.columns if name in shown]
    spare = width - sum(least[name] for name in shown)
    columns = []
    for name in shown:
        size = min(needed[name], least[name] + max(spare, 0)) - GAP
        spare -= size + GAP - least[name]
        words = [w if len(w) <= size else w[: size - 1] + "…" for w in texts[name]]
        columns.append([w.rjust(size) if table.schema[name].is_numeric() else w.ljust(size) for w in words])
    lines = [(" " * GAP).join(row).rstrip() for row in zip(*columns, strict=True)]
    if "status" in table.columns and "NO_COLOR" not in os.environ:
        colours = ["", *(COLOURS.get(status, "") for status in table["status"])]
        lines = [f"{colour}{line}\x1b[0m" if colour else line for colour, line in zip(colours, lines, strict=True)]
    return shown, lines


def headings(columns: Sequence[str]) -> list[str]:
    """Column names without their section where they stay unique: `lr` for `optimizer.lr`."""
    short = [name if name.partition(".")[0] in PER_TARGET else name.rpartition(".")[2] for name in columns]
    return [cell(s if short.count(s) == 1 else name) for s, name in zip(short, columns, strict=True)]


def content(table: pl.DataFrame, kind: str) -> bytes:
    """The table as the bytes of a csv, parquet or json file (a list of objects)."""
    file = io.BytesIO()
    getattr(table, f"write_{kind}")(file)
    return file.getvalue()
