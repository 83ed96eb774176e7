"""Blocks of rows from files of any size: Parquet (a file or a folder of them), NPY, and CSV by way of a cache."""

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from experiments.data.allocation import reused
from experiments.data.files.backtraces import no_backtraces
from experiments.data.files.cache import converted
from experiments.data.files.columns import numbers, require, side_by_side
from experiments.data.files.reading import array, array_names, changed, checked, guarded, plain, require_way, stamp
from experiments.errors import UserError

NPY = ".npy"
FORMATS = (".parquet", NPY, ".csv", ".tsv")
HEAD = 1000
"""Rows that tell which columns hold numbers."""
SPAN = 2**22
"""Cells read at once by a look at few columns."""


@dataclass(frozen=True)
class Part:
    """One file: its rows, its stamp when it was opened, and the file that the user knows it as."""

    path: Path
    rows: int
    stamp: tuple[int, int]
    known_as: Path


@dataclass(frozen=True)
class Block:
    """Rows `first` to `first + rows` of a part; `number` counts the rows of all the parts before it."""

    part: Part
    first: int
    rows: int
    number: int

    @property
    def where(self) -> str:
        """The file, as a message begins."""
        return f"data.path={self.part.known_as}"

    @property
    def numbers(self) -> range:
        """The rows' numbers in their file, from 0."""
        return range(self.first, self.first + self.rows)


class Reader:
    """The blocks of a file or folder, at most `block_rows` rows each; none crosses from one file to the next."""

    def __init__(self, path: Path, block_rows: int) -> None:
        """Evaluations at names and sizes only. Raises UserError."""
        self.path = path
        self.parts = [opened(p, path if path.is_file() else p) for p in files(path, self)]
        self.names = columns(self.parts[0])
        for part in self.parts[1:]:
            require(columns(part), self.names, f"data.path={part.path}")
        if not self.names:
            raise UserError(f"data.path={path}: the table has no columns")
        self.rows = sum(part.rows for part in self.parts)
        if not self.rows:
            raise UserError(f"data.path={path}: the table has no rows")
        self.cut(block_rows)

    def cut(self, block_rows: int) -> None:
        """Blocks of at most so many rows from now on."""
        self.block_rows, self.blocks, before = block_rows, list[Block](), 0
        for part in self.parts:
            for first in range(0, part.rows, block_rows):
                self.blocks.append(Block(part, first, min(block_rows, part.rows - first), before + first))
            before += part.rows

    def head(self) -> pl.DataFrame:
        """The first rows of all the columns, to tell what they hold."""
        block = self.blocks[0]
        return self.frame(dataclasses.replace(block, rows=min(block.rows, HEAD)), self.names)

    def spans(self, columns: int) -> list[Block]:
        """The blocks, neighbours joined while that few of their columns are a few megabytes."""
        joined: list[Block] = []
        for block in self.blocks:
            last = joined[-1] if joined else None
            if last and last.part == block.part and (last.rows + block.rows) * columns <= SPAN:
                joined[-1] = dataclasses.replace(last, rows=last.rows + block.rows)
            else:
                joined.append(block)
        return joined

    def frame(self, block: Block, names: Sequence[str]) -> pl.DataFrame:
        """The block's columns as the file has them. Raises UserError, or DataChanged."""
        part = block.part
        with guarded(part.path, part.stamp, part.known_as):
            if part.path.suffix.lower() == NPY:
                frame = pl.DataFrame(plain(self._rows(block, names)), schema=list(names), orient="row")
            else:
                frame = _frame(block, names)
        if frame.height != block.rows:
            raise changed(part.known_as)
        return frame

    def read(self, block: Block, names: Sequence[str], spare: np.ndarray | None = None) -> np.ndarray:
        """The block's columns (rows, columns), float32 or float64. Raises UserError, or DataChanged.

        In the memory of `spare` where that fits: a table read before, which nobody needs any more.
        """
        part = block.part
        with guarded(part.path, part.stamp, part.known_as):
            if part.path.suffix.lower() == NPY:
                rows = self._rows(block, names, spare)
                table = rows if rows.dtype in (np.float32, np.float64) else rows.astype(np.float64)
            else:
                frame = _frame(block, names)
                table = side_by_side([numbers(frame[name], block.where, block.numbers) for name in names], spare)
        if len(table) != block.rows:
            raise changed(part.known_as)
        return table

    def _rows(self, block: Block, names: Sequence[str], spare: np.ndarray | None = None) -> np.ndarray:
        mapped = array(block.part.path, mapped=True)
        # read where that can be done in one piece: mapped pages would count as this process's memory
        if isinstance(mapped, np.memmap) and mapped.flags.c_contiguous:
            start = mapped.offset + block.first * mapped.strides[0]
            width = mapped.shape[1]
            rows = reused(spare, (block.rows, width), mapped.dtype)
            with block.part.path.open("rb") as file:
                file.seek(start)
                rows = rows[: file.readinto(rows.view(np.uint8).data) // mapped.strides[0]]
        else:
            rows = np.ascontiguousarray(mapped[block.first : block.first + block.rows])
        if list(names) != self.names:
            rows = np.ascontiguousarray(rows[:, [self.names.index(n) for n in names]])
        return rows


def _frame(block: Block, names: Sequence[str]) -> pl.DataFrame:
    with no_backtraces():
        return pl.scan_parquet(block.part.path, glob=False).select(names).slice(block.first, block.rows).collect()


def files(path: Path, reader: object = None) -> list[Path]:
    """The files to read, in the order of their names; a CSV file's is its cache."""
    require_way(path)
    if path.is_dir():
        found = [p for p in sorted(path.glob("**/*.parquet")) if not p.is_dir()]
        for part in found:
            checked(part)
        if not found and not os.access(path, os.R_OK | os.X_OK):
            raise UserError(f"data.path={path}: no permission to read the folder; change its permissions")
        if not found:
            raise UserError(f"data.path={path}: the folder holds no Parquet file")
        return found
    if checked(path, FORMATS) in (".csv", ".tsv"):
        return [converted(path, reader)]
    return [path]


def opened(path: Path, known_as: Path) -> Part:
    """A file's rows, from its header. Raises UserError for one that is cut off."""
    before = stamp(path)
    with guarded(path, before, known_as):
        if path.suffix.lower() == NPY:
            rows = len(array(path, mapped=True))
        else:
            with no_backtraces():
                rows = pl.scan_parquet(path, glob=False).select(pl.len()).collect().item()
    return Part(path, rows, before, known_as)


def columns(part: Part) -> list[str]:
    with guarded(part.path, part.stamp, part.known_as):
        if part.path.suffix.lower() == NPY:
            return array_names(array(part.path, mapped=True).shape[1])
        with no_backtraces():
            return pl.scan_parquet(part.path, glob=False).collect_schema().names()
