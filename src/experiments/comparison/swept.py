"""The final metric against what a sweep varied: over one key a line, over two a heat map, over seeds their spread."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from experiments.comparison.groups.bands import around
from experiments.comparison.groups.repeats import LOST, repeats
from experiments.comparison.groups.table import Grouping, summary
from experiments.comparison.runs_table import ranked_by
from experiments.stored.cells import cell

MOST_LINES = 8
"""Lines over one key, one for each combination of the words (optimizer, model); more are averaged over."""
MOST_CELLS = 2_500
"""Cells of a heat map; more settings than that are drawn as points."""
ENDS = ("centre", "low", "high")
SEEDS = ("seed", "data.split_seed", "data.fold")
"""Keys that are averaged over."""


@dataclass(frozen=True)
class Swept:
    """`table`: a row per setting: the keys of `axes`, `line` (a text), `centre`, `low`, `high`, `runs`, `without`.

    `measure`: the metric's column. `axes`: no key (seeds alone: every run is a row), one (a line) or two (a map).
    `averaged`: the varied keys that the centre, a `statistic`, is taken over. `low` and `high` are the ends of the
    `band`, without one the least and the largest value. Runs that diverged or failed are in no mean; `without` counts
    them, and a setting without any other has null for a centre.
    """

    measure: str
    axes: list[str]
    averaged: list[str]
    table: pl.DataFrame
    limit: float | None = None
    """Over rates of full-batch descent: the largest stable one, where the runs agree on it."""
    statistic: str = "mean"
    band: str | None = None

    @property
    def title(self) -> str:
        name = self.measure.replace("_", " ")
        if not self.axes:
            return f"final {name} of {self.table['runs'].sum()} runs"
        return f"final {name}{f', {self.statistic} over {self._over}' if self.averaged else ''}"

    @property
    def _over(self) -> str:
        """`10 seeds`; `schedule and seed (18 to 20 runs)` where it is not seeds or folds alone."""
        known = (self.table["runs"] - self.table["without"]).to_list()
        low, high = min(known), max(known)
        count = str(high) if low == high else f"{low} to {high}"
        noun = {"seed": "seed", "data.fold": "fold"}.get(" ".join(self.averaged))
        if noun is not None:
            return f"{count} {noun}{'s' * (high != 1)}"
        return f"{' and '.join(map(cell, self.averaged))} ({count} run{'s' * (high != 1)})"

    @property
    def grid(self) -> bool:
        """True where the settings fill at least a quarter of a map that can be read."""
        cells = self.table[self.axes[0]].n_unique() * self.table[self.axes[1]].n_unique()
        return cells <= MOST_CELLS and 4 * self.table.height >= cells


def sweep_of(table: pl.DataFrame, varied: list[str], by: Grouping | None = None) -> Swept | None:
    """The default metric per setting, or over the keys of `by` alone; None when there is nothing to compare."""
    measure, by = ranked_by(table), by or Grouping(varied)
    table = table.filter(pl.col(measure).is_not_null() | pl.col("status").is_in(LOST))
    if table.height < 2 or table[measure].is_null().all():
        return None
    axes, lines = _axes(table, by.keys)
    label = pl.concat_str([pl.col(k).cast(pl.String) for k in lines], separator=", ") if lines else pl.lit("")
    keys, rows = ["line", *axes] if axes else ["run"], table.with_columns(label.alias("line"))
    if by.band is None:
        good = pl.col(measure).filter(~pl.col("status").is_in(LOST))
        counts = [pl.len().alias("runs"), (pl.len() - good.count()).alias("without")]
        ends = zip(ENDS, (by.statistic, "min", "max"), strict=True)
        found = rows.group_by(keys).agg(*counts, *(summary(good, kind).alias(name) for name, kind in ends))
    else:
        found = _with_band(rows, keys, measure, varied, by)
    if not axes and found["centre"].is_null().all():
        return None
    every = [*(key for some in independent(table, varied) for key in some), *(k for k in SEEDS if k in varied)]
    others = [key for key in every if key not in (*axes, *lines)]
    within = rows.group_by(keys).agg(pl.col(others).n_unique()).select(pl.col(others).max())
    averaged = [k for k in others if within[k][0] > 1]  # one that follows from an axis is not averaged over
    limit = _limit(table) if axes == ["optimizer.lr"] else None
    return Swept(measure, axes, averaged if axes else [], found.sort(keys), limit, by.statistic, by.band)


def _axes(table: pl.DataFrame, keys: list[str]) -> tuple[list[str], list[str]]:
    """At most two keys across and up, and those that each line has a value of."""
    numbers, words = independent(table, keys)
    if len(numbers) >= 2 or (not numbers and len(words) >= 2):
        return sorted(numbers or words, key=lambda k: -table[k].n_unique())[:2], []
    axes = (numbers or words)[:1]
    lines = [k for k in words if k not in axes]
    return axes, lines if lines and table.select(lines).n_unique() <= MOST_LINES else []


def _with_band(rows: pl.DataFrame, keys: list[str], measure: str, varied: list[str], by: Grouping) -> pl.DataFrame:
    """The rows of `Swept.table`, with the statistic and the band of `by`."""
    found = []
    for at, part in rows.partition_by(keys, as_dict=True).items():
        of = repeats(part, measure, varied)
        ends = around(of.mean(part[measure].cast(pl.Float64).to_numpy()), by.statistic, by.band or "std", of.overlap)
        named = {name: None if np.isnan(v) else float(v) for name, v in zip(ENDS, ends, strict=True)}
        found.append({**dict(zip(keys, at, strict=True)), "runs": len(of.rows) + of.lost, "without": of.lost, **named})
    kinds = {key: rows.schema[key] for key in keys} | dict.fromkeys(ENDS, pl.Float64())
    return pl.DataFrame(found, schema_overrides=kinds, infer_schema_length=None)


PLAIN: dict[str, tuple[Any, ...]] = {
    "optimizer": ("sgd", "manual_sgd"), "optimizer.momentum": (0,), "optimizer.weight_decay": (0,),
    "training.batch_size": (None,), "schedule": ("constant",),
}  # fmt: skip
"""What runs must have in common for `max_stable_lr` to be the limit of their rates."""


def _limit(table: pl.DataFrame) -> float | None:
    if any(not set(table[key]) <= set(values) for key, values in PLAIN.items() if key in table.columns):
        return None
    limits = table["max_stable_lr"].drop_nulls().unique() if "max_stable_lr" in table.columns else []
    return float(limits[0]) if len(limits) == 1 else None


def independent(table: pl.DataFrame, varied: list[str]) -> tuple[list[str], list[str]]:
    """The swept keys as numbers and as words, without seeds and without keys that only some runs have.

    What follows from a word is no key of its own: Adam's weight decay differs from SGD's because the optimizer does.
    """
    numbers: list[str] = []
    words: list[str] = []
    for key in varied:
        if key in SEEDS or table[key].null_count() or table[key].n_unique() < 2:
            continue
        if any(table.select(word, key).n_unique() == table[word].n_unique() for word in words):
            continue
        (numbers if table.schema[key].is_numeric() else words).append(key)
    return numbers, words
