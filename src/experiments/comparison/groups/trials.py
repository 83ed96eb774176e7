"""What the settings that a search proposed came to, also those that were pruned and left no run."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from experiments.comparison.deciding import REPEATED
from experiments.stored.cells import cell
from experiments.stored.lookup import SEARCH
from experiments.stored.ranking import FINISHED

STUDY, CONFIRM = "study.csv", "confirm"


def search_of(folder: str) -> Path | None:
    """The folder of the search that proposed or confirmed a run."""
    above = Path(folder).parent
    return _search(above.parent if above.name == CONFIRM else above)


@lru_cache(maxsize=64)
def _search(folder: Path) -> Path | None:
    return folder if (folder / SEARCH).is_file() else None


def in_study(
    whole: pl.DataFrame, at: dict[str, Any], folders: set[Path], measure: str
) -> tuple[np.ndarray, int] | None:
    """Of the trials in searches' tables that have the values `at` of some keys: what each was worth, (n,), and how many
    came to nothing. None where the tables do not tell, as of a key that the search did not propose.

    `whole`: all runs of the searches.
    """
    values, lost = [np.zeros(0)], 0
    for folder in folders:
        if not (folder / STUDY).is_file():
            return None
        study = pl.read_csv(folder / STUDY, infer_schema_length=None)
        own = whole.filter(pl.col("folder").str.starts_with(f"{folder}/"))
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
    """The same of the searches' runs in a table alone: of each setting the mean over its runs."""
    keys = [key for key in varied if key not in REPEATED]
    ended = part.filter(pl.col("status") != "unfinished").with_columns(
        _search=pl.Series(
            [str(Path(folder).parent) for folder in part.filter(pl.col("status") != "unfinished")["folder"]]
        ),
        _lost=~pl.col("status").is_in(FINISHED) | ~pl.col(measure).cast(pl.Float64).is_finite().fill_null(False),
    )
    proposed = ended.filter(~pl.col("_search").str.ends_with(f"/{CONFIRM}"))
    found = proposed.group_by("_search", *keys, maintain_order=True).agg(pl.col("_lost").any(), pl.col(measure).mean())
    return found.filter(~pl.col("_lost"))[measure].cast(pl.Float64).to_numpy(), int(found["_lost"].sum())
