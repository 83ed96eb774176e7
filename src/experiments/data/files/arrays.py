"""The arrays of NumPy's files as columns: one array in NPY, any number in NPZ."""

from pathlib import Path

import numpy as np
import polars as pl

from experiments.errors import UserError


def array(path: Path, mapped: bool = False) -> np.ndarray:
    """The array (rows, columns) of an NPY file; structured arrays and other shapes are refused."""
    found = np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)
    if found.ndim != 2 or found.dtype.kind not in "fiub":
        raise UserError(
            f"data.path={path}: holds {found.dtype} of shape {found.shape}; must be numbers of shape (rows, columns)"
        )
    return found


def plain(values: np.ndarray) -> np.ndarray:
    """The array in a type that polars has: long doubles as float64, times of other units in microseconds."""
    kind, unit = values.dtype.kind, np.datetime_data(values.dtype)[0] if values.dtype.kind in "Mm" else ""
    if kind == "f" and values.dtype.itemsize > 8:
        return values.astype(np.float64)
    if (kind == "M" and unit not in ("D", "ms", "us", "ns")) or (kind == "m" and unit not in ("ms", "us", "ns")):
        return values.astype(f"{kind}8[us]")
    return values


def array_names(columns: int) -> list[str]:
    """The names of an array's columns: c1, c2, ..."""
    return [f"c{i + 1}" for i in range(columns)]


def read_arrays(path: Path) -> pl.DataFrame:
    """NPY: columns c1, c2, ...; NPZ: one column an array (rows,), `name1`, `name2`, ... for one (rows, columns)."""
    if path.suffix.lower() == ".npy":
        values = plain(array(path))
        return pl.DataFrame(values, schema=array_names(values.shape[1]), orient="row")
    columns: dict[str, np.ndarray] = {}
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        for name in arrays.files:
            values = plain(arrays[name])
            if values.ndim not in (1, 2) or values.dtype.kind not in "fiubUMm":
                raise UserError(
                    f"data.path={path}: {name} holds {values.dtype} of shape {values.shape}; must be numbers, texts, "
                    "dates or durations of shape (rows,) or (rows, columns)"
                )
            split = values[:, None] if values.ndim == 1 else values
            own = [name] if values.ndim == 1 else [f"{name}{i + 1}" for i in range(values.shape[1])]
            if twice := sorted(columns.keys() & set(own)):
                raise UserError(f"data.path={path}: two columns are called {twice[0]}; rename an array")
            columns |= {column: split[:, i] for i, column in enumerate(own)}
    lengths = {len(v) for v in columns.values()}
    if len(lengths) > 1:
        raise UserError(f"data.path={path}: its arrays have different lengths: {sorted(lengths)}")
    return pl.DataFrame(columns)
