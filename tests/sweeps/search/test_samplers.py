"""Sobol points as values of distributions: all within, evenly spread."""

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from scipy import stats

from experiments.sweeps.search.samplers import Sobol

SPACE: dict[str, BaseDistribution] = {
    "x": FloatDistribution(1e-6, 1e-1, log=True), "y": FloatDistribution(0.5, 2.0, step=0.5),
    "z": FloatDistribution(-1, 3), "k": IntDistribution(10, 90, step=20),
    "n": IntDistribution(1, 1000, log=True), "c": CategoricalDistribution(["a", "b", "c"]),
}  # fmt: skip


def test_sobol_points_are_values_of_the_space_spread_evenly() -> None:
    points = Sobol(SPACE, 3)
    trials = [{key: points.suggest(number, key, known) for key, known in SPACE.items()} for number in range(1200)]
    for name, known in SPACE.items():
        assert all(known._contains(known.to_internal_repr(trial[name])) for trial in trials)
    for name, share in (("x", lambda v: np.log(v / 1e-6) / np.log(1e5)), ("z", lambda v: (v + 1) / 4)):
        assert stats.kstest([share(trial[name]) for trial in trials], "uniform").statistic < 0.01
    for name, values in (("y", [0.5, 1, 1.5, 2]), ("k", [10, 30, 50, 70, 90]), ("c", ["a", "b", "c"])):
        counts = [sum(trial[name] == value for trial in trials) for value in values]
        assert sum(counts) == 1200 and max(counts) - min(counts) < 20
    numbers = np.array([trial["n"] for trial in trials])
    assert numbers.min() == 1 and numbers.max() > 980 and abs(np.mean(numbers <= 31) - 0.545) < 0.02
