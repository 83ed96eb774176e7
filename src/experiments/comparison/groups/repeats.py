"""What the runs of a group repeat: a setting over seeds or over folds; or they differ in other keys too."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from experiments.comparison.deciding import FOLD, FOLDS, REPEATED, SEED

LOST = ("diverged", "failed")
"""Runs whose metrics are in no mean."""


@dataclass(frozen=True)
class Repeats:
    """`rows`: for each repetition the places of its runs in the group's table. `noun`: seeds, folds or runs.

    `overlap`: as in `bands.estimate`. `lost`: how many runs lack the metric, which are in no repetition.
    """

    rows: list[list[int]]
    noun: str
    overlap: float
    lost: int

    @property
    def words(self) -> str:
        """`10 seeds`, `1 run`, `8 seeds, 2 lost`."""
        count = len(self.rows)
        return f"{count} {self.noun if count != 1 else self.noun[:-1]}{f', {self.lost} lost' if self.lost else ''}"

    def mean(self, values: np.ndarray) -> np.ndarray:
        """The values (n, ...) of the repetitions, from those of the runs (runs, ...): for a fold its seeds' mean."""
        rows = [values[at].mean(axis=0) for at in self.rows]
        return np.stack(rows) if rows else np.empty((0, *values.shape[1:]))


def repeats(part: pl.DataFrame, metric: str, varied: Sequence[str]) -> Repeats:
    """The repetitions in a group: a table with the keys that vary, status and metric."""
    bad = pl.col("status").is_in(LOST) | ~pl.col(metric).cast(pl.Float64).is_finite().fill_null(False)
    kept = part.with_row_index("_at").filter(~bad)
    own = [key for key in varied if part[key].n_unique() > 1]
    lost, places = part.height - kept.height, kept["_at"].to_list()
    if FOLD in own and not set(own) - set(REPEATED) and FOLDS in part.columns and not kept[FOLD].null_count():
        of_fold: dict[int, list[int]] = {}
        for fold, at in kept.select(FOLD, "_at").iter_rows():
            of_fold.setdefault(int(fold), []).append(at)
        return Repeats(list(of_fold.values()), "folds", 1 / (int(part[FOLDS][0]) - 1), lost)
    seeds = own == [SEED] or (part.height == 1 and SEED in varied)
    return Repeats([[at] for at in places], "seeds" if seeds else "runs", 0.0, lost)
