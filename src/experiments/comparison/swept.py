"""The final metric against what a sweep varied: over one key a line, over two a heat map, over seeds their spread."""

from dataclasses import dataclass
from typing import Any

import polars as pl

from experiments.comparison.runs_table import ranked_by
from experiments.stored.cells import cell

MOST_LINES = 8
"""Lines over one key, one for each combination of the words (optimizer, model); more are averaged over."""
MOST_CELLS = 2_500
"""Cells of a heat map; more settings than that are drawn as points."""
WITHOUT = ("diverged", "failed")
SEEDS = ("seed", "data.split_seed", "data.fold")
"""Keys that are averaged over."""


@dataclass(frozen=True)
class Swept:
    """`table`: a row per setting: the keys of `axes`, `line` (a text), `mean`, `min`, `max`, `runs`, `without`.

    `measure`: the metric's column. `axes`: no key (seeds alone: every run is a row), one (a line) or two (a map).
    `averaged`: the varied keys that a mean is taken over. Runs that diverged or failed are in no mean; `without` counts
    them, and a setting without any other has null for a mean.
    """

    measure: str
    axes: list[str]
    averaged: list[str]
    table: pl.DataFrame
    limit: float | None = None
    """Over rates of full-batch descent: the largest stable one, where the runs agree on it."""

    @property
    def title(self) -> str:
        name = self.measure.replace("_", " ")
        if not self.axes:
            return f"final {name} of {self.table['runs'].sum()} runs"
        over = f", mean over {' and '.join(map(cell, self.averaged))}" if self.averaged else ""
        return f"final {name}{over}"

    @property
    def grid(self) -> bool:
        """True where the settings fill at least a quarter of a map that can be read."""
        cells = self.table[self.axes[0]].n_unique() * self.table[self.axes[1]].n_unique()
        return cells <= MOST_CELLS and 4 * self.table.height >= cells


def sweep_of(table: pl.DataFrame, varied: list[str]) -> Swept | None:
    """The default metric per setting; None when there is nothing to compare."""
    measure = ranked_by(table)
    table = table.filter(pl.col(measure).is_not_null() | pl.col("status").is_in(WITHOUT))
    if table.height < 2 or table[measure].is_null().all():
        return None
    numbers, words = independent(table, varied)
    if len(numbers) >= 2 or (not numbers and len(words) >= 2):
        axes, lines = sorted(numbers or words, key=lambda k: -table[k].n_unique())[:2], []
    else:
        axes = (numbers or words)[:1]
        lines = [k for k in words if k not in axes]
        if lines and table.select(lines).n_unique() > MOST_LINES:
            lines = []
    used = [*axes, *lines]
    good = pl.col(measure).filter(~pl.col("status").is_in(WITHOUT))
    label = pl.concat_str([pl.col(k).cast(pl.String) for k in lines], separator=", ") if lines else pl.lit("")
    counts = [pl.len().alias("runs"), (pl.len() - good.count()).alias("without")]
    measures = [good.mean().alias("mean"), good.min().alias("min"), good.max().alias("max")]
    rows = table.with_columns(label.alias("line"))
    found = rows.group_by([*axes, "line"] if axes else "run").agg(*counts, *measures)
    averaged = [k for k in [*numbers, *words, *(k for k in SEEDS if k in varied)] if k not in used]
    limit = _limit(table) if axes == ["optimizer.lr"] else None
    return Swept(measure, axes, averaged if axes else [], found.sort(["line", *axes] if axes else "run"), limit)


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
