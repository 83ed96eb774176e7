"""`compare(folders)`: a DataFrame that a notebook shows as the best runs and their loss curves."""

import os
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from experiments.comparison.against import against as decided
from experiments.comparison.choosing import Choice, first, ordered
from experiments.comparison.large import every_run, jobs
from experiments.comparison.runs_table import METRICS, Runs, collect, per_target
from experiments.errors import UserError
from experiments.stored.folders import OUTPUTS
from experiments.stored.ranking import of_classes

MOST_ROWS = 20
MOST_CURVES = 100
HIDDEN = ("folder", "epochs", "optimum_loss", "gap_relative")


def compare(
    folders: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] = OUTPUTS, *,
    against: str | os.PathLike[str] | None = None, metric: str | None = None, statistic: str = "mean",
) -> "Comparison":  # fmt: skip
    """The runs below a folder or several as a DataFrame: run, the keys that differ, status, metrics, seconds, folder.

    `against`, `"KEY=VALUE"` or a run's folder, is what the other settings are held against, and the rows are settings,
    as of `experiments compare --against`: keys, seeds, `metric` (by default that of the ranking) by the `statistic`
    (mean, iqm or median), difference with its 95 % interval low to high, p (Holm), the probability of being better, and
    the verdict. Runs whose losses do not compare differ in `group`, a column that is there where they do. What can't be
    read is left out with a warning. Raises UserError for a missing folder, one without runs, or no such baseline.
    """
    import warnings

    roots = [Path(root) for root in ([folders] if isinstance(folders, str | os.PathLike) else folders)]
    if not roots:
        raise UserError("compare: no folder is named")
    runs = collect(roots, partial(jobs, Choice())) if against is None else every_run(roots)
    for note in runs.notes:
        warnings.warn(note, stacklevel=2)
    if against is not None:
        table = decided(runs, runs.table, os.fspath(against), metric, statistic)
        return Comparison.of(table, runs, os.fspath(against))
    if metric is not None or statistic != "mean":
        raise UserError("metric and statistic are of settings, and go with against='KEY=VALUE' or a run's folder")
    metrics = (*METRICS, *per_target(runs.table), *of_classes(runs.table.to_dict()))
    kept = ("group", *runs.varied, "status", "epochs", "lr", *metrics, "seconds", "folder")
    apart = runs.table["group"].n_unique() > 1
    table = runs.table.select("run", *dict.fromkeys(name for name in kept if apart or name != "group"))
    return Comparison.of(table, runs)


class Comparison(pl.DataFrame):
    """A polars DataFrame; what is made of it is one without the pictures."""

    _runs: Runs | None = None
    _baseline: str | None = None

    @classmethod
    def of(cls, table: pl.DataFrame, runs: Runs, baseline: str | None = None) -> "Comparison":
        """`table`: what is handed out of `runs`; `baseline`: what its settings are held against."""
        made = cls(table)
        made._runs, made._baseline = runs, baseline
        return made

    def _repr_html_(self, *_: Any, **__: Any) -> str:
        if self._runs is None:
            return super()._repr_html_()
        from experiments.stored.exports.html import framed, image, svg, text

        if self._baseline is not None:
            said = f"{self.height} settings against {self._baseline}, the best first"
            return framed(f'<p style="margin:0 0 6px">{text(said)}</p>{_rows(self.head(MOST_ROWS), self.columns)}')
        from experiments.comparison.curves import gather  # what draws waits for torch
        from experiments.comparison.picture import figure

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
