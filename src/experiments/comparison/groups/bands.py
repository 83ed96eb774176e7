"""The centre of some runs' values and a band around it: their spread, the centre's standard error, or its interval.

Means have Student's t, interquartile means Yuen's with a winsorized deviation (K. K. Yuen, "The two-sample trimmed t",
Biometrika, 1974), medians the standard error of Maritz and Jarrett and the interval of `medians`.
"""

import numpy as np

from experiments.comparison.groups.medians import interval
from experiments.errors import UserError

STATISTICS = ("mean", "iqm", "median")
BANDS = {"std": "standard deviation", "sem": "standard error", "interval": "95 % interval"}
LEVEL = 0.95
TRIM = 0.25
"""Share of the values that the interquartile mean leaves out at each end."""
Array = np.ndarray


def centre(values: Array, statistic: str) -> Array:
    """The mean, interquartile mean or median along the first axis of values (n, ...)."""
    if statistic == "median":
        return np.median(values, axis=0)
    cut = int(TRIM * len(values)) if statistic == "iqm" else 0
    return np.sort(values, axis=0)[cut : len(values) - cut].mean(axis=0)


def estimate(values: Array, trim: float, overlap: float = 0.0) -> tuple[Array, Array, int]:
    """The trimmed mean of values (n, ...) along the first axis, n of 2 at least, its standard error, and the degrees
    of freedom.

    `overlap`: what folds, which share rows, add to 1 / n (Nadeau and Bengio).
    """
    ordered = np.sort(values, axis=0)
    cut = int(trim * len(ordered))
    inner = ordered[cut : len(ordered) - cut]
    winsorized = np.clip(ordered, inner[0], inner[-1])
    n, kept = len(ordered), len(inner)
    variance = n * winsorized.var(axis=0) / (kept * (kept - 1))  # of the centre, Yuen's: with none trimmed, the usual
    return inner.mean(axis=0), np.sqrt(variance * (1 + n * overlap)), kept - 1


def for_interval(values: Array, trim: float, overlap: float = 0.0) -> tuple[Array, Array, int]:
    """As `estimate`, of trimmed means with sqrt(n / (n - 1)) times the error: by count the intervals of 4 to 30 values
    then hold the truth in 94.4 to 97.0 of 100 cases, and without it in 93.5 to 96.2.
    """
    middle, error, degrees = estimate(values, trim, overlap)
    return middle, error * np.sqrt(len(values) / (len(values) - 1)) if trim else error, degrees


def around(values: Array, statistic: str, band: str, overlap: float = 0.0) -> tuple[Array, Array, Array]:
    """Centre, low and high, each (...), of values (n, ...); NaN for an end that so few values do not have.

    Raises UserError for the median of folds, which has no band of BANDS but its values' deviation.
    """
    if not len(values):
        nothing = np.full(values.shape[1:], np.nan)
        return nothing, nothing, nothing
    middle = centre(values, statistic)
    if len(values) < 2:
        return middle, middle * np.nan, middle * np.nan
    if band == "std":
        half = values.std(axis=0, ddof=1)
    elif statistic == "median":
        if overlap:
            raise UserError(
                "--statistic median: of folds, which share rows, the mean and the iqm are known; use one of them"
            )
        if band == "interval":
            return middle, *interval(values, LEVEL)
        from scipy.stats.mstats import mjci

        half = np.asarray(mjci(values.reshape(len(values), -1), prob=[0.5], axis=0)).reshape(middle.shape)
    else:
        of = for_interval if band == "interval" else estimate
        _, half, degrees = of(values, TRIM * (statistic == "iqm"), overlap)
        if band == "interval":
            from scipy.special import stdtrit

            half = half * float(stdtrit(degrees, (1 + LEVEL) / 2))
    return middle, middle - half, middle + half
