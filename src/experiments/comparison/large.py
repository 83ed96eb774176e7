"""Sweeps of so many jobs without folders that only those that are asked for are looked at."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from experiments.comparison.choosing import column, where
from experiments.comparison.runs_table import Runs
from experiments.errors import UserError, one_line
from experiments.stored.folders import everything
from experiments.stored.packed_table import scanned
from experiments.stored.ranking import default_metric, larger_is_better
from experiments.tracking import packed

MOST_WHOLE = 20_000
"""Jobs without folders that are all read."""
SHOWN = 1_000
"""Of a larger sweep, where no number is asked for."""


@dataclass(frozen=True)
class Choice:
    """--where, --sort, --reverse and --top: what is asked of the jobs of a large sweep."""

    where: str | None = None
    sort: str | None = None
    reverse: bool = False
    top: int | None = None

    def jobs(self, sweep: str, notes: list[str]) -> list[str]:
        """The folders that the jobs of a sweep's packs would have: all of them, or the first that are asked for.

        Their table is read as a stream, in memory bounded by the answer. Raises UserError.
        """
        if (count := packed.count(sweep)) <= MOST_WHOLE:
            return packed.folders(sweep)
        try:
            rows = _table(sweep)
            by = column(self.sort, rows.collect_schema().names()) if self.sort else _metric(rows)
            kept = rows if self.where is None else where(rows, self.where)
            down = self.reverse != larger_is_better(by)
            order = kept.sort(by, "number", descending=[down, False], nulls_last=True)
            names = order.head(self.top or SHOWN).select("folder").collect(engine="streaming")["folder"].to_list()
        except pl.exceptions.PolarsError as error:
            raise UserError(f"{one_line(sweep)}: its packs can't be read: {one_line(error)}") from None
        notes.append(
            f"{one_line(sweep)}: {count} jobs without folders, of which the first {len(names)} by {by} are looked at; "
            "results.parquet has all"
        )
        return [f"{sweep}/{name}" for name in names if not Path(sweep, name).exists()]


def of(roots: Sequence[str | Path]) -> list[str]:
    """The large sweeps below some folders."""
    return [s for root in roots for s in everything(str(root)).sweeps if packed.count(s) > MOST_WHOLE]


def beside(sweep: str, roots: Sequence[str | Path]) -> str | None:
    """The first run or sweep with jobs below some folders that is no part of a large sweep."""
    for root in roots:
        found = everything(str(root))
        others = [run for run, of in found.runs.items() if of != sweep]
        others += [other for other in found.sweeps if other != sweep and packed.count(other)]
        if others or packed.of_folder(root):
            return others[0] if others else str(root)
    return None


def whole(sweep: str) -> Runs:
    """All rows of a large sweep, for statistics over its keys."""
    table = _table(sweep).with_columns(run=pl.col("folder"), group=pl.lit("")).collect()
    varied = table.columns[: table.columns.index("status")]
    folders = pl.lit(f"{sweep}/") + pl.col("folder")
    return Runs(table.with_columns(folder=folders), [name for name in varied if name not in ("number", "folder")])


def _table(sweep: str) -> pl.LazyFrame:
    path = Path(sweep, "results.parquet")
    return pl.scan_parquet(path) if path.exists() else scanned(Path(sweep))


def _metric(rows: pl.LazyFrame) -> str:
    """As `ranking.default_metric`, which asks of each run what it has, and these are as few as there are kinds."""
    there = [name for name in ("validation_loss", "gap") if name in rows.collect_schema().names()]
    known = [pl.when(pl.col(name).cast(pl.Float64).is_finite()).then(1.0).alias(name) for name in there]
    return default_metric(rows.select("status", *known).unique().collect(engine="streaming").iter_rows(named=True))
