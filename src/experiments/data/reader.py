"""Blocks of rows from files of any size: Parquet (a file or a folder of them), NPY, and CSV by way of a cache."""

import hashlib
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from experiments.data.columns import numbers, numeric, require, side_by_side
from experiments.data.reading import array, array_names, changed, checked, csv_options, header, stamp, unreadable
from experiments.errors import UserError

FORMATS = (".parquet", ".npy", ".csv", ".tsv")


@dataclass(frozen=True)
class Part:
    """One file: its rows, and its stamp when it was opened."""

    path: Path
    rows: int
    stamp: tuple[int, int]


@dataclass(frozen=True)
class Block:
    """Rows `first` to `first + rows` of a part; `number` counts the rows of all the parts before it."""

    part: Part
    first: int
    rows: int
    number: int


class Reader:
    """The blocks of a file or folder, at most `block_rows` rows each; none crosses from one file to the next."""

    def __init__(self, path: Path, block_rows: int) -> None:
        """Looks at names and sizes only. Raises UserError."""
        self.path = path
        self.parts = [opened(p) for p in files(path)]
        self.names = columns(self.parts[0].path)
        for part in self.parts[1:]:
            require(columns(part.path), self.names, f"data.path={part.path}")
        self.rows = sum(part.rows for part in self.parts)
        if not self.rows:
            raise UserError(f"data.path={path}: the table has no rows")
        self.blocks: list[Block] = []
        before = 0
        for part in self.parts:
            for first in range(0, part.rows, block_rows):
                self.blocks.append(Block(part, first, min(block_rows, part.rows - first), before + first))
            before += part.rows

    def numeric(self) -> list[str]:
        """The columns that can be inputs: all of an array, those of numbers, dates and booleans of a table."""
        part = self.parts[0].path
        if part.suffix == ".npy":
            return self.names
        head = pl.scan_parquet(part, glob=False).head(1000).collect()
        return [name for name in self.names if numeric(head[name])]

    def read(self, block: Block, names: Sequence[str]) -> np.ndarray:
        """The block's columns (rows, columns), float32 or float64. Raises UserError, also for a file that changed."""
        part = block.part
        if not part.path.exists() or stamp(part.path) != part.stamp:
            raise changed(part.path)
        try:
            table = self._array(block, names) if part.path.suffix == ".npy" else self._table(block, names)
        except (pl.exceptions.PolarsError, OSError, ValueError) as error:
            if isinstance(error, UserError):
                raise
            raise unreadable(part.path, error) from error
        if len(table) != block.rows:
            raise changed(part.path)
        return table

    def _array(self, block: Block, names: Sequence[str]) -> np.ndarray:
        mapped = array(block.part.path, mapped=True)
        if mapped.flags.c_contiguous:  # read, not mapped: mapped pages would count as this process's memory
            start = mapped.offset + block.first * mapped.strides[0]  # type: ignore[attr-defined]
            width = mapped.shape[1]
            rows = np.fromfile(block.part.path, mapped.dtype, block.rows * width, offset=start).reshape(-1, width)
        else:
            rows = np.ascontiguousarray(mapped[block.first : block.first + block.rows])
        if list(names) != self.names:
            rows = np.ascontiguousarray(rows[:, [self.names.index(n) for n in names]])
        return rows if rows.dtype in (np.float32, np.float64) else rows.astype(np.float64)

    def _table(self, block: Block, names: Sequence[str]) -> np.ndarray:
        frame = pl.scan_parquet(block.part.path, glob=False).select(names).slice(block.first, block.rows).collect()
        where, first = f"data.path={block.part.path}", block.first
        return side_by_side([numbers(frame[name], where, first) for name in names])

    def refuse(self, block: Block, table: np.ndarray, names: Sequence[str]) -> None:
        """Raise UserError that names the first cell of a block that is missing or infinite; none is fine."""
        if np.isfinite(table.sum()) or np.isfinite(table).all():
            return
        row, column = (int(i) for i in np.argwhere(~np.isfinite(table))[0])
        value = table[row, column]
        said = "missing" if np.isnan(value) else f"{value}, infinite or beyond 1.8e308"
        raise UserError(
            f"data.path={block.part.path}: row {block.first + row + 1}, column {names[column]} is {said}; "
            "every cell of a stream must be a finite number"
        )


def files(path: Path) -> list[Path]:
    """The files to read, in the order of their names; a CSV file's is its cache."""
    if path.is_dir():
        found = sorted(path.glob("**/*.parquet"))
        if not found:
            raise UserError(f"data.path={path}: the folder holds no Parquet file")
        return found
    if checked(path, FORMATS) in (".csv", ".tsv"):
        return [converted(path)]
    return [path]


def opened(path: Path) -> Part:
    """A file's rows, from its header. Raises UserError for one that is cut off."""
    before = stamp(path)
    try:
        if path.suffix == ".npy":
            return Part(path, len(array(path, mapped=True)), before)
        return Part(path, pl.scan_parquet(path, glob=False).select(pl.len()).collect().item(), before)
    except (pl.exceptions.PolarsError, OSError, ValueError, EOFError) as error:
        if isinstance(error, UserError):
            raise
        raise unreadable(path, error) from error


def columns(path: Path) -> list[str]:
    if path.suffix == ".npy":
        return array_names(array(path, mapped=True).shape[1])
    return pl.scan_parquet(path, glob=False).collect_schema().names()


def converted(path: Path) -> Path:
    """The Parquet copy of a CSV file in the user's cache, made once for each state of the file, whole or not at all."""
    before = stamp(path)
    name = hashlib.sha256(repr((str(path.resolve()), before)).encode()).hexdigest()[:24]
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "experiments"
    copy = root / f"{path.stem}-{name}.parquet"
    if copy.exists():
        return copy
    root.mkdir(parents=True, exist_ok=True)
    unfinished = root / f".{copy.name}.{secrets.token_hex(4)}.tmp"
    _, separator = header(path)
    try:
        rows = pl.scan_csv(path, separator=separator, glob=False, **csv_options())  # type: ignore[arg-type]
        rows.sink_parquet(unfinished, compression="lz4", row_group_size=65_536)
        if stamp(path) != before:
            raise changed(path)
        unfinished.replace(copy)
    except pl.exceptions.PolarsError as error:
        raise unreadable(path, error) from error
    finally:
        unfinished.unlink(missing_ok=True)
    return copy
