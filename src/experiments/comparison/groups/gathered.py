"""What is drawn of groups: mean curves with a band, of searches the best of n, the final metric."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from experiments.comparison.curves import limits
from experiments.comparison.groups.bands import BANDS
from experiments.comparison.groups.curve import Curve, best_of_n, mean_curve
from experiments.comparison.groups.repeats import repeats
from experiments.comparison.groups.table import Grouping
from experiments.comparison.groups.trials import in_runs, in_study, objective_of, search_of
from experiments.comparison.picture_swept import wide
from experiments.comparison.printing import headings
from experiments.comparison.runs_table import Runs, ranked_by
from experiments.comparison.swept import Swept, sweep_of
from experiments.stored.cells import cell
from experiments.stored.ranking import larger_is_better

DRAWN = 10
"""Groups that have a curve of their own, the first of the table."""
MOST_RUNS = 5_000
"""Runs at most whose curves are read."""
LOWEST = 5
"""How far below the centre a band is followed on a logarithmic axis: it may reach below zero."""
FEW = 20
"""Trials of a search up to which the axis of n is linear."""
Place = tuple[Any, ...]
"""A group's values of the keys."""


@dataclass(frozen=True)
class Group:
    """`legend`: its keys' values and what it is a number of, as `lr=0.1: 10 seeds`; `curve`: None for none."""

    at: Place
    legend: str
    curve: Curve | None


@dataclass(frozen=True)
class Groups:
    """The first groups of one kind of runs, which compare; `left` further ones are not drawn.

    Their curves are training losses over epochs, or where all runs are `searched` the best `measure` of n trials.
    """

    name: str
    measure: str
    searched: bool
    groups: list[Group]
    left: int
    by: Grouping
    swept: Swept | None

    @property
    def curves(self) -> list[Curve]:
        return [group.curve for group in self.groups if group.curve is not None]

    @property
    def title(self) -> str:
        first = f"; the first {len(self.groups)} of {len(self.groups) + self.left} groups" if self.left else ""
        if self.searched:
            return f"best {self.measure.replace('_', ' ')} of n trials: median, 5 to 95 %{first}; dotted: expected"
        return f"training loss, {self.by.statistic} and {BANDS[self.by.band or 'std']}{first}"

    @property
    def labels(self) -> tuple[str, str]:
        """Of the axes of the curves."""
        if self.searched:
            return "n, trials of the search", self.measure.replace("_", " ")
        return "epoch", "loss over all training rows"

    @property
    def logarithmic(self) -> tuple[bool, bool]:
        """Whether the axes of the curves are."""
        if not self.searched:
            return False, True
        values = np.concatenate([part for curve in self.curves for part in (curve.low, curve.high)])
        return max(curve.x[-1] for curve in self.curves) > FEW, wide(pl.Series(values).drop_nans())

    @property
    def limits(self) -> tuple[float, float] | None:
        """Least and largest loss to show; None of searches, of which all is shown."""
        if self.searched:
            return None
        edges = [np.concatenate([c.centre, np.maximum(c.low, c.centre / LOWEST), c.high]) for c in self.curves]
        edges = [edge[np.isfinite(edge)] for edge in edges]
        return limits([(edge, edge) for edge in edges], ["completed"] * len(edges), None)


def gather(runs: Runs, table: pl.DataFrame, shown: pl.DataFrame, by: Grouping) -> tuple[list[Groups], list[str]]:
    """What is drawn of the runs in `table`, in the order of the groups in `shown`; and what could not be."""
    notes: list[str] = []
    parts = by.parts(table)
    order = list(shown.select(by.keys).iter_rows()) if by.keys else [()]
    kinds: dict[str, dict[Place, pl.DataFrame]] = {}
    for at in order:
        name = str(at[by.keys.index("group")]) if "group" in by.keys else ""
        kinds.setdefault(name, {})[at] = parts[at]
    return [_kind(name, runs, of_kind, by, notes) for name, of_kind in kinds.items()], notes


def _kind(name: str, runs: Runs, parts: dict[Place, pl.DataFrame], by: Grouping, notes: list[str]) -> Groups:
    whole, drawn = pl.concat(parts.values()), dict(list(parts.items())[:DRAWN])
    searches = {search_of(folder) for folder in whole["folder"]}
    sought = {objective_of(search) for search in searches if search is not None}
    known = None not in searches and len(sought) == 1 and sought <= set(whole.columns)
    measure, searched = sought.pop() if known else ranked_by(whole), None not in searches
    swept = None if searched and by.band is None else sweep_of(whole, runs.varied, by)
    if searched:
        if by.band is not None:
            notes.append("mean curves are not drawn of a search's runs, but the best of n trials is")
        unfiltered = "group" not in by.keys and whole.height == runs.table.height
        groups = [_of_trials(at, part, measure, runs, by, unfiltered, notes) for at, part in drawn.items()]
    else:
        if not (curved := sum(part.height for part in drawn.values()) <= MOST_RUNS):
            notes.append(f"mean curves are not drawn: of more than {MOST_RUNS} runs (--where, --top)")
        groups = []
        for at, part in drawn.items():
            of = repeats(part, measure, runs.varied)
            curve = mean_curve(part, of, by, notes) if curved else None
            groups.append(Group(at, f"{_label(by, at)}: {of.words}", curve))
    return Groups(name, measure, searched, groups, len(parts) - len(drawn), by, swept)


def _of_trials(
    at: Place, part: pl.DataFrame, measure: str, runs: Runs, by: Grouping, unfiltered: bool, notes: list[str]
) -> Group:
    """A group of searches' runs. Their trials are counted where all runs are there, else the runs."""
    found = None
    if unfiltered:
        told = {key: value for key, value in zip(by.keys, at, strict=True) if key != "group"}
        found = in_study(runs.table, told, part["folder"], measure)
    if found is None:
        notes.append(f"{_label(by, at)}: of the searches' trials only those are counted that left a run, and are shown")
    values, lost = found or in_runs(part, measure, runs.varied)
    count = len(values) + lost
    words = f"{count} trial{'s' * (count != 1)}{f', {lost} without a result' if lost else ''}"
    curve = best_of_n(values, lost, larger=larger_is_better(measure)) if len(values) else None
    return Group(at, f"{_label(by, at)}: {words}", curve)


def _label(by: Grouping, at: Place) -> str:
    told = {key: value for key, value in zip(by.keys, at, strict=True) if key != "group"}
    names = headings(list(told))
    return ", ".join(f"{n}={cell(v, 30)}" for n, v in zip(names, told.values(), strict=True)) or "all runs"
