"""What is drawn of groups: mean curves with a band, of searches the best of n, the final metric."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from experiments.comparison.curves import curve_of, in_packs, limits
from experiments.comparison.groups.bands import BANDS, around
from experiments.comparison.groups.best_of import BestOf, best_of
from experiments.comparison.groups.repeats import LOST, repeats
from experiments.comparison.groups.table import Grouping
from experiments.comparison.groups.trials import in_runs, in_study, search_of
from experiments.comparison.printing import headings
from experiments.comparison.runs_table import Runs, ranked_by
from experiments.comparison.swept import Swept, sweep_of
from experiments.errors import one_line
from experiments.stored.cells import cell
from experiments.stored.lookup import SEARCH
from experiments.stored.ranking import larger_is_better
from experiments.tracking.files import read_json

DRAWN = 10
"""Groups that have a curve of their own, the first of the table."""
POINTS = 300
"""Epochs of a mean curve."""
MOST_RUNS = 5_000
"""Runs at most whose curves are read."""
LOWEST = 5
"""How far below the centre a band is followed on a logarithmic axis: it may reach below zero."""
Array = np.ndarray


@dataclass(frozen=True)
class Group:
    """`at`: its values of the keys. `epochs`, `centre`, `low`, `high`: (k,) each, the curve of the training loss over
    `words` (`10 seeds`), k of 0 where there is none. `best_of`: of the trials of a search."""

    at: tuple[Any, ...]
    label: str
    words: str
    epochs: Array
    centre: Array
    low: Array
    high: Array
    best_of: BestOf | None

    @property
    def legend(self) -> str:
        return f"{self.label}: {self.words}"


@dataclass(frozen=True)
class Groups:
    """The first groups of one kind of runs, which compare; `left` further ones are not drawn."""

    name: str
    measure: str
    groups: list[Group]
    left: int
    by: Grouping
    swept: Swept | None
    limits: tuple[float, float]

    @property
    def curves_title(self) -> str:
        return f"training loss, {self.by.statistic} and {BANDS[self.by.band or 'std']}{self._first}"

    @property
    def best_title(self) -> str:
        return f"best {self.measure.replace('_', ' ')} of n trials: median, 5 to 95 %{self._first}"

    @property
    def _first(self) -> str:
        return f"; the first {len(self.groups)} of {len(self.groups) + self.left} groups" if self.left else ""


def gather(runs: Runs, table: pl.DataFrame, shown: pl.DataFrame, by: Grouping) -> tuple[list[Groups], list[str]]:
    """What is drawn of the runs in `table`, in the order of the groups in `shown`; and what could not be.

    A run that diverged or failed is in no curve. The runs of a group are read at the same epochs, on straight lines
    between those that were logged; one that ended early keeps its last loss.
    """
    notes: list[str] = []
    parts = by.parts(table)
    order = list(shown.select(by.keys).iter_rows()) if by.keys else [()]
    apart = by.keys.index("group") if "group" in by.keys else None
    kinds: dict[Any, list[tuple[Any, ...]]] = {}
    for at in order:
        kinds.setdefault("" if apart is None else at[apart], []).append(at)
    return [
        _kind(str(name), runs, {at: parts[at] for at in places}, by, notes) for name, places in kinds.items()
    ], notes


def _kind(name: str, runs: Runs, parts: dict[tuple[Any, ...], pl.DataFrame], by: Grouping, notes: list[str]) -> Groups:
    whole = pl.concat(parts.values())
    measure = _sought(whole)
    drawn = list(parts.items())[:DRAWN]
    searched = all(search_of(folder) is not None for folder in whole["folder"])
    curved = not searched and sum(part.height for _, part in drawn) <= MOST_RUNS
    if not (searched or curved):
        notes.append(f"mean curves are not drawn: of more than {MOST_RUNS} runs (--where, --top)")
    swept = None if searched and by.band is None else sweep_of(whole, runs.varied, by)
    filtered = "group" in by.keys or whole.height < runs.table.height
    groups = [_group(at, part, measure, runs, by, (searched, curved, not filtered), notes) for at, part in drawn]
    edges = [np.concatenate([g.centre, np.maximum(g.low, g.centre / LOWEST), g.high]) for g in groups]
    edges = [edge[np.isfinite(edge)] for edge in edges]
    seen = limits([(edge, edge) for edge in edges], ["completed"] * len(edges), None)
    return Groups(name, measure, groups, len(parts) - len(drawn), by, swept, seen)


def _group(
    at: tuple[Any, ...], part: pl.DataFrame, measure: str, runs: Runs, by: Grouping, kind: tuple[bool, bool, bool],
    notes: list[str],
) -> Group:  # fmt: skip
    """`kind`: whether the runs are of searches, whether their curves are read, whether all runs are there."""
    searched, curved, whole = kind
    told = [(key, value) for key, value in zip(by.keys, at, strict=True) if key != "group"]
    names = headings([key for key, _ in told])
    label = ", ".join(f"{name}={cell(value, 30)}" for name, (_, value) in zip(names, told, strict=True)) or "all runs"
    if searched:
        folders = {folder for name in part["folder"] if (folder := search_of(name)) is not None}
        found = in_study(runs.table, dict(told), folders, measure) if whole else None
        if found is None:
            notes.append(f"{label}: of the searches' trials only those are counted that left a run, and are shown")
        values, lost = found or in_runs(part, measure, runs.varied)
        count = len(values) + lost
        words = f"{count} trial{'s' * (count != 1)}{f', {lost} without a result' if lost else ''}"
        best = best_of(values, lost, larger=larger_is_better(measure)) if len(values) else None
        nothing = np.zeros(0)
        return Group(at, label, words, nothing, nothing, nothing, nothing, best)
    of = repeats(part, measure, runs.varied)
    lines = _curves(part, notes) if curved else (np.zeros(0), np.zeros((part.height, 0)))
    ends = around(of.mean(lines[1]), by.statistic, by.band or "std", of.overlap)
    return Group(at, label, of.words, lines[0], *ends, None)


def _curves(part: pl.DataFrame, notes: list[str]) -> tuple[Array, Array]:
    """The epochs (k,) and the losses (runs, k); NaN of a run without a curve."""
    nothing = np.zeros(0), np.zeros(0)
    read: dict[str, tuple[Array, Array]] = {}
    for folder, status in sorted(part.select("folder", "status").iter_rows(), key=lambda row: in_packs(row[0])):
        try:
            read[folder] = nothing if status in LOST else curve_of(folder)
        except (OSError, ValueError) as error:
            notes.append(f"{one_line(folder)}: metrics.jsonl: {one_line(error)}; in no curve")
            read[folder] = nothing
    found = [read[folder] for folder in part["folder"]]
    epochs = np.unique(np.concatenate([at for at, _ in found]))
    if len(epochs) > POINTS:
        epochs = epochs[np.linspace(0, len(epochs) - 1, POINTS).round().astype(int)]
    lines = [np.interp(epochs, at, losses) if len(at) else np.full(len(epochs), np.nan) for at, losses in found]
    return epochs, np.array(lines).reshape(part.height, len(epochs))


def _sought(table: pl.DataFrame) -> str:
    """What the runs' searches looked for, else the default metric."""
    searches = {search_of(folder) for folder in table["folder"]}
    found = {next(iter(read_json(folder / SEARCH)["found"])) if folder else "" for folder in searches}
    name = found.pop() if len(found) == 1 else ""
    return name if name in table.columns else ranked_by(table)
