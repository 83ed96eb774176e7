"""What Python calls: run, sweep and search, with overrides as on the command line and tables of one's own."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from experiments.cli.application import launch, run_search
from experiments.cli.report import InNotebook
from experiments.config import command_line
from experiments.errors import UserError

if TYPE_CHECKING:
    import polars as pl

    from experiments.stored.answers import LoadedRun, RunResult

MOST_TRIALS = 10
"""Trials of a search that a notebook shows below its winner."""
Names = Sequence[str] | None
"""Names of columns."""


def run(*overrides: str, data: Any = None, features: Names = None, targets: str | Names = None) -> "RunResult":
    """Train one experiment, as `experiments OVERRIDES` does, and return its Result, which knows its exports.

    `data`: a table of your own, see `handed_over.overrides`, which also says what `features` and `targets` are.
    Raises UserError for a request that can't be met, and whatever made a run fail.
    """
    for word in overrides:
        command_line.override(word)
    from experiments.stored.answers import RunResult
    from experiments.tracking.result import Result

    with _with_table(overrides, data, features, targets) as words, InNotebook() as shown:
        came = launch(command_line.read(words), shown.watch, shown.begin)
    return RunResult(**vars(came)) if isinstance(came, Result) else came  # a preset's hydra.mode may make it a sweep


def sweep(*overrides: str, data: Any = None, features: Names = None, targets: str | Names = None) -> "pl.DataFrame":
    """Run a sweep, as `experiments -m OVERRIDES` does, and return its table: one row a job, as in results.csv.

    `data`: as of `run`. Raises UserError for a request that can't be met, and Failure when jobs failed; results.csv
    has them all.
    """
    import polars as pl

    from experiments.sweeps.results.packed_rows import PackedRows

    with _with_table(overrides, data, features, targets) as words:
        rows = launch(command_line.read(["--multirun", *words]))
    return rows.frame if isinstance(rows, PackedRows) else pl.DataFrame(rows, infer_schema_length=None)


class Searched(NamedTuple):
    """What a search came to: `table`, a row a trial as in study.csv, and `best`, the run of the winning setting."""

    table: "pl.DataFrame"
    best: "LoadedRun"
    folder: Path

    def _repr_html_(self) -> str:
        """What a notebook shows: the winner, then the first trials."""
        return self.best._repr_html_() + self.table.head(MOST_TRIALS)._repr_html_()


def search(
    *overrides: str, data: Any = None, features: Names = None, targets: str | Names = None, **settings: Any
) -> Searched:
    """Search as `experiments -m hydra/sweeper=search OVERRIDES` does; `trials=1000` is `search.trials=1000`.

    `data`: as of `run`. Raises UserError for a request that can't be met, and Failure when jobs failed.
    """
    import polars as pl

    from experiments.stored.lookup import SEARCH, load_run
    from experiments.tracking.files import read_json

    with _with_table(overrides, data, features, targets) as words:
        words += [f"search.{k}={v}" for k, v in settings.items()]
        folder = run_search(command_line.read(["--multirun", "hydra/sweeper=search", *words]))
    table = pl.read_csv(folder / "study.csv", infer_schema_length=None)
    return Searched(table, load_run(folder / read_json(folder / SEARCH)["best"]), folder)


@contextmanager
def _with_table(words: Sequence[str], data: Any, features: Names, targets: str | Names) -> Iterator[list[str]]:
    """The overrides, after those for a table that was handed over. Raises UserError."""
    if data is None:
        if features is not None or targets is not None:
            raise UserError("features=, targets=: name the columns of data=, which is not given")
        yield list(words)
        return
    if named := next((w for w in words if w.lstrip("+~").startswith(("data=", "data.path="))), None):
        raise UserError(f"{named}: a table was handed over as data= already; leave one of them out")
    from experiments.cli.handed_over import overrides

    store = not any(word.lstrip("+").lower() == "data.store=false" for word in words)
    with overrides(data, features, targets, store) as chosen:
        yield [*chosen, *words]
