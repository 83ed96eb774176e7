"""The samplers by their names. Each is Optuna's; its seed decides everything that it proposes."""

import importlib
import warnings

from optuna import samplers
from optuna.distributions import BaseDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, QMCSampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from experiments.config.schema import Search
from experiments.errors import UserError

POPULATION = 64
"""Settings at most from which CMA-ES learns at a time; a generation may have more."""


class Sobol(QMCSampler):
    """Scrambled Sobol points of a space that is known from the start; Optuna's own waits for the first trial's."""

    def __init__(self, space: dict[str, BaseDistribution], seed: int) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            super().__init__(scramble=True, seed=seed, warn_independent_sampling=False)
        self._space = space

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return self._space


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
