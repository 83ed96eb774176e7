"""A file to a polars frame, whatever its format; what is wrong with a file is said in one line, by name."""

import csv
from pathlib import Path

import numpy as np
import polars as pl

from experiments.errors import UserError, nearest, one_line

FORMATS = (".csv", ".tsv", ".parquet", ".arrow", ".feather", ".npy", ".npz")
MISSING = ["", "NA", "N/A", "null", "NULL", "nan", "NaN"]
"""Texts that stand for a missing cell in CSV and TSV."""


def read(path: Path) -> pl.DataFrame:
    """The table in `path`, every column as the file has it. Raises UserError, also when the file changes meanwhile."""
    suffix, before = checked(path), stamp(path)
    try:
        if suffix in (".csv", ".tsv"):
            frame = pl.read_csv(path, separator=header(path)[1], **csv_options())  # type: ignore[arg-type]
        elif suffix == ".parquet":
            frame = pl.read_parquet(path, glob=False)
        elif suffix in (".arrow", ".feather"):
            frame = pl.read_ipc(path)
        else:
            frame = _arrays(path)
    except (pl.exceptions.PolarsError, ValueError, EOFError, OSError) as error:
        if isinstance(error, UserError):
            raise
        raise unreadable(path, error) from error
    if stamp(path) != before:
        raise changed(path)
    if frame.height == 0:
        raise UserError(f"data.path={path}: the table has no rows{' below its header' if suffix == '.csv' else ''}")
    return frame


def csv_options() -> dict[str, object]:
    """How CSV is read: types from all the rows, dates as dates."""
    return {"infer_schema_length": None, "try_parse_dates": True, "null_values": MISSING}


def checked(path: Path, formats: tuple[str, ...] = FORMATS) -> str:
    """The format of an existing, non-empty file, as its suffix in lower case. Raises UserError."""
    if path.is_dir():
        raise UserError(f"data.path={path}: is a folder; data=table reads one file, data=stream a folder of Parquet")
    if not path.exists():
        near = nearest(path.name, [p.name for p in path.parent.iterdir()]) if path.parent.is_dir() else ""
        raise UserError(f"data.path={path}: there is no such file{near}")
    suffix = path.suffix.lower()
    if suffix not in formats:
        raise UserError(f"data.path={path}: its ending must be one of {', '.join(formats)}")
    if path.stat().st_size == 0:
        raise UserError(f"data.path={path}: the file is empty")
    return suffix


def header(path: Path) -> tuple[list[str], str]:
    """Column names of a CSV or TSV file and its separator: a tab, or a semicolon where there is no comma.

    Raises UserError for names that occur twice, which polars would rename without a word.
    """
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        line = file.readline()
        separator = "\t" if path.suffix.lower() == ".tsv" else ";" if ";" in line and "," not in line else ","
        file.seek(0)
        names = next(csv.reader(file, delimiter=separator), [])
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise UserError(f"data.path={path}: two columns are called {twice[0]}; rename one, names must be unique")
    return names, separator


def stamp(path: Path) -> tuple[int, int]:
    """What changes when a file does: its size and its time in nanoseconds."""
    about = path.stat()
    return about.st_size, about.st_mtime_ns


def changed(path: Path) -> UserError:
    return UserError(f"data.path={path}: the file changed while it was read; wait until it is written, and run again")


def unreadable(path: Path, error: Exception) -> UserError:
    reason = one_line(error).split("Consider")[0].rstrip(" :;")
    hint = "a line has more cells than the header" if "more fields" in reason else reason
    return UserError(
        f"data.path={path}: cannot be read as {path.suffix.lower()[1:]}, it may be cut off or damaged: {hint}"
    )


def array(path: Path, mapped: bool = False) -> np.ndarray:
    """The array (rows, columns) of an NPY file; structured arrays and other shapes are refused."""
    found = np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)
    if found.ndim != 2 or found.dtype.kind not in "fiub":
        raise UserError(
            f"data.path={path}: holds {found.dtype} of shape {found.shape}; must be numbers of shape (rows, columns)"
        )
    return found


def array_names(columns: int) -> list[str]:
    """The names of an array's columns: c1, c2, ..."""
    return [f"c{i + 1}" for i in range(columns)]


def _arrays(path: Path) -> pl.DataFrame:
    """NPY: columns c1, c2, ...; NPZ: one column an array (rows,), `name1`, `name2`, ... for one (rows, columns)."""
    if path.suffix.lower() == ".npy":
        values = array(path)
        return pl.DataFrame(values, schema=array_names(values.shape[1]), orient="row")
    columns: dict[str, np.ndarray] = {}
    with np.load(path, allow_pickle=False) as arrays:
        for name in arrays.files:
            values = arrays[name]
            if values.ndim == 1:
                columns[name] = values
            elif values.ndim == 2:
                columns |= {f"{name}{i + 1}": values[:, i] for i in range(values.shape[1])}
            else:
                raise UserError(f"data.path={path}: {name} has {values.ndim} dimensions; must have one or two")
    lengths = {len(v) for v in columns.values()}
    if len(lengths) > 1:
        raise UserError(f"data.path={path}: its arrays have different lengths: {sorted(lengths)}")
    return pl.DataFrame(columns)
