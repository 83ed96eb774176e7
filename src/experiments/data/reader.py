"""Blocks of rows from files of any size: Parquet (a file or a folder of them), NPY, and CSV by way of a cache."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from experiments.data.allocation import aligned
from experiments.data.cache import converted
from experiments.data.columns import named, numbers, numeric, require, side_by_side, unused
from experiments.data.reading import array, array_names, changed, checked, guarded, stamp
from experiments.errors import UserError

log = logging.getLogger("experiments")
NPY = ".npy"
FORMATS = (".parquet", NPY, ".csv", ".tsv")


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


class Reader:
    """The blocks of a file or folder, at most `block_rows` rows each; none crosses from one file to the next."""

    def __init__(self, path: Path, block_rows: int) -> None:
        """Looks at names and sizes only. Raises UserError."""
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
        self.blocks: list[Block] = []
        before = 0
        for part in self.parts:
            for first in range(0, part.rows, block_rows):
                self.blocks.append(Block(part, first, min(block_rows, part.rows - first), before + first))
            before += part.rows

    def inputs(self, targets: Sequence[str]) -> list[str]:
        """Every other column of an array, or of a table every other one of numbers, dates or booleans."""
        part, rest = self.parts[0].path, named([name for name in self.names if name not in targets])
        if part.suffix.lower() == NPY:
            return rest
        with guarded(part):
            head = pl.scan_parquet(part, glob=False).head(1000).collect()
        left = [name for name in rest if not numeric(head[name])]
        if left and len(left) < len(rest):
            log.warning("%s", unused(head, left, one_hot=False))
        if len(left) == len(rest):
            raise UserError(
                f"data.path={self.path}: no numeric column is left for the inputs"
                + (f"; {unused(head, left, one_hot=False)}" if left else "")
            )
        return [name for name in rest if name not in left]

    def read(self, block: Block, names: Sequence[str]) -> np.ndarray:
        """The block's columns (rows, columns), float32 or float64. Raises UserError, or DataChanged."""
        part = block.part
        with guarded(part.path, part.stamp, part.known_as):
            table = self._array(block, names) if part.path.suffix.lower() == NPY else self._table(block, names)
        if len(table) != block.rows:
            raise changed(part.known_as)
        return table

    def _array(self, block: Block, names: Sequence[str]) -> np.ndarray:
        mapped = array(block.part.path, mapped=True)
        # read where that can be done in one piece: mapped pages would count as this process's memory
        if isinstance(mapped, np.memmap) and mapped.flags.c_contiguous:
            start = mapped.offset + block.first * mapped.strides[0]
            width = mapped.shape[1]
            rows = aligned((block.rows, width), mapped.dtype)
            with block.part.path.open("rb") as file:
                file.seek(start)
                rows = rows[: file.readinto(rows.data.cast("B")) // mapped.strides[0]]
        else:
            rows = np.ascontiguousarray(mapped[block.first : block.first + block.rows])
        if list(names) != self.names:
            rows = np.ascontiguousarray(rows[:, [self.names.index(n) for n in names]])
        return rows if rows.dtype in (np.float32, np.float64) else rows.astype(np.float64)

    def _table(self, block: Block, names: Sequence[str]) -> np.ndarray:
        frame = pl.scan_parquet(block.part.path, glob=False).select(names).slice(block.first, block.rows).collect()
        where, first = f"data.path={block.part.known_as}", block.first
        return side_by_side([numbers(frame[name], where, first) for name in names])

    def refuse(self, block: Block, table: np.ndarray, names: Sequence[str]) -> None:
        """Raise UserError that names the first cell of a block that is missing or infinite; none is fine."""
        with np.errstate(all="ignore"):  # this runs in a thread of its own
            if np.isfinite(table.sum()) or np.isfinite(table).all():
                return
        where = f"data.path={block.part.known_as}"
        for column in np.flatnonzero(np.isnan(table).all(0)):
            last = block.first + block.rows
            every = "every cell" if block.rows == block.part.rows else f"every cell of rows {block.first + 1} to {last}"
            raise UserError(f"{where}: {every} of column {names[int(column)]} is missing; leave it out of data.inputs")
        row, column = (int(i) for i in np.argwhere(~np.isfinite(table))[0])
        value = table[row, column]
        said = "missing" if np.isnan(value) else f"{value}: infinite, or beyond 1.8e308"
        raise UserError(
            f"{where}: row {block.first + row + 1}, column {names[column]} is {said}; every cell of a stream must be a "
            "finite number: correct it, or leave the column out of data.inputs"
        )


def files(path: Path, reader: object = None) -> list[Path]:
    """The files to read, in the order of their names; a CSV file's is its cache."""
    if path.is_dir():
        found = [p for p in sorted(path.glob("**/*.parquet")) if not p.is_dir()]
        for part in found:
            checked(part)
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
            rows = pl.scan_parquet(path, glob=False).select(pl.len()).collect().item()
    return Part(path, rows, before, known_as)


def columns(part: Part) -> list[str]:
    with guarded(part.path, part.stamp, part.known_as):
        if part.path.suffix.lower() == NPY:
            return array_names(array(part.path, mapped=True).shape[1])
        return pl.scan_parquet(part.path, glob=False).collect_schema().names()
