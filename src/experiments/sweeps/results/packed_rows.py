"""The table of a sweep whose rows lie in its packs: results.parquet made of them, and read without holding it."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, overload

from experiments.errors import UserError
from experiments.stored.packed_table import scanned
from experiments.sweeps.results.jobs_table import Row, ordered, typed
from experiments.tracking.pack_files import table
from experiments.tracking.packed import packs

if TYPE_CHECKING:
    import polars as pl


class PackedRows(Sequence[Row]):
    """The rows of a results.parquet, read again whenever they are gone through."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def frame(self) -> "pl.DataFrame":
        """The whole table."""
        import polars as pl

        return pl.read_parquet(self.path)

    def __len__(self) -> int:
        return self.frame.height

    def __iter__(self) -> Iterator[Row]:
        return self.frame.iter_rows(named=True)

    @overload
    def __getitem__(self, at: int) -> Row: ...
    @overload
    def __getitem__(self, at: slice) -> list[Row]: ...
    def __getitem__(self, at: int | slice) -> Row | list[Row]:
        return self.frame[at].to_dicts() if isinstance(at, slice) else self.frame.row(at, named=True)


def write(sweep: Path, others: Sequence[Row], varied: Sequence[str]) -> None:
    """results.parquet from a sweep's packs and the rows of jobs with folders. Raises OSError, UserError."""
    import polars as pl

    parts = [scanned(sweep)] if packs(sweep) else []
    if others:
        columns = {name: [r.get(name) for r in others] for name in ordered(name for r in others for name in r)}
        parts.append(table(columns).lazy())
    try:
        rows = pl.concat(parts, how="diagonal_relaxed")
        if rows.select(pl.col("number").is_duplicated().any()).collect().item():  # `unique` takes twice the memory
            rows = rows.unique("number", keep="first")
        whole = rows.sort("number").collect()
        temporary = sweep / ".results.parquet.00000000.tmp"
        typed(whole.select(ordered(["number", "folder", *varied, *whole.columns])), varied).write_parquet(temporary)
        temporary.replace(sweep / "results.parquet")
    except pl.exceptions.PolarsError as error:
        raise UserError(f"{sweep / 'results.parquet'}: can't be made of the packs: {error}") from None
