"""A table as blocks of rows: of files of any size, each block read when it is asked for, or of one in memory."""

import dataclasses
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from polars.selectors import by_name

from experiments.data.allocation import reused
from experiments.data.files import arrays, reading
from experiments.data.files.columns import require
from experiments.data.order import rows_of_a_block
from experiments.data.splitting import held_by_hash, held_out_rows
from experiments.data.streaming.source_files import SourceFile, source_files
from experiments.errors import UserError

log = logging.getLogger("experiments")
HEAD_ROWS = 1000
"""Rows that tell which columns hold numbers."""
AT_ONCE = 2**27
"""Bytes of a Parquet file that are read at once: of large groups of rows a few columns, and then the next."""


@dataclass(frozen=True)
class Block:
    """Rows `first` to `first + rows` of a file; `number` counts the rows of all the files before it."""

    file: SourceFile
    first: int
    rows: int
    number: int

    @property
    def span(self) -> str:
        """Which rows of the file these are, for a message, where they are not all."""
        return "" if self.rows == self.file.rows else f" of rows {self.first + 1} to {self.first + self.rows}"

    @property
    def row_numbers(self) -> np.ndarray:
        """The rows' numbers in their file, from 0."""
        return np.arange(self.first, self.first + self.rows)


class Reader:
    """The blocks of a file or folder, at most `asked` rows each; none crosses from one file to the next."""

    def __init__(self, path: Path, asked: int) -> None:
        """Looks at names and sizes only. Raises UserError."""
        self.asked, self.where = asked, f"data.path={path}"
        self.files = source_files(path, self)
        self.names = self.files[0].names
        for file in self.files[1:]:
            require(file.names, self.names, file.where)
        self.rows = sum(file.rows for file in self.files)
        if not self.names or not self.rows:
            raise UserError(f"{self.where}: the table has no {'rows' if self.names else 'columns'}")
        if (largest := max(file.group_bytes for file in self.files)) > AT_ONCE:
            log.warning(
                "%s: each block of rows takes reading a whole group (%.1f GB), some columns at a time; "
                "write it with row_group_size=65_536 or less to read it faster", self.where, largest / 1e9,
            )  # fmt: skip
        self.cut(1)

    def cut(self, columns: int) -> bool:
        """Cut blocks that are a few megabytes at most if read with so many columns; whether that changed them."""
        before, self.block_rows = getattr(self, "block_rows", None), rows_of_a_block(self.asked, columns)
        self.blocks, done = list[Block](), 0
        for file in self.files:
            for first in range(0, file.rows, self.block_rows):
                self.blocks.append(Block(file, first, min(self.block_rows, file.rows - first), done + first))
            done += file.rows
        return before != self.block_rows

    def head(self) -> pl.DataFrame:
        """The first rows of all the columns, to tell what they hold."""
        block = self.blocks[0]
        return self.frame(dataclasses.replace(block, rows=min(block.rows, HEAD_ROWS)), self.names)

    def held_out(self, block: Block, rows: np.ndarray, share: float, split_seed: int) -> np.ndarray:
        """A mask over rows of a block, by their numbers in its file: true for about `share` of them, each by itself."""
        return held_by_hash(rows + (block.number - block.first), share, split_seed)

    def frame(self, block: Block, names: Sequence[str]) -> pl.DataFrame:
        """The block's columns as the file has them. Raises UserError, or DataChanged."""
        file = block.file
        with reading.guarded(file.path, file.stamp, file.known_as):
            if file.is_array:
                frame = pl.DataFrame(arrays.plain(_array_rows(block, names)), schema=list(names), orient="row")
            else:
                table = pl.scan_parquet(file.path, glob=False)
                width = max(1, AT_ONCE * len(file.names) // max(1, file.group_bytes))
                strips = (by_name(*names[i : i + width]) for i in range(0, len(names), width))  # "*" may be a column
                read = [table.select(strip).slice(block.first, block.rows).collect() for strip in strips]
                frame = pl.concat(read, how="horizontal")
        if frame.height != block.rows:
            raise reading.changed(file.known_as)
        return frame

    def array(self, block: Block, names: Sequence[str], spare: np.ndarray | None = None) -> np.ndarray:
        """The block's columns of an NPY file (rows, columns), float32 or float64. Raises UserError, or DataChanged.

        The table is written into `spare`, one read before that nobody needs any more, where it fits there.
        """
        file = block.file
        with reading.guarded(file.path, file.stamp, file.known_as):
            rows = _array_rows(block, names, spare)
        if len(rows) != block.rows:
            raise reading.changed(file.known_as)
        return rows if rows.dtype in (np.float32, np.float64) else rows.astype(np.float64)


class InMemory(Reader):
    """A table that is in memory already: a single block. `where`: what errors call it, where it is not of a file."""

    def __init__(self, table: pl.DataFrame, path: Path = Path(), where: str = "") -> None:
        self._table, self.names, self.rows = table, tuple(table.columns), table.height
        self.where = where or f"data.path={path}"
        self.files = [SourceFile(path, self.names, self.rows, (0, 0), path, self.where)]
        self.blocks, self.block_rows = [Block(self.files[0], 0, self.rows, 0)], self.rows

    def cut(self, columns: int) -> bool:
        return False

    def head(self) -> pl.DataFrame:
        return self._table

    def held_out(self, block: Block, rows: np.ndarray, share: float, split_seed: int) -> np.ndarray:
        """The same, but true for exactly round(rows * share) of them. Raises UserError for 0 or all."""
        return held_out_rows(len(rows), share, split_seed)

    def frame(self, block: Block, names: Sequence[str]) -> pl.DataFrame:
        return self._table[list(names)]


def _array_rows(block: Block, names: Sequence[str], spare: np.ndarray | None = None) -> np.ndarray:
    """A block's columns of an NPY file, in the file's own type."""
    file = block.file
    mapped = arrays.array(file.path, mapped=True)
    # read where that can be done in one piece: mapped pages would count as this process's memory
    if isinstance(mapped, np.memmap) and mapped.flags.c_contiguous:
        rows = reused(spare, (block.rows, mapped.shape[1]), mapped.dtype)
        with file.path.open("rb") as opened:
            opened.seek(mapped.offset + block.first * mapped.strides[0])
            rows = rows[: opened.readinto(rows.view(np.uint8).data) // mapped.strides[0]]
    else:
        rows = mapped[block.first : block.first + block.rows]
    if tuple(names) != file.names:
        rows = rows[:, [file.names.index(n) for n in names]]
    return np.ascontiguousarray(rows)
