"""The rows of a sweep's packs as one table that is read as far as it is asked for."""

from pathlib import Path
from typing import TYPE_CHECKING

from experiments.tracking.pack_files import RESULTS
from experiments.tracking.packed import packs

if TYPE_CHECKING:
    import polars as pl

HIDDEN = ("overrides", "values", "written", "case", "template", "layout")
"""Columns of a pack that its files are made of, besides those called `result.`."""


def scanned(sweep: Path) -> "pl.LazyFrame":
    """The rows of all packs of a sweep, with the columns of results.csv. Raises PolarsError for what is no table."""
    import polars as pl

    kinds: dict[tuple[tuple[str, str], ...], list[Path]] = {}
    for pack in packs(sweep):
        schema = pl.read_parquet_schema(pack / RESULTS)
        shown = [(n, str(k)) for n, k in schema.items() if n not in HIDDEN and not n.startswith("result.")]
        kinds.setdefault(tuple(shown), []).append(pack / RESULTS)
    parts = [
        pl.scan_parquet(paths, extra_columns="ignore", missing_columns="insert").select(name for name, _ in kind)
        for kind, paths in kinds.items()
    ]
    return pl.concat(parts, how="diagonal_relaxed")
