"""The samplers by their names, Optuna's and Sobol points; the seed decides everything that one proposes."""

import importlib
from typing import Any

import numpy as np
from optuna import samplers
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from experiments.config.schema import Search
from experiments.errors import UserError

POPULATION = 64
"""Settings at most from which CMA-ES learns at a time; a generation may have more."""


class Sobol(samplers.RandomSampler):
    """Scrambled Sobol points, one for each trial by its number, of a space that is known from the start.

    Optuna's own sampler waits for the first trial to end, and makes its sequence anew for each trial.
    """

    def __init__(self, space: dict[str, BaseDistribution], seed: int) -> None:
        from scipy.stats import qmc

        super().__init__(seed)
        self._space = space
        self._engine = qmc.Sobol(len(space), rng=seed)
        self._points = np.empty((0, len(space)))

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return self._space

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        while trial.number >= len(self._points):  # as many again: the points of a Sobol sequence come in powers of two
            more = self._engine.random(max(64, len(self._points)))
            self._points = np.concatenate([self._points, more])
        at = self._points[trial.number].tolist()
        return {name: _value(u, known) for (name, known), u in zip(search_space.items(), at, strict=True)}


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


def sampler_of(settings: Search, seed: int, space: dict[str, BaseDistribution], objectives: int) -> BaseSampler:
    """The sampler that `search.sampler` names. Raises UserError where it lacks a package, or takes one objective."""
    name, seed = settings.sampler, seed % 2**32
    if name == "cmaes":
        if objectives > 1:
            raise UserError("search.sampler=cmaes: takes one objective; for several choose nsga2, tpe, sobol or random")
        _require("cmaes", name)
        size = min(settings.batch, POPULATION)
        return samplers.CmaEsSampler(seed=seed, popsize=size, warn_independent_sampling=False)
    if name == "tpe":
        return samplers.TPESampler(seed=seed)
    if name == "nsga2":
        return samplers.NSGAIISampler(seed=seed, population_size=max(2, settings.batch))
    if name == "random":
        return samplers.RandomSampler(seed=seed)
    _require("scipy", name)
    return Sobol(space, seed)


def _require(package: str, sampler: str) -> None:
    try:
        importlib.import_module(package)
    except ModuleNotFoundError as error:
        raise UserError(f"search.sampler={sampler}: needs {error.name}; pip install 'experiments[search]'") from None
