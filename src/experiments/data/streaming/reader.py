"""Blocks of rows from files of any size: Parquet (a file or a folder of them), NPY, and CSV by way of a cache."""

import dataclasses
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from polars.selectors import by_name

from experiments.data.allocation import reused
from experiments.data.files import reading
from experiments.data.files.cache import converted
from experiments.data.files.columns import require
from experiments.data.files.unpacking import CSV
from experiments.data.order import rows_of_a_block
from experiments.data.splitting import held_by_hash, held_out_rows
from experiments.data.streaming.row_groups import group_bytes
from experiments.errors import UserError

log = logging.getLogger("experiments")
NPY = ".npy"
FORMATS = (".parquet", NPY, *CSV)
HEAD = 1000
"""Rows that tell which columns hold numbers."""
AT_ONCE = 2**27
"""Bytes of a Parquet file that are read at once: of large groups of rows a few columns, and then the next."""
SPAN = 2**22
"""Cells read at once where few columns are looked at."""


@dataclass(frozen=True)
class Part:
    """One file: its columns, its rows, its stamp when it was opened, and the file that the user knows it as."""

    path: Path
    names: tuple[str, ...]
    rows: int
    stamp: tuple[int, int]
    known_as: Path
    group_bytes: int = 0
    """Of Parquet: what has to be read for some rows of all the columns, see `row_groups`."""

    @property
    def is_array(self) -> bool:
        """Whether it is NPY; else it is Parquet."""
        return self.path.suffix.lower() == NPY

    @property
    def where(self) -> str:
        """The file, as a message begins."""
        return f"data.path={self.known_as}"


@dataclass(frozen=True)
class Block:
    """Rows `first` to `first + rows` of a part; `number` counts the rows of all the parts before it."""

    part: Part
    first: int
    rows: int
    number: int

    @property
    def where(self) -> str:
        """What holds them, as a message begins."""
        return self.part.where

    @property
    def span(self) -> str:
        """Which rows of the file these are, for a message, where they are not all."""
        return "" if self.rows == self.part.rows else f" of rows {self.first + 1} to {self.first + self.rows}"

    @property
    def numbers(self) -> np.ndarray:
        """The rows' numbers in their file, from 0."""
        return np.arange(self.first, self.first + self.rows)


class Reader:
    """The blocks of a file or folder, at most `asked` rows each; none crosses from one file to the next."""

    def __init__(self, path: Path, asked: int) -> None:
        """Looks at names and sizes only. Raises UserError."""
        self.asked = asked
        self.parts = [part_of(p, known_as) for p, known_as in files(path, self)]
        self.names = self.parts[0].names
        for part in self.parts[1:]:
            require(part.names, self.names, f"data.path={part.path}")
        if not self.names:
            raise UserError(f"data.path={path}: the table has no columns")
        self.rows = sum(part.rows for part in self.parts)
        if not self.rows:
            raise UserError(f"data.path={path}: the table has no rows")
        if (largest := max(part.group_bytes for part in self.parts)) > AT_ONCE:
            log.warning(
                "data.path=%s: each block of rows takes reading a whole group (%.1f GB), some columns at a time; "
                "write it with row_group_size=65_536 or less to read it faster", path, largest / 1e9,
            )  # fmt: skip
        self.cut(1)

    def cut(self, columns: int) -> bool:
        """Cut blocks that are a few megabytes at most if read with so many columns; whether that changed them."""
        before, self.block_rows = getattr(self, "block_rows", None), rows_of_a_block(self.asked, columns)
        self.blocks, done = list[Block](), 0
        for part in self.parts:
            for first in range(0, part.rows, self.block_rows):
                self.blocks.append(Block(part, first, min(self.block_rows, part.rows - first), done + first))
            done += part.rows
        return before != self.block_rows

    def head(self) -> pl.DataFrame:
        """The first rows of all the columns, to tell what they hold."""
        block = self.blocks[0]
        return self.frame(dataclasses.replace(block, rows=min(block.rows, HEAD)), self.names)

    def spans(self, columns: int) -> list[Block]:
        """The blocks, neighbours joined as long as so many of their columns are a few megabytes at most."""
        joined: list[Block] = []
        for block in self.blocks:
            last = joined[-1] if joined else None
            if last and last.part == block.part and (last.rows + block.rows) * columns <= SPAN:
                joined[-1] = dataclasses.replace(last, rows=last.rows + block.rows)
            else:
                joined.append(block)
        return joined

    def held_out(self, block: Block, kept: np.ndarray | slice, share: float, split_seed: int) -> np.ndarray:
        """A mask over the kept rows of a block, true for about `share` of them: each by its own number alone."""
        return held_by_hash(block.number, block.rows, share, split_seed)[kept]

    def frame(self, block: Block, names: Sequence[str]) -> pl.DataFrame:
        """The block's columns as the file has them. Raises UserError, or DataChanged."""
        part = block.part
        with reading.guarded(part.path, part.stamp, part.known_as):
            if part.is_array:
                frame = pl.DataFrame(reading.plain(self._rows(block, names)), schema=list(names), orient="row")
            else:
                table = pl.scan_parquet(part.path, glob=False)
                width = max(1, AT_ONCE * len(part.names) // max(1, part.group_bytes))
                strips = (by_name(*names[i : i + width]) for i in range(0, len(names), width))  # "*" may be a column
                read = [table.select(strip).slice(block.first, block.rows).collect() for strip in strips]
                frame = read[0] if len(read) == 1 else pl.concat(read, how="horizontal")
        if frame.height != block.rows:
            raise reading.changed(part.known_as)
        return frame

    def read(self, block: Block, names: Sequence[str], spare: np.ndarray | None = None) -> np.ndarray:
        """The block's columns of an NPY file (rows, columns), float32 or float64. Raises UserError, or DataChanged.

        The table is written into `spare`, one read before that nobody needs any more, where it fits there.
        """
        part = block.part
        with reading.guarded(part.path, part.stamp, part.known_as):
            rows = self._rows(block, names, spare)
        if len(rows) != block.rows:
            raise reading.changed(part.known_as)
        return rows if rows.dtype in (np.float32, np.float64) else rows.astype(np.float64)

    def _rows(self, block: Block, names: Sequence[str], spare: np.ndarray | None = None) -> np.ndarray:
        mapped = reading.array(block.part.path, mapped=True)
        # read where that can be done in one piece: mapped pages would count as this process's memory
        if isinstance(mapped, np.memmap) and mapped.flags.c_contiguous:
            rows = reused(spare, (block.rows, mapped.shape[1]), mapped.dtype)
            with block.part.path.open("rb") as file:
                file.seek(mapped.offset + block.first * mapped.strides[0])
                rows = rows[: file.readinto(rows.view(np.uint8).data) // mapped.strides[0]]
        else:
            rows = np.ascontiguousarray(mapped[block.first : block.first + block.rows])
        if tuple(names) != self.names:
            rows = np.ascontiguousarray(rows[:, [self.names.index(n) for n in names]])
        return rows


class InMemory(Reader):
    """A whole file, read at once: a single block."""

    def __init__(self, path: Path) -> None:
        """Raises UserError, and DataChanged."""
        self.hold(reading.read(path), Part, path)

    def hold(self, table: pl.DataFrame, kind: type[Part], path: Path) -> None:
        """Take a table that has been read."""
        self._table, self.names, self.rows = table, tuple(table.columns), table.height
        self.parts = [kind(path, self.names, self.rows, (0, 0), path)]
        self.blocks, self.block_rows = [Block(self.parts[0], 0, self.rows, 0)], self.rows

    def cut(self, columns: int) -> bool:
        return False

    def head(self) -> pl.DataFrame:
        return self._table

    def held_out(self, block: Block, kept: np.ndarray | slice, share: float, split_seed: int) -> np.ndarray:
        """A mask over the kept rows, true for exactly round(rows * share) of them. Raises UserError for 0 or all."""
        rows = block.rows if isinstance(kept, slice) else int(np.count_nonzero(kept))
        return held_out_rows(rows, share, split_seed)

    def frame(self, block: Block, names: Sequence[str]) -> pl.DataFrame:
        return self._table[list(names)]


def files(path: Path, reader: object = None) -> list[tuple[Path, Path]]:
    """The files to read, in the order of their names, and as what the user knows them. Raises UserError.

    A CSV file's is its copy in the cache. A folder is one of Parquet files, or else of CSV files.
    """
    reading.require_way(path)
    if path.is_dir():
        found = [p for p in sorted(path.glob("**/*.parquet")) if not p.is_dir()]
        for part in found:
            reading.checked(part)
        if found:
            return [(part, part) for part in found]
        if not os.access(path, os.R_OK | os.X_OK):
            raise UserError(f"data.path={path}: no permission to read the folder; change its permissions")
        if not (found := reading.csv_files(path)):
            raise UserError(f"data.path={path}: the folder holds no Parquet file, and no CSV file")
        return [(converted(part, reader), part) for part in found if reading.checked(part)]
    if reading.checked(path, FORMATS) in CSV:
        return [(converted(path, reader), path)]
    return [(path, path)]


def part_of(path: Path, known_as: Path) -> Part:
    """A file's columns and rows, from its header. Raises UserError for one that is cut off."""
    before = reading.stamp(path)
    with reading.guarded(path, before, known_as):
        if path.suffix.lower() == NPY:
            rows, columns = reading.array(path, mapped=True).shape
            return Part(path, tuple(reading.array_names(columns)), rows, before, known_as)
        table = pl.scan_parquet(path, glob=False)
        names, rows = table.collect_schema().names(), table.select(pl.len()).collect().item()
        return Part(path, tuple(names), rows, before, known_as, group_bytes(path))
