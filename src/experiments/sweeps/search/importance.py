"""How much each key of a search matters: PED-ANOVA with one grid a key.

Watanabe, Bansal and Hutter, PED-ANOVA (2023), arXiv 2304.10255. The numbers are those of Optuna's evaluator, whose
import of scikit-learn takes a second.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial

TOP = 0.1
"""The share of the trials that are told from all."""
STEPS = 50
"""Points of a grid at most."""
LEAST = 1e-12


def shares(best_first: Sequence[FrozenTrial]) -> dict[str, float]:
    """The share of each key in what tells the best tenth of the trials from all of them; they add up to 1."""
    top = best_first[: math.ceil(TOP * len(best_first))]
    known: dict[str, BaseDistribution] = {}
    for trial in best_first:
        known |= {key: its for key, its in trial.distributions.items() if key not in known}
    known = {key: its for key, its in known.items() if not its.single()}
    found = {}
    for key, its in known.items():
        values, best = ([t.params[key] for t in trials if key in t.params] for trials in (best_first, top))
        weight = (len(best) / len(top)) ** 2 / (len(values) / len(best_first))  # of keys that not every trial has
        found[key] = weight * _divergence(_density(best, its), _density(values, its)) if best else 0.0
    whole = sum(found.values()) or 1.0
    return dict(sorted(((key, value / whole) for key, value in found.items()), key=lambda item: -item[1]))


def _divergence(top: np.ndarray, every: np.ndarray) -> float:
    """Pearson's, of two densities on one grid."""
    every = every + LEAST
    return float(every @ ((top + LEAST) / every - 1) ** 2)


def _density(values: Sequence[Any], known: BaseDistribution) -> np.ndarray:
    """The Parzen estimate of values on their grid, a kernel for each point that has values and a flat prior."""
    counts = _counts(values, known)
    at = np.flatnonzero(counts)
    weights = np.append(counts[at], 1.0) / (counts.sum() + 1)
    if isinstance(known, CategoricalDistribution):
        kernels = np.full((len(at) + 1, len(counts)), 1 / (len(at) + 1))
        kernels[np.arange(len(at)), at] += 1
        kernels /= kernels.sum(axis=1, keepdims=True)
    else:
        centers = np.append(at, (len(counts) - 1) / 2)
        kernels = _normal(centers, np.append(np.full(len(at), _bandwidth(at, counts[at])), len(counts)), len(counts))
    return weights @ kernels


def _counts(values: Sequence[Any], known: BaseDistribution) -> np.ndarray:
    """How many of the values are nearest to each point of the grid."""
    if isinstance(known, CategoricalDistribution):
        return np.bincount([known.choices.index(v) for v in values], minlength=len(known.choices))
    assert isinstance(known, IntDistribution | FloatDistribution)
    steps, scale = STEPS, np.log if known.log else np.asarray
    if isinstance(known, IntDistribution) and known.log:
        steps = min(steps, math.ceil(math.log2(known.high - known.low + 1)) + 1)
    elif known.step is not None:
        steps = min(steps, round((known.high - known.low) / known.step) + 1)
    low, high = float(scale(known.low)), float(scale(known.high))
    nearest = np.ceil((scale(values) - low) / (high - low) * (steps - 1) - 0.5).astype(int)
    return np.bincount(nearest.clip(0, steps - 1), minlength=steps)


def _bandwidth(at: np.ndarray, counts: np.ndarray) -> float:
    """Scott's rule, from the smaller of the standard deviation and the quartiles' distance."""
    total, passed = counts.sum(), np.cumsum(counts)
    mean = at @ counts / total
    deviation = math.sqrt((at - mean) ** 2 @ counts / max(1, total - 1))
    low = at[np.searchsorted(passed, total // 4, side="left")]
    high = at[min(len(at) - 1, np.searchsorted(passed, total * 3 // 4, side="right"))]
    return max(1.059 * min((high - low) / 1.34, deviation) * total**-0.2, 0.5 / 1.64)


def _normal(centers: np.ndarray, widths: np.ndarray, points: int) -> np.ndarray:
    """Normal kernels as shares of the grid's cells, (K, points)."""
    edges = (np.arange(points + 1) - 0.5 - centers[:, None]) / widths[:, None]
    below = torch.special.ndtr(torch.from_numpy(edges)).numpy()
    return np.diff(below, axis=1) / (below[:, -1:] - below[:, :1])
