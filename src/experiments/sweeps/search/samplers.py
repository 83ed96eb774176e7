"""The samplers by their names, Optuna's and Sobol points; the seed decides everything that one proposes."""

from importlib.util import find_spec
from typing import Any

import torch
from optuna import samplers
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler
from optuna.trial import Trial
from torch.quasirandom import SobolEngine

from experiments.config.schema import Search
from experiments.errors import UserError

POPULATION = 64
"""Settings at most from which CMA-ES learns at a time; a generation may have more."""


class Sobol:
    """Scrambled Sobol points, one for each trial by its number.

    They depend on no value, so that Optuna's study, which costs more than the training, is neither asked nor told.
    """

    def __init__(self, space: dict[str, BaseDistribution], seed: int) -> None:
        self._place = {key: at for at, key in enumerate(space)}
        self._engine = SobolEngine(len(space), scramble=True, seed=seed)
        self._points: list[list[float]] = []

    def suggest(self, number: int, key: str, known: BaseDistribution) -> Any:
        """The value of a key in trial `number`."""
        while number >= len(self._points):
            self._points += self._engine.draw(1024, dtype=torch.float64).tolist()
        return _value(self._points[number][self._place[key]], known)


def suggested(trial: Trial, key: str, known: BaseDistribution) -> Any:
    """The value of a key that Optuna's sampler proposes."""
    if isinstance(known, FloatDistribution):
        return trial.suggest_float(key, known.low, known.high, step=known.step, log=known.log)
    if isinstance(known, IntDistribution):
        return trial.suggest_int(key, known.low, known.high, step=known.step, log=known.log)
    assert isinstance(known, CategoricalDistribution)
    return trial.suggest_categorical(key, known.choices)


def _value(u: float, known: BaseDistribution) -> Any:
    """The value of a distribution at the share u, 0 <= u < 1, of it."""
    if isinstance(known, CategoricalDistribution):
        return known.choices[int(u * len(known.choices))]
    assert isinstance(known, IntDistribution | FloatDistribution)
    low, high = known.low, known.high
    if known.log:
        ends = (low - 0.5, high + 0.5) if isinstance(known, IntDistribution) else (low, high)
        value = ends[0] * (ends[1] / ends[0]) ** u
        return min(max(round(value), low), high) if isinstance(known, IntDistribution) else min(max(value, low), high)
    if known.step is None:
        return min(low + u * (high - low), high)
    return low + known.step * int(u * (round((high - low) / known.step) + 1))


def sampler_of(settings: Search, seed: int, space: dict[str, BaseDistribution], objectives: int) -> BaseSampler | Sobol:
    """The sampler that `search.sampler` names. Raises UserError where it lacks a package, or takes one objective."""
    name, seed = settings.sampler, seed % 2**32
    if name == "cmaes":
        if objectives > 1:
            raise UserError("search.sampler=cmaes: takes one objective; for several choose nsga2, tpe, sobol or random")
        if find_spec("cmaes") is None:
            raise UserError("search.sampler=cmaes: needs cmaes; pip install 'experiments[search]'")
        size = min(settings.batch, POPULATION)
        return samplers.CmaEsSampler(seed=seed, popsize=size, warn_independent_sampling=False)
    if name == "tpe":
        return samplers.TPESampler(seed=seed)
    if name == "nsga2":
        return samplers.NSGAIISampler(seed=seed, population_size=max(2, settings.batch))
    if name == "random":
        return samplers.RandomSampler(seed=seed)
    return Sobol(space, seed)
