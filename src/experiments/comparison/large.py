"""Sweeps of more jobs without folders than are read whole: the first by a metric, or for statistics their tables."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from experiments.comparison.choosing import Choice, column, where
from experiments.comparison.deciding import REPEATED
from experiments.comparison.runs_table import Runs, collect, read, tabulate
from experiments.errors import UserError, one_line
from experiments.stored.folders import NOTHING, everything, find
from experiments.stored.packed_table import scanned
from experiments.stored.ranking import default_metric, larger_is_better
from experiments.tracking import packed

MOST_WHOLE = 20_000
"""Jobs without folders that are all read."""
SHOWN = 1_000
"""Of a larger sweep, where no number is asked for."""


def jobs(choice: Choice, sweep: str, notes: list[str]) -> list[str]:
    """The folders that the jobs of a sweep's packs would have: all of them, or the first that are asked for.

    Their table is read as a stream, in memory bounded by the answer. Raises UserError.
    """
    if (count := packed.count(sweep)) <= MOST_WHOLE:
        return packed.folders(sweep)
    try:
        rows = _table(sweep)
        by = column(choice.sort, rows.collect_schema().names()) if choice.sort else _metric(rows)
        kept = rows if choice.where is None else where(rows, choice.where)
        down = choice.reverse != larger_is_better(by)
        order = kept.sort(by, "number", descending=[down, False], nulls_last=True)
        first = order.head(choice.top or SHOWN).select("number", "folder").collect(engine="streaming")
        names = first.sort("number")["folder"].to_list()  # a pack is read once for all of its jobs
    except pl.exceptions.PolarsError as error:
        raise UserError(f"{one_line(sweep)}: its packs can't be read: {one_line(error)}") from None
    notes.append(
        f"{one_line(sweep)}: {count} jobs without folders, of which the first {len(names)} by {by} are looked at; "
        "results.parquet has all"
    )
    return [f"{sweep}/{name}" for name in names if not Path(sweep, name).exists()]


def of(roots: Sequence[str | Path]) -> list[str]:
    """The large sweeps below some folders."""
    below = [found for root in map(str, roots) if root not in (found := everything(root)).runs]
    return [sweep for found in below for sweep in found.sweeps if packed.count(sweep) > MOST_WHOLE]


def every_run(roots: Sequence[str | Path]) -> Runs:
    """As `collect`, with all jobs of large sweeps, for statistics over keys: of these the tables are read, and the
    files of one job for each kind, which tell what the table does not. Raises UserError.
    """
    large = of(roots)
    if not large:
        return collect(roots)
    notes: list[str] = []
    tables = {sweep: _rows(sweep) for sweep in large}
    known = {sweep: set(table["folder"]) for sweep, table in tables.items()}
    folders = find(roots, notes, lambda sweep: [] if sweep in tables else packed.folders(sweep))
    notes = [note for note in notes if not note.endswith(NOTHING)]
    small = [folder for folder in folders if Path(folder).name not in known.get(str(Path(folder).parent), ())]
    of_kinds = {
        f"{s}/{name}": count for s, t in tables.items() for name, count in _kinds(t).select("folder", "_runs").rows()
    }
    rows = read([*small, *of_kinds], notes)
    runs = tabulate(rows, notes, [of_kinds.get(str(row.folder), 1) for row in rows])
    parts = [runs.table.filter(~pl.col("folder").is_in(list(of_kinds)))]
    parts += [_filled(sweep, table, runs.table) for sweep, table in tables.items()]
    keys = {*runs.varied, *(key for table in tables.values() for key in _keys(table))}
    varied = [name for name in runs.table.columns if name in keys]
    return Runs(pl.concat(parts, how="diagonal_relaxed").select(runs.table.columns), varied, runs.notes)


def _rows(sweep: str) -> pl.DataFrame:
    try:
        return _table(sweep).collect()
    except pl.exceptions.PolarsError as error:
        raise UserError(f"{one_line(sweep)}: its packs can't be read: {one_line(error)}") from None


def _keys(table: pl.DataFrame) -> list[str]:
    """What was swept."""
    return [name for name in table.columns[: table.columns.index("status")] if name not in ("number", "folder")]


def _structural(table: pl.DataFrame) -> list[str]:
    """Those of the keys that other keys, or whether losses compare, may follow from."""
    return [k for k in _keys(table) if ("." not in k or k.startswith(("data.", "loss."))) and k not in REPEATED]


def _kinds(table: pl.DataFrame) -> pl.DataFrame:
    """The first job of each kind, and how many `_runs` it has."""
    structural = _structural(table)
    if not structural:
        return table.head(1).with_columns(_runs=pl.lit(table.height))
    return table.group_by(structural, maintain_order=True).agg(pl.all().first(), pl.len().alias("_runs"))


def _filled(sweep: str, table: pl.DataFrame, runs: pl.DataFrame) -> pl.DataFrame:
    """A large sweep's rows with the group and the keys that those of their kind have in the table of `runs`."""
    structural = _structural(table)
    kinds, inner = _kinds(table).select("folder", *structural), pl.lit(f"{sweep}/") + pl.col("folder")
    keys = ["group", *runs.columns[2 : runs.columns.index("status")], "data_hash"]
    told = runs.select("folder", *(name for name in keys if name not in table.columns))
    kinds = kinds.with_columns(folder=inner).join(told, on="folder", how="left").drop("folder")
    rows = (
        table.join(kinds, on=structural, how="left", nulls_equal=True) if structural else table.join(kinds, how="cross")
    )
    return rows.with_columns(run=pl.col("folder"), folder=inner)


def _table(sweep: str) -> pl.LazyFrame:
    path = Path(sweep, "results.parquet")
    return pl.scan_parquet(path) if path.exists() else scanned(Path(sweep))


def _metric(rows: pl.LazyFrame) -> str:
    """As `ranking.default_metric`, which asks of each run what it has, and these are as few as there are kinds."""
    there = [name for name in ("validation_loss", "gap") if name in rows.collect_schema().names()]
    known = [pl.when(pl.col(name).cast(pl.Float64).is_finite()).then(1.0).alias(name) for name in there]
    return default_metric(rows.select("status", *known).unique().collect(engine="streaming").iter_rows(named=True))
