"""A row for each group of runs: how many, and of each metric the centre with its spread, or with a band around it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from experiments.comparison.choosing import column
from experiments.comparison.deciding import REPEATED
from experiments.comparison.groups.bands import around, centre
from experiments.comparison.groups.repeats import repeats
from experiments.comparison.runs_table import Runs, ranked_by
from experiments.stored.ranking import larger_is_better

GROUPED = ("train_loss", "validation_loss", "gap", "accuracy", "validation_accuracy")
OVER = "over"


@dataclass(frozen=True)
class Grouping:
    """`keys`, columns of the runs, and with the first of them `group` where not all runs compare; what is shown of each
    group: the `statistic`, and the `band` around it, None for deviation, least and largest."""

    keys: list[str]
    statistic: str = "mean"
    band: str | None = None

    def parts(self, table: pl.DataFrame) -> dict[tuple[object, ...], pl.DataFrame]:
        """The groups of a table by the values of the keys; all of it where there is no key."""
        return table.partition_by(self.keys, as_dict=True, maintain_order=True) if self.keys else {(): table}


def grouping(runs: Runs, keys: str | None, statistic: str, band: str | None) -> Grouping:
    """By the keys a,b, else by all that make a setting. Raises UserError."""
    table = runs.table
    named = [k for k in runs.varied if k not in REPEATED] if keys is None else keys.split(",")
    by = list(dict.fromkeys(column(key.strip(), table.columns) for key in named))
    if table["group"].n_unique() > 1 and "group" not in by:
        by.insert(0, "group")
    return Grouping(by, statistic, band)


def grouped(runs: Runs, table: pl.DataFrame, by: Grouping) -> pl.DataFrame:
    """A row per group in the order of the keys, with statistics of each metric that some run has.

    Without a band: runs, diverged ones, the statistic, std (n - 1), min and max over the runs that did not diverge (a
    loss on its way to infinity has no mean worth reading). With one: of what each is a number of, in words, the
    statistic, and the band's low and high end, null for too few.
    """
    metrics = [m for m in GROUPED if m in table.columns and table[m].is_not_null().any()]
    if by.band is not None:
        rows = [_with_band(runs, part, by, dict(zip(by.keys, at, strict=True)), metrics)
                for at, part in by.parts(table).items()]  # fmt: skip
        found = pl.DataFrame(rows, infer_schema_length=None, schema_overrides={k: table.schema[k] for k in by.keys})
        return found.sort(by.keys, nulls_last=True) if by.keys else found
    diverged = pl.col("status") == "diverged"
    measures = [
        summary(pl.col(m).filter(~diverged), kind).alias(f"{m} {kind}")
        for m in metrics
        for kind in (by.statistic, "std", "min", "max")
    ]
    count = [pl.len().alias("runs"), diverged.sum().alias("diverged")]
    return table.group_by(by.keys, maintain_order=True).agg(*count, *measures).sort(by.keys, nulls_last=True)


def best_first(table: pl.DataFrame, grouped_table: pl.DataFrame, by: Grouping) -> pl.DataFrame:
    """The rows of `grouped`, sorted by the default metric of the runs in `table`."""
    metric = ranked_by(table)
    apart = [key for key in by.keys if key == "group"]
    order = [*apart, f"{metric} {by.statistic}"]
    return grouped_table.sort(order, descending=[False] * len(apart) + [larger_is_better(metric)], nulls_last=True)


def _with_band(
    runs: Runs, part: pl.DataFrame, by: Grouping, keys: dict[str, object], metrics: Sequence[str]
) -> dict[str, object]:
    assert by.band is not None
    counted = repeats(part, ranked_by(part), runs.varied)
    row: dict[str, object] = {**keys, OVER: counted.words}
    for metric in metrics:
        own = repeats(part, metric, runs.varied)
        values = own.mean(part[metric].cast(pl.Float64).to_numpy())
        middle, *ends = (float(v) for v in around(values, by.statistic, by.band, own.overlap))
        named = zip((by.statistic, "low", "high"), (middle, *ends), strict=True)
        row |= {f"{metric} {name}": None if np.isnan(v) else v for name, v in named}
    return row


def summary(values: pl.Expr, kind: str) -> pl.Expr:
    """A statistic of values by its name, also `iqm`, in an aggregation of polars."""
    if kind == "iqm":
        return values.drop_nulls().map_batches(
            lambda s: pl.Series([float(centre(s.to_numpy(), "iqm")) if len(s) else None], dtype=pl.Float64),
            returns_scalar=True, return_dtype=pl.Float64,
        )  # fmt: skip
    return getattr(values, kind)()
