"""The curve of a group: its runs' mean losses with a band around them, or of a search the best of n settings.

What a search of n trials would have found is known exactly from the N that there are: n of them are drawn without
replacement, so that the best is an order statistic. With the trials in order, the best first, none of the first i is
among the n with the probability C(N - i, n) / C(N, n). No bootstrap is needed, and the expected value has no bias
(R. Tang et al., "Showing Your Work Doesn't Always Work", ACL, 2020).
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from experiments.comparison.curves import curve_of, in_packs
from experiments.comparison.groups.bands import around
from experiments.comparison.groups.repeats import LOST, Repeats
from experiments.comparison.groups.table import Grouping
from experiments.errors import one_line

EPOCHS, TRIALS = 300, 200
"""Points of a curve at most; the latter are even on a logarithmic axis."""
QUANTILES = (0.5, 0.05, 0.95)
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
    if len(epochs) > EPOCHS:
        epochs = epochs[np.linspace(0, len(epochs) - 1, EPOCHS).round().astype(int)]
    found = (read[folder] for folder in part["folder"])
    lines = [np.interp(epochs, at, losses) if len(at) else np.full(len(epochs), np.nan) for at, losses in found]
    return Curve(epochs, *around(of.mean(np.array(lines)), by.statistic, by.band or "std", of.overlap))


def best_of_n(values: Array, lost: int = 0, *, larger: bool = False) -> Curve:
    """Over n the median of the best, what it is at least as good as in 5 and in 95 % of the cases, and its expectation.

    Of a search's finite `values` (N - lost,), and of `lost` trials, which are worse than any of them: NaN where all n
    may be such. `larger`: whether more is better.
    """
    sign = -1.0 if larger else 1.0
    ordered, total = np.sort(sign * np.asarray(values, dtype=float)), len(values) + lost
    n = np.arange(1, total + 1)
    if total > TRIALS:
        n = np.unique(np.geomspace(1, total, TRIALS).round().astype(int))
    found = np.array([_of(ordered, total, int(k)) for k in n]).reshape(-1, 1 + len(QUANTILES))
    return Curve(n, *(sign * found).T)


def _of(ordered: Array, total: int, n: int) -> list[float]:
    """The quantiles of the best of n, and what is expected."""
    worse = _none_of_first(len(ordered), total, n)  # (values + 1,), from 1 down
    expected = float(-np.diff(worse) @ ordered) if worse[-1] == 0 else np.nan
    at = [int(np.argmax(1 - worse[1:] >= q - 1e-9)) if 1 - worse[-1] >= q - 1e-9 else None for q in QUANTILES]
    return [*(np.nan if k is None else float(ordered[k]) for k in at), expected]


def _none_of_first(count: int, total: int, n: int) -> Array:
    """The probability that none of the first i trials is among n of `total`, for i from 0 to `count`."""
    from scipy.special import gammaln

    left = total - np.arange(count + 1)
    some = left >= n
    logs = gammaln(left[some] + 1) - gammaln(left[some] - n + 1) - gammaln(total + 1) + gammaln(total - n + 1)
    return np.concatenate([np.exp(logs), np.zeros((~some).sum())])
