"""The files that blocks are read from: Parquet, NPY, and CSV by way of its copy in the cache; or a folder of them."""

import os
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from experiments.data.files import arrays, reading
from experiments.data.files.cache import converted
from experiments.data.files.unpacking import CSV
from experiments.data.streaming.row_groups import group_bytes
from experiments.errors import UserError

NPY = ".npy"
FORMATS = (".parquet", NPY, *CSV)


@dataclass(frozen=True)
class SourceFile:
    """One file: its columns, its rows, and its stamp when it was opened."""

    path: Path
    names: tuple[str, ...]
    rows: int
    stamp: tuple[int, int]
    known_as: Path
    """The file as the user knows it."""
    where: str
    """The same as a message begins."""
    group_bytes: int = 0
    """Of Parquet: what has to be read for some rows of all the columns, see `row_groups`."""

    @property
    def is_array(self) -> bool:
        """Whether it is NPY; else it is Parquet."""
        return self.path.suffix.lower() == NPY


def source_files(path: Path, reader: object = None) -> list[SourceFile]:
    """The files at a path, in the order of their names, their headers read. Raises UserError.

    Of a CSV file the copy, kept as long as `reader` lives. A folder is one of Parquet files, or else of CSV files.
    """
    reading.require_way(path)
    if not path.is_dir():
        found = [path]
    elif not (found := [p for p in sorted(path.glob("**/*.parquet")) if not p.is_dir()]):
        if not os.access(path, os.R_OK | os.X_OK):
            raise UserError(f"data.path={path}: no permission to read the folder; change its permissions")
        if not (found := reading.csv_files(path)):
            raise UserError(f"data.path={path}: the folder holds no Parquet file, and no CSV file")
    files = []
    for file in found:
        copied = reading.checked(file, FORMATS) in CSV
        files.append(_opened(converted(file, reader) if copied else file, file))
    return files


def _opened(path: Path, known_as: Path) -> SourceFile:
    """A file's columns and rows, from its header. Raises UserError for one that is cut off."""
    before, where = reading.stamp(path), f"data.path={known_as}"
    with reading.guarded(path, before, known_as):
        if path.suffix.lower() == NPY:
            rows, columns = arrays.array(path, mapped=True).shape
            return SourceFile(path, tuple(arrays.array_names(columns)), rows, before, known_as, where)
        table = pl.scan_parquet(path, glob=False)
        names, rows = table.collect_schema().names(), table.select(pl.len()).collect().item()
        return SourceFile(path, tuple(names), rows, before, known_as, where, group_bytes(path))
