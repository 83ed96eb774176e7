"""A file to a polars frame, whatever its format; what is wrong with a file is said in one line, by name."""

import io
import os
import re
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from experiments.data.files.arrays import read_arrays
from experiments.data.files.dialect import csv_options, filled
from experiments.data.files.excel import read_sheet
from experiments.data.files.unpacking import CSV, ending, plain_text
from experiments.errors import DataChanged, UserError, nearest, one_line

FORMATS = (*CSV, ".xlsx", ".parquet", ".arrow", ".feather", ".npy", ".npz")
LONGEST = 300
"""Characters that a library's own reason may take: it may quote a cell of any length."""
DAMAGED = (
    pl.exceptions.PolarsError, pl.exceptions.PanicException, zipfile.BadZipFile, zlib.error,
    NotImplementedError,  # zipfile's word for a compression that it lacks
    tokenize.TokenError, SyntaxError, ValueError, EOFError, OSError, MemoryError,
)  # fmt: skip
"""What the libraries raise for a file that is cut off, or is not what its name says."""

FURTHER = re.compile(r"Consider|You might want|The current offset|If you trust|\(?Error \{")
"""Where a library's reason turns into advice for programmers."""
MEANS = {
    "more fields": "a line has more cells than the header",
    "(?i)utf-8": "it is not in UTF-8; save it in that encoding",
    'CSV malformed|could not parse `"': "a quotation mark is not closed, or stands inside a cell; it may be cut off",
    "allow_pickle|Python objects": "it holds Python objects, which are not read; save numbers",
    "pickled": "its content is something else",
}
"""Words in the libraries' reasons, and what they most likely mean."""


def read(path: Path, bare: bool = False) -> pl.DataFrame:
    """The table in `path`, columns as the file has them; of a folder its CSV files. Raises UserError, DataChanged.

    `bare`: a CSV file whose first line is all numbers has no header.
    """
    if os.path.isdir(path) and (parts := csv_files(path)):
        return _joined(path, [read(part, bare) for part in parts])
    suffix = checked(path)
    with guarded(path):
        if suffix in CSV:
            with plain_text(path) as text:
                frame = filled(pl.read_csv(text, **csv_options(text, bare)))
        elif suffix == ".xlsx":
            frame = read_sheet(path)
        elif suffix == ".parquet":
            frame = pl.read_parquet(path, glob=False)
        elif suffix in (".arrow", ".feather"):
            # by its bytes: polars maps an Arrow file, and a mapped file that is cut off kills the process
            frame = pl.read_ipc(io.BytesIO(path.read_bytes()))
        else:
            frame = read_arrays(path)
    if frame.width == 0:
        raise UserError(f"data.path={path}: the table has no columns")
    if frame.height == 0:
        below = " below its header" if suffix in (*CSV, ".xlsx") else ""
        raise UserError(f"data.path={path}: the table has no rows{below}")
    return frame


def csv_files(folder: Path) -> list[Path]:
    """The files of CSV in a folder and in those below, in the order of their names."""
    return sorted(p for p in folder.glob("**/*") if ending(p) in CSV and p.is_file())


def _joined(folder: Path, frames: list[pl.DataFrame]) -> pl.DataFrame:
    """Tables with the same columns, one below the other. Raises UserError."""
    names = frames[0].columns
    for path, frame in zip(csv_files(folder), frames, strict=True):
        if odd := sorted(set(names) ^ set(frame.columns)):
            what = "has no column" if odd[0] in names else "has a column that the first file has not,"
            raise UserError(f"data.path={path}: {what} {odd[0]}; the files of a folder need the same columns")
    columns = []
    for name in names:
        try:
            columns.append(pl.concat([frame[[name]] for frame in frames], how="vertical_relaxed", rechunk=True))
        except pl.exceptions.SchemaError as error:  # times in one file, dates in the next
            raise UserError(f"data.path={folder}: column {name} differs from file to file: {one_line(error)}") from None
    return pl.concat(columns, how="horizontal")


@contextmanager
def guarded(path: Path, before: tuple[int, int] | None = None, known_as: Path | None = None) -> Iterator[None]:
    """Reading a file: what a library says of a bad one becomes UserError, a change meanwhile DataChanged.

    `before` is its stamp when it was opened, where that was earlier; `known_as` is the file to speak of.
    """
    known_as, before = known_as or path, before or stamp(path)
    if stamp(path) != before:
        raise changed(known_as)
    try:
        yield
    except DAMAGED as error:
        if isinstance(error, UserError):
            raise
        if stamp(path) != before:
            raise changed(known_as) from error
        raise unreadable(known_as, error) from error
    if stamp(path) != before:
        raise changed(known_as)


@contextmanager
def errors_of(key: str) -> Iterator[None]:
    """What is wrong with a file read in here is said of the config key that names it."""
    try:
        yield
    except (UserError, DataChanged) as error:
        raise type(error)(str(error).replace("data.path=", f"{key}=", 1)) from error


def checked(path: Path, formats: tuple[str, ...] = FORMATS) -> str:
    """The format of an existing, non-empty file, as its suffix in lower case. Raises UserError."""
    require_way(path)
    if path.is_dir():
        raise UserError(f"data.path={path}: is a folder without CSV files; data=stream reads one of Parquet files")
    if path.is_symlink() and not path.exists():
        raise UserError(f"data.path={path}: is a link that leads to no file")
    if not path.exists():
        near = nearest(path.name, [p.name for p in path.parent.iterdir()]) if path.parent.is_dir() else ""
        raise UserError(f"data.path={path}: there is no such file{near}")
    if not path.is_file():  # opening a pipe would wait for whoever writes into it
        raise UserError(
            f"data.path={path}: is a pipe or a device; a table is read more than once, so it must be a file"
        )
    suffix = ending(path)
    if suffix not in formats:
        raise UserError(f"data.path={path}: its ending must be one of {', '.join(formats)}")
    if path.stat().st_size == 0:
        raise UserError(f"data.path={path}: the file is empty")
    return suffix


def require_way(path: Path) -> None:
    """Raise UserError where a folder above a file may not be entered, so that nothing can be said of the file."""
    try:
        path.stat()
    except PermissionError:
        raise UserError(f"data.path={path}: no permission for a folder above it; change the permissions") from None
    except (OSError, ValueError):
        pass  # `checked` says what is wrong with it


def stamp(path: Path) -> tuple[int, int]:
    """What changes when a file does: its size and its time in nanoseconds. Raises DataChanged when it has gone."""
    try:
        about = path.stat()
    except FileNotFoundError:
        raise changed(path) from None
    return about.st_size, about.st_mtime_ns


def changed(path: Path) -> DataChanged:
    what = "the file changed while it was read; wait until it is written" if path.exists() else "the file has gone"
    return DataChanged(f"data.path={path}: {what}, and run again")


def unreadable(path: Path, error: Exception) -> UserError:
    """What a library says of a file that it can't read, as one line with what it most likely means."""
    if isinstance(error, PermissionError):
        return UserError(f"data.path={path}: no permission to read it; change its permissions")
    reason = FURTHER.split(one_line(error))[0][:LONGEST].rstrip(" :;.")
    means = next((means for said, means in MEANS.items() if re.search(said, reason)), None)
    why = f": {means}" if means else f", it may be cut off or damaged: {reason}"
    return UserError(f"data.path={path}: cannot be read as {ending(path)[1:]}{why}")
