"""A curve with a band around it, and that of some runs' losses over the epochs."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from experiments.comparison.curves import curve_of, in_packs
from experiments.comparison.groups.bands import around
from experiments.comparison.groups.repeats import LOST, Repeats
from experiments.comparison.groups.table import Grouping
from experiments.errors import one_line

POINTS = 300
"""Epochs of a mean curve at most."""
Array = np.ndarray


@dataclass(frozen=True)
class Curve:
    """Each (k,): `centre` over `x` with a band from `low` to `high`, and dotted the `expected` value, where there is
    one."""

    x: Array
    centre: Array
    low: Array
    high: Array
    expected: Array | None = None


def mean_curve(part: pl.DataFrame, of: Repeats, by: Grouping, notes: list[str]) -> Curve | None:
    """The centre and the band of the losses of a group's runs; None where no run has any.

    A run that diverged or failed is in no curve. The runs are read at the same epochs, on straight lines between those
    that were logged; one that ended early keeps its last loss.
    """
    nothing = np.zeros(0), np.zeros(0)
    read: dict[str, tuple[Array, Array]] = {}
    for folder, status in sorted(part.select("folder", "status").iter_rows(), key=lambda row: in_packs(row[0])):
        try:
            read[folder] = nothing if status in LOST else curve_of(folder)
        except (OSError, ValueError) as error:
            notes.append(f"{one_line(folder)}: metrics.jsonl: {one_line(error)}; in no curve")
            read[folder] = nothing
    epochs = np.unique(np.concatenate([at for at, _ in read.values()]))
    if not len(epochs):
        return None
    if len(epochs) > POINTS:
        epochs = epochs[np.linspace(0, len(epochs) - 1, POINTS).round().astype(int)]
    found = (read[folder] for folder in part["folder"])
    lines = [np.interp(epochs, at, losses) if len(at) else np.full(len(epochs), np.nan) for at, losses in found]
    return Curve(epochs, *around(of.mean(np.array(lines)), by.statistic, by.band or "std", of.overlap))
