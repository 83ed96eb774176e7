"""What the settings that a search proposed came to, also those that were pruned and left no run."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from experiments.comparison.deciding import REPEATED
from experiments.stored.cells import cell
from experiments.stored.lookup import SEARCH
from experiments.stored.ranking import FINISHED
from experiments.tracking.files import read_json

STUDY, CONFIRM = "study.csv", "confirm"
"""Of a search's folder: the table of its trials, and the folder of its best settings, run once more."""


def search_of(folder: str) -> Path | None:
    """The folder of the search that proposed or confirmed a run."""
    above = Path(folder).parent
    return _search(above.parent if above.name == CONFIRM else above)


@lru_cache(maxsize=64)
def _search(folder: Path) -> Path | None:
    return folder if (folder / SEARCH).is_file() else None


def objective_of(search: Path) -> str:
    """The first of the metrics that a search looked for."""
    return next(iter(read_json(search / SEARCH)["found"]))


def trials_of(search: Path) -> pl.DataFrame:
    """A row a trial: its parameters, what they were worth, and `status`. Raises OSError."""
    return pl.read_csv(search / STUDY, infer_schema_length=None)


def in_study(
    whole: pl.DataFrame, at: Mapping[str, Any], folders: Iterable[str], measure: str
) -> tuple[np.ndarray, int] | None:
    """Of all trials of some runs' searches that have the values `at` of some keys: what each was worth, (n,), and how
    many came to nothing. None where the searches' tables do not tell, as of a key that none proposed.

    `whole`: all runs of the searches.
    """
    values, lost = [np.zeros(0)], 0
    for search in {search_of(folder) for folder in folders}:
        if search is None or not (search / STUDY).is_file():
            return None
        study = trials_of(search)
        own = whole.filter(pl.col("folder").str.starts_with(f"{search}/"))
        if measure not in study.columns or any(own[key].n_unique() > 1 for key in at if key not in study.columns):
            return None
        for key, value in at.items():
            if key in study.columns:
                study = study.filter([cell(v) == cell(value) for v in study[key]])
        worth = study.filter(status="complete")[measure].cast(pl.Float64)
        worth = worth.filter(worth.is_finite())
        values.append(worth.to_numpy())
        lost += study.filter(pl.col("status").is_in(["complete", "pruned", "fail"])).height - len(worth)
    return np.concatenate(values), lost


def in_runs(part: pl.DataFrame, measure: str, varied: Sequence[str]) -> tuple[np.ndarray, int]:
    """The same of the searches' runs in a table alone: of each setting the mean or median, as searched, of its runs."""
    keys = [key for key in varied if key not in REPEATED]
    value = pl.col(measure).cast(pl.Float64)
    bad = ~pl.col("status").is_in(FINISHED) | ~value.is_finite().fill_null(False)
    folders: dict[Path, list[str]] = {}
    for folder in part.filter(pl.col("status") != "unfinished")["folder"]:
        if Path(folder).parent.name != CONFIRM:
            folders.setdefault(Path(folder).parent, []).append(folder)
    values, lost = [np.zeros(0)], 0
    for search, own in folders.items():
        average = value.median() if read_json(search / SEARCH).get("average") == "median" else value.mean()
        runs = part.filter(pl.col("folder").is_in(own))
        worth = (runs.group_by(keys) if keys else runs.group_by(pl.lit(0))).agg(average, bad.any().alias("_lost"))
        values.append(worth.filter(~pl.col("_lost"))[measure].to_numpy())
        lost += int(worth["_lost"].sum())
    return np.concatenate(values), lost
