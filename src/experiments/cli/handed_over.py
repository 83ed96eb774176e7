"""Tables that Python hands over: each is kept as one Parquet file, named by its content, as data=table reads it."""

import hashlib
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from experiments.config.quoting import in_quotes
from experiments.data.files.given_rows import frame_of
from experiments.errors import UserError, one_line
from experiments.tracking.files import write_atomically

TABLES = Path("outputs", "tables")


@contextmanager
def overrides(
    data: Any, features: Sequence[str] | None, targets: str | Sequence[str] | None, store: bool = True
) -> Iterator[list[str]]:
    """Keep a table below TABLES, without `store` only meanwhile, and give the overrides that train on it.

    `data`: a frame of polars, pandas or Arrow, a dict of columns, or (X, y), arrays or tensors (n, inputs) and (n,) or
    (n, targets). `features` and `targets` choose among a frame's columns, and name those of (X, y), which are x1, x2
    and y otherwise. Raises UserError, OSError.
    """
    targets = [targets] if isinstance(targets, str) else targets
    if isinstance(data, tuple):
        frame, features, targets = _joined(data, features, targets)
    else:
        frame = _frame(data)
    if not targets:
        raise UserError("data: say which columns are predicted, as targets=['price']")
    content = io.BytesIO()
    try:
        frame.write_parquet(content)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise UserError(f"data: can't be kept as a table: {one_line(error)}") from None
    name = hashlib.sha256(content.getbuffer()).hexdigest()[:16]
    path = (TABLES / f"{name}.parquet").absolute()
    there = path.exists()
    if not there:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content.getvalue())
    words = ["data=table", f"data.path={in_quotes(str(path))}", f"data.targets=[{','.join(map(in_quotes, targets))}]"]
    try:
        yield words + ([f"data.inputs=[{','.join(map(in_quotes, features))}]"] if features else [])
    finally:
        if not store and not there:  # another run may have kept the same table
            path.unlink(missing_ok=True)


def _frame(data: Any) -> pl.DataFrame:
    if not any(hasattr(type(data), name) for name in ("columns", "__arrow_c_stream__", "keys")):
        raise UserError(f"data: a {type(data).__name__} has no names; hand over a frame, a dict of columns, or (X, y)")
    frame, single = frame_of(data, ())
    if single:
        raise UserError("data: a dict of single cells; its columns must be lists or arrays")
    return frame


def _joined(
    data: tuple[Any, ...], features: Sequence[str] | None, targets: Sequence[str] | None
) -> tuple[pl.DataFrame, Sequence[str], Sequence[str]]:
    """(X, y) side by side, and the names of their columns."""
    if len(data) != 2:
        raise UserError(f"data: a tuple of {len(data)}; must be (X, y)")
    parts = []
    for letter, given, names in (("x", data[0], features), ("y", data[1], targets)):
        frame = _frame(given) if hasattr(type(given), "columns") else pl.from_numpy(_columns(letter, given))
        named = names or (frame.columns if hasattr(type(given), "columns") else _numbered(letter, frame.width))
        if len(named) != frame.width:
            raise UserError(f"data: {len(named)} names for the {frame.width} columns of {'Xy'[letter == 'y']}")
        parts.append(frame.rename(dict(zip(frame.columns, named, strict=True))))
    x, y = parts
    if x.height != y.height:
        raise UserError(f"data: X has {x.height} rows, y has {y.height}")
    if both := set(x.columns) & set(y.columns):
        raise UserError(f"data: {one_line(sorted(both)[0])} is a column of X and of y; name them otherwise")
    return pl.concat([x, y], how="horizontal"), x.columns, y.columns


def _columns(letter: str, given: Any) -> np.ndarray:
    array = given.numpy(force=True) if hasattr(given, "numpy") else np.asarray(given)
    if array.ndim not in (1, 2) or (letter == "x" and array.ndim == 1):
        raise UserError(f"data: {'Xy'[letter == 'y']} has the shape {array.shape}; must be (n, columns)")
    return array if array.ndim == 2 else array[:, None]


def _numbered(letter: str, count: int) -> list[str]:
    return [letter] if letter == "y" and count == 1 else [f"{letter}{k + 1}" for k in range(count)]
