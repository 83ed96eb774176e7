"""Whether one setting is better than another: the difference over seeds, its interval, and how many seeds would tell.

Seeds that both settings have are taken in pairs: they share start and batches, so that much of the luck cancels out.
The mean and the interquartile mean have Student's t of the pairs' differences, else Welch's, trimmed as Yuen's; the
median has `medians`. docs/comparing.md has how often each interval holds the truth, and the bootstrap's beside it.
The folds of a cross-validation share most of their training rows, so that they spread less than fresh rows would: their
variance is corrected (C. Nadeau and Y. Bengio, "Inference for the Generalization Error", Machine Learning, 2003).
"""

import bisect
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.comparison.groups.bands import LEVEL, TRIM, estimate, for_interval
from experiments.comparison.groups.medians import interval, p_of_zero
from experiments.errors import UserError

SEED, FOLD, FOLDS, SPLIT = "seed", "data.fold", "data.folds", "data.split_seed"
REPEATED = (SEED, FOLD)
"""Keys of which the values repeat a setting."""
MOST_SEEDS = 100_000


@dataclass(frozen=True)
class Decision:
    """A setting's metric less the baseline's: `difference`, its 95 % interval `low` to `high`, and `p` of there being
    none.

    `seeds`: how many were compared, or folds. `likely`: the probability that the true difference is above zero (with a
    flat prior). `more`: how many further seeds would decide it, at this difference and spread; 0 where it is decided,
    None where no number would, and for folds.
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
    difference, low, high, p = map(float, compared(ours, theirs, paired, statistic, overlap))
    likely = p / 2 if difference < 0 else 1 - p / 2
    more = 0 if p < 1 - LEVEL else None if overlap else _further(len(ours), difference, (high - low) / 2)
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


def compared(
    ours: np.ndarray, theirs: np.ndarray, paired: bool, statistic: str, overlap: float = 0.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Difference, low, high and p, each (...), of values (n, ...) and (m, ...), of which n and m are 2 at least.

    `paired`: m is n, and the values belong together. A median needs that. `overlap`: as in `bands.estimate`.
    """
    from scipy.special import stdtr, stdtrit  # a third of the time that scipy.stats takes to be imported

    if statistic == "median":
        values = ours - theirs
        low, high = interval(values, LEVEL)
        low, high = np.nan_to_num(low, nan=-np.inf), np.nan_to_num(high, nan=np.inf)  # of so few nothing is known
        return np.median(values, axis=0), low, high, p_of_zero(values)
    trim = TRIM * (statistic == "iqm")
    if paired:
        difference, error, degrees = for_interval(ours - theirs, trim, overlap)
    else:
        (centre, a, of_a), (other, b, of_b) = estimate(ours, trim), estimate(theirs, trim)
        difference, error = centre - other, np.hypot(a, b)
        share = a**2 / np.where(error, error, 1) ** 2
        degrees = 1 / (share**2 / of_a + (1 - share) ** 2 / of_b)  # Welch's
    half = stdtrit(degrees, (1 + LEVEL) / 2) * error
    p = 2 * stdtr(degrees, -np.abs(difference) / np.where(error, error, 1))
    p = np.where(error, p, difference == 0)  # all alike: nothing is left to chance
    return difference, difference - half, difference + half, p


def _further(seeds: int, difference: float, half: float) -> int | None:
    """How many more seeds make the interval, of half the width `half`, as narrow as the difference."""
    from scipy.special import stdtrit

    def width(n: int) -> float:  # in deviations of one seed
        return float(stdtrit(n - 1, (1 + LEVEL) / 2)) / math.sqrt(n)

    if not difference or not math.isfinite(half):
        return None
    wanted = width(seeds) * abs(difference) / half
    more = bisect.bisect_left(range(MOST_SEEDS), True, 1, key=lambda k: width(seeds + k) < wanted)
    return more if more < MOST_SEEDS else None
