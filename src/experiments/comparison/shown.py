"""`compare(folders)`: a DataFrame that a notebook shows as the best runs and their loss curves."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from experiments.comparison.choosing import first, ordered
from experiments.comparison.large import Choice
from experiments.comparison.runs_table import METRICS, Runs, collect, per_target
from experiments.errors import UserError
from experiments.stored.folders import OUTPUTS
from experiments.stored.ranking import of_classes

MOST_ROWS = 20
MOST_CURVES = 100
HIDDEN = ("folder", "epochs", "optimum_loss", "gap_relative")


def compare(folders: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] = OUTPUTS) -> "Comparison":
    """The runs below a folder or several as a DataFrame: run, the keys that differ, status, metrics, seconds, folder.

    Runs whose losses do not compare differ in `group`, a column that is there where they do. What can't be read is
    left out with a warning. Raises UserError for a missing folder, or one without runs.
    """
    import warnings

    roots = [folders] if isinstance(folders, str | os.PathLike) else list(folders)
    runs = collect([Path(root) for root in roots], Choice().jobs)
    for note in runs.notes:
        warnings.warn(note, stacklevel=2)
    metrics = (*METRICS, *per_target(runs.table), *of_classes(runs.table.to_dict()))
    kept = ("group", *runs.varied, "status", "epochs", "lr", *metrics, "seconds", "folder")
    apart = runs.table["group"].n_unique() > 1
    table = runs.table.select("run", *dict.fromkeys(name for name in kept if apart or name != "group"))
    return Comparison.of(table, runs)


class Comparison(pl.DataFrame):
    """A polars DataFrame; what is made of it is one without the pictures."""

    _runs: Runs | None = None

    @classmethod
    def of(cls, table: pl.DataFrame, runs: Runs) -> "Comparison":
        """`table`: what is handed out of `runs`."""
        made = cls(table)
        made._runs = runs
        return made

    def _repr_html_(self, *_: Any, **__: Any) -> str:
        if self._runs is None:
            return super()._repr_html_()
        from experiments.comparison.curves import gather  # what draws waits for torch
        from experiments.comparison.picture import figure
        from experiments.stored.exports.html import framed, image, svg, text

        table = ordered(self._runs.table, None, reverse=False)
        best = first(table, MOST_ROWS)
        names = [n for n in self.columns if n not in HIDDEN and best[n].null_count() < best.height]
        said = f"{self.height} runs, best first"
        said += f"; {best.height} of them shown" if best.height < self.height else ""
        body = f'<p style="margin:0 0 6px">{text(said)}</p>{_rows(best, names)}'
        try:
            plots, _notes = gather(self._runs, first(table, MOST_CURVES), predicted=False)
        except (UserError, ValueError, OSError):  # folders that are gone since
            return framed(body)
        drawn = figure(plots, keys=False)
        return framed(body + image(svg(drawn), "loss over the epochs", int(75 * drawn.get_figwidth())))


def _rows(table: pl.DataFrame, names: Sequence[str]) -> str:
    from experiments.stored.exports.html import table_of

    textual = [name for name in names if table[name].dtype == pl.String]
    ordered = [*textual, *(name for name in names if name not in textual)]
    return table_of(ordered, table.select(ordered).iter_rows(), names=len(textual))
