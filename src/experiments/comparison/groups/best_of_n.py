"""The best of n settings of a search: what a search of n trials would have found, exactly, from the N that there are.

n of the N trials are drawn without replacement, so that the best of them is an order statistic: with the trials in
order, the best first, none of the first i is among the n with the probability C(N - i, n) / C(N, n). No bootstrap is
needed, and the expected value has no bias (R. Tang et al., "Showing Your Work Doesn't Always Work", ACL, 2020).
"""

import numpy as np

from experiments.comparison.groups.mean_curve import Curve

Array = np.ndarray
QUANTILES = (0.5, 0.05, 0.95)
POINTS = 200
"""Values of n at most, evenly on a logarithmic axis."""


def best_of_n(values: Array, lost: int = 0, *, larger: bool = False) -> Curve:
    """Over n the median of the best, what it is at least as good as in 5 and in 95 % of the cases, and its expectation.

    Of a search's finite `values` (N - lost,), and of `lost` trials, which are worse than any of them: NaN where all n
    may be such. `larger`: whether more is better.
    """
    sign = -1.0 if larger else 1.0
    ordered, total = np.sort(sign * np.asarray(values, dtype=float)), len(values) + lost
    n = np.arange(1, total + 1)
    if total > POINTS:
        n = np.unique(np.geomspace(1, total, POINTS).round().astype(int))
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
