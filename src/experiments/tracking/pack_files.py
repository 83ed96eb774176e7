"""A pack of jobs without folders, in `packs/<k>/` of its sweep; k is the number of its first job.

    results.parquet      a row a job: what results.csv says of it, its overrides and values, and what else of
                         result.json is not the same for all
    curves.parquet       a row a job and logged epoch, see `sweep.curves`
    weights.safetensors  the tensors of model.safetensors, those of all jobs on top of each other
    about.json           what the jobs share: the rest of result.json, the texts of their configs, times

Written whole and renamed: a pack is there, or it is not.
"""

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.errors import UserError
from experiments.tracking.files import json_bytes

if TYPE_CHECKING:
    import numpy as np

PACKS = "packs"
RESULTS, CURVES, WEIGHTS, ABOUT = "results.parquet", "curves.parquet", "weights.safetensors", "about.json"
TEXTS = ("folder", "status", "executed", "config_hash", "error", "values", "written")
"""Columns of text, also where no job has one."""
INTEGERS = ("number", "rung", "epochs", "best_epoch", "steps", "layout", "case", "template")
OVERRIDES = "overrides"
_forked_beside_polars = False


def _note_fork() -> None:
    global _forked_beside_polars
    _forked_beside_polars = "polars" in sys.modules


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_fork)


def tables_can_be_written() -> bool:
    """Whether polars works: not in the fork of a process that may have used it, where it waits for ever."""
    return not _forked_beside_polars


@dataclass
class Contents:
    """What goes into the files of a pack, as plain arrays and lists: any process may make it, and send it."""

    number: int
    """That of its first job."""
    rows: dict[str, list[Any]]
    curves: "dict[str, np.ndarray] | None"
    weights: "dict[str, np.ndarray]"
    about: dict[str, Any]


def write(sweep: Path, pack: Contents) -> None:
    """Add a pack to a sweep's folder. Raises OSError, and UserError in a process where polars does not work."""
    if not tables_can_be_written():
        raise UserError("sweep.keep: this process is a fork beside polars, which then stands still; spawn it instead")
    import polars as pl
    from safetensors.numpy import save_file

    place = sweep / PACKS / str(pack.number)
    temporary = place.with_name(f".{place.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    table(pack.rows).write_parquet(temporary / RESULTS)
    if pack.curves is not None:
        pl.DataFrame(pack.curves).write_parquet(temporary / CURVES)
    save_file(pack.weights, temporary / WEIGHTS)
    (temporary / ABOUT).write_bytes(json_bytes(pack.about))
    for name in os.listdir(temporary):
        with (temporary / name).open("rb") as file:
            os.fsync(file.fileno())
    put(temporary, place)


def put_files(sweep: Path, files: dict[str, bytes]) -> None:
    """Write the packs among files that another process wrote, by their path in the sweep's folder. Raises OSError."""
    for number in {path.split("/")[1] for path in files if path.startswith(f"{PACKS}/")}:
        temporary = sweep / PACKS / f".{number}.tmp"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        for name in (RESULTS, CURVES, WEIGHTS, ABOUT):
            if (content := files.get(f"{PACKS}/{number}/{name}")) is not None:
                (temporary / name).write_bytes(content)
        put(temporary, sweep / PACKS / number)


def put(temporary: Path, place: Path) -> None:
    """Give a whole pack its name; one that is there, of the same jobs or more, was not told of. Raises OSError."""
    if place.exists():
        place.rename(place.with_name(f".{place.name}.old.tmp"))
    temporary.rename(place)
    shutil.rmtree(place.with_name(f".{place.name}.old.tmp"), ignore_errors=True)


def table(rows: dict[str, list[Any]]) -> Any:
    """Columns as a polars DataFrame, each of the type that its name says, the others as they are."""
    import polars as pl

    def series(name: str, values: list[Any]) -> Any:
        if name in INTEGERS:
            return pl.Series(name, values, dtype=pl.Int64)
        if name in TEXTS:
            return pl.Series(name, values, dtype=pl.String)
        if name == OVERRIDES:
            return pl.Series(name, values, dtype=pl.List(pl.String))
        found = pl.Series(name, values, strict=False)
        return found.cast(pl.Float64) if found.dtype == pl.Null else found

    return pl.DataFrame([series(name, values) for name, values in rows.items()])


def remove_unfinished(sweep: Path) -> None:
    """Remove what a killed process left of packs. Only for the sweep's holder."""
    for left in (sweep / PACKS).glob(".*.tmp"):
        shutil.rmtree(left, ignore_errors=True)
