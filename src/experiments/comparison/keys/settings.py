"""What many settings came to, key by key: the trials of a search with their importances, else the runs themselves."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from experiments.comparison.curves import HEADROOM, PlotData
from experiments.comparison.groups.repeats import LOST
from experiments.comparison.groups.trials import STUDY, objective_of, search_of, trials_of
from experiments.comparison.picture_swept import wide
from experiments.comparison.runs_table import ranked_by
from experiments.comparison.swept import independent
from experiments.stored.cells import cell
from experiments.stored.lookup import SEARCH
from experiments.stored.ranking import larger_is_better
from experiments.tracking.files import read_json

SEVERAL = 3
"""Keys from which runs have parallel coordinates: one is a line, two are a map."""
MOST_LINES = 2_000
TICKS = 5


@dataclass(frozen=True)
class Axis:
    """A column as an axis: `values` (n,) as numbers, of texts the places in `words`; NaN where there is none."""

    name: str
    values: np.ndarray
    words: list[str]
    log: bool

    @property
    def shares(self) -> np.ndarray:
        """How far up the axis each value lies, (n,) from 0 to 1."""
        return self._share(self.values)

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Places on the axis, from 0 to 1, and what stands there."""
        low, high = self._ends
        if self.words:
            return [(float(self._share(np.array(float(k)))), word) for k, word in enumerate(self.words)]
        values = (np.geomspace if self.log else np.linspace)(low, high, TICKS)
        return [(share, f"{v:.3g}") for share, v in zip(np.linspace(0, 1, TICKS).tolist(), values, strict=True)]

    @property
    def _ends(self) -> tuple[float, float]:
        return float(np.nanmin(self.values)), float(np.nanmax(self.values))

    def _share(self, values: np.ndarray) -> np.ndarray:
        scale = np.log if self.log else np.asarray
        low, high = (float(scale(end)) for end in self._ends)
        return (scale(values) - low) / (high - low) if high > low else values * 0 + 0.5


@dataclass(frozen=True)
class Settings:
    """n settings, best first: an axis a key, and one of what they came to; `importance` by keys, of searches alone."""

    title: str
    keys: list[Axis]
    value: Axis
    importance: dict[str, float]

    @property
    def lines(self) -> np.ndarray:
        """The heights (k, keys + 1) of the best settings on the axes side by side, the value's last."""
        return np.stack([axis.shares for axis in (*self.keys, self.value)], axis=1)[:MOST_LINES]

    @property
    def heading(self) -> str:
        """What stands above the lines: of how many settings they are, and how many of these are drawn."""
        best = f", the best {len(self.lines)} drawn" if len(self.lines) < len(self.value.values) else ""
        return f"{self.title}{best}, darkest the best"


def settings_of(plot: PlotData) -> Settings | None:
    """The search that all of the runs are of, else the runs, where SEVERAL keys differ."""
    searches = {search_of(folder) for folder in plot.table["folder"]}
    search = searches.pop() if len(searches) == 1 else None
    if search is not None and (search / STUDY).is_file():
        return _of_search(search)
    measure = ranked_by(plot.table)
    table = plot.table.filter(pl.col(measure).is_finite() & ~pl.col("status").is_in(LOST))
    keys = [key for some in independent(table, plot.varied) for key in some] if table.height > 1 else []
    return _settings(table, keys, measure, {}, "runs") if len(keys) >= SEVERAL else None


def _of_search(folder: Path) -> Settings | None:
    """Its trials, also those that were pruned: these at what they were worth then."""
    said, measure, table = read_json(folder / SEARCH), objective_of(folder), trials_of(folder)
    table = table.filter(pl.col(measure).cast(pl.Float64).is_finite() & (pl.col("status") != "fail"))
    table = table.sort(["status", measure], descending=[False, larger_is_better(measure)])
    keys = list(said["importance"]) or list(said["parameters"])
    return _settings(table, keys, measure, said["importance"], "settings") if table.height > 1 else None


def _settings(
    table: pl.DataFrame, keys: Sequence[str], measure: str, importance: dict[str, float], what: str
) -> Settings:
    values = table[measure].cast(pl.Float64)
    if not larger_is_better(measure):  # what is about to diverge would press the others together
        numbers = values.to_numpy()
        values = values.clip(upper_bound=max(HEADROOM * float(np.median(numbers)), float(numbers.min())))
    axes = [_axis(table[key]) for key in keys if table[key].is_not_null().any()]
    return Settings(f"{table.height} {what}", axes, _axis(values), importance)


def _axis(column: pl.Series) -> Axis:
    if column.dtype.is_numeric():
        values = column.cast(pl.Float64).fill_null(float("nan"))
        return Axis(column.name, values.to_numpy(), [], wide(values.drop_nans()))
    words: list[Any] = column.cast(pl.String).drop_nulls().unique().sort().to_list()
    places = [np.nan if v is None else float(words.index(v)) for v in column.cast(pl.String)]
    return Axis(column.name, np.array(places), [cell(word, 20) for word in words], False)
