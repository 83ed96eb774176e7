"""Whether one setting is better than another: the difference over seeds, its interval, and how many seeds would tell.

Seeds that both settings have are taken in pairs: they share start and batches, so that much of the luck cancels out.
Intervals and p values are scipy's: Student's t for the mean (Welch's for other seeds), Yuen's for the interquartile
mean (K. K. Yuen, "The two-sample trimmed t", Biometrika, 1974), order statistics and the sign test for the median.
The folds of a cross-validation share most of their training rows, so that they spread less than fresh rows would: their
variance is corrected (C. Nadeau and Y. Bengio, "Inference for the Generalization Error", Machine Learning, 2003).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.comparison.groups.bands import LEVEL, TRIM, estimate
from experiments.errors import UserError

SEED, FOLD, FOLDS, SPLIT = "seed", "data.fold", "data.folds", "data.split_seed"
REPEATED = (SEED, FOLD)
"""Keys of which the values repeat a setting."""
MOST_SEEDS = 100_000


@dataclass(frozen=True)
class Decision:
    """What a setting's metric has more than the baseline's: `difference`, its interval `low` to `high`, `p` of none.

    `seeds`: those compared, or folds. `likely`: the probability that the true difference is above zero (a flat prior).
    `more`: further seeds that would decide, at this difference and spread; 0 where it is decided, None where none
    would, and of folds.
    """

    seeds: int
    paired: bool
    difference: float
    low: float
    high: float
    p: float
    likely: float
    more: int | None


@dataclass(frozen=True)
class Fold:
    """A run of a cross-validation, in place of its seed: which of how many folds, dealt out how."""

    fold: int
    folds: int
    split_seed: int
    seed: Any


def repeat(run: Mapping[str, Any]) -> Any:
    """Which repetition of its setting a run is, from its keys: a seed, or a fold with it."""
    if run.get(FOLD) is None:
        return run.get(SEED)
    return Fold(int(run[FOLD]), int(run[FOLDS]), int(run.get(SPLIT) or 0), run.get(SEED))


def decide(values: Mapping[Any, float], baseline: Mapping[Any, float], statistic: str = "mean") -> Decision:
    """Compare the metric of two settings, by what `repeat` gives. Raises UserError for too few."""
    shared = sorted(values.keys() & baseline.keys(), key=str)
    overlap = 0.0
    if folds := [key for key in (*values, *baseline) if isinstance(key, Fold)]:
        values, baseline = (_of_folds({key: of[key] for key in shared}) for of in (values, baseline))
        shared, overlap = sorted(values), 1 / (folds[0].folds - 1)
        if len(shared) < 2 or statistic == "median":
            raise UserError(
                "--statistic median: of folds, which share rows, the mean and the iqm are known; use one of them"
                if len(shared) >= 2
                else "a difference needs two folds that both settings have, of as many data.folds"
            )
    paired = len(shared) >= 2
    ours, theirs = (
        np.array([of[s] for s in shared] if paired else list(of.values()), dtype=float) for of in (values, baseline)
    )
    if min(len(ours), len(theirs)) < 2:
        raise UserError("a difference needs at least two seeds of both settings; sweep seed='range(0,10)'")
    if statistic == "median" and not paired:
        raise UserError("--statistic median: needs seeds that both settings have; use mean or iqm")
    trim = TRIM * (statistic == "iqm")
    found = _median(ours, theirs) if statistic == "median" else _t(ours, theirs, paired, trim, overlap)
    difference, low, high, p, error = found
    likely = p / 2 if difference < 0 else 1 - p / 2
    decided = low > 0 or high < 0
    more = 0 if decided else None if overlap else _further(len(ours), difference, error)
    return Decision(len(ours), paired, difference, low, high, p, likely, more)


def _of_folds(values: Mapping[Fold, float]) -> dict[int, float]:
    """The mean over the seeds of each fold: they share its rows, so that they tell little more than one."""
    found: dict[int, list[float]] = {}
    for key, value in values.items():
        found.setdefault(key.fold, []).append(value)
    return {fold: sum(of) / len(of) for fold, of in found.items()}


def holm(p: Sequence[float]) -> list[float]:
    """p values of several comparisons, corrected so that all of them hold at once (S. Holm, 1979)."""
    order = np.argsort(p)
    corrected = np.empty(len(p))
    corrected[order] = np.maximum.accumulate(np.array(p)[order] * np.arange(len(p), 0, -1)).clip(max=1)
    return corrected.tolist()


Found = tuple[float, float, float, float, float]
"""Difference, low, high, p, standard error."""


def _t(ours: np.ndarray, theirs: np.ndarray, paired: bool, trim: float, overlap: float) -> Found:
    from scipy.special import stdtr, stdtrit  # a third of the time that scipy.stats takes to be imported

    if paired:
        difference, error, degrees = map(float, estimate(ours - theirs, trim, overlap))
    else:
        from scipy import stats

        welch: Any = stats.ttest_ind  # whose stub takes whole numbers for `trim`
        test = welch(ours, theirs, equal_var=False, trim=trim)
        difference, degrees = float(stats.trim_mean(ours, trim) - stats.trim_mean(theirs, trim)), float(test.df)
        error = abs(difference / test.statistic) if test.statistic else 0.0
    if not error or degrees < 1:
        same = float(difference == 0)
        return (difference, *((difference, difference) if degrees >= 1 else (-math.inf, math.inf)), same, error)
    half = float(stdtrit(degrees, (1 + LEVEL) / 2)) * error
    p = float(2 * stdtr(degrees, -abs(difference / error)))
    return difference, difference - half, difference + half, p, error


def _median(ours: np.ndarray, theirs: np.ndarray) -> Found:
    from scipy import stats

    test = stats.quantile_test(ours - theirs, q=0, p=0.5)
    low, high = map(float, test.confidence_interval(LEVEL))
    if math.isnan(low):  # fewer than six pairs: not even the largest and the smallest are so sure
        low, high = -math.inf, math.inf
    return float(np.median(ours - theirs)), low, high, float(test.pvalue), (high - low) / 4


def _further(seeds: int, difference: float, error: float) -> int | None:
    """How many more seeds make the interval as narrow as the difference."""
    from scipy.special import stdtrit

    if not difference or not math.isfinite(error):
        return None
    spread = error * math.sqrt(seeds)
    needed = seeds
    for _ in range(20):
        wanted = math.ceil((float(stdtrit(max(needed - 1, 1), (1 + LEVEL) / 2)) * spread / difference) ** 2)
        if wanted > MOST_SEEDS:
            return None
        needed, before = max(wanted, seeds + 1), needed
        if needed == before:
            break
    return needed - seeds
