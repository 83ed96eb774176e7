"""A study that is asked and told by generations: Optuna's own in memory, and its copy in the storage.

The sampler's seed and what it was told decide what it proposes. So a study that is gone on with asks for everything
again and is told what the storage has: the proposals are the same, and so is what comes after them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from experiments.errors import UserError
from experiments.sweeps.search.space import Space
from experiments.sweeps.search.storage import Direction, Kept
from experiments.sweeps.search.unwritten import KEY


@dataclass
class Setting:
    """What a trial tries, and what it came to: a value for each objective, None where none can be had."""

    trial: optuna.Trial
    parameters: dict[str, Any]
    values: list[float] | None = None
    pruned: int | None = None
    """After how many epochs, where a rung ended it."""
    unwritten: dict[str, Any] = field(default_factory=dict)
    """Of its jobs, see `unwritten.kept`."""

    @property
    def number(self) -> int:
        return self.trial.number


class Study:
    """Asks for generations in their order, each of which is told before the next is asked for."""

    def __init__(self, space: Space, sampler: optuna.samplers.BaseSampler, directions: Sequence[Direction]) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.space = space
        self.asked = optuna.create_study(sampler=sampler, directions=list(directions))
        self.kept: Kept | None = None

    def ask(self, count: int) -> list[Setting]:
        """The settings of the next trials. Raises UserError where the storage has others in their place."""
        found = []
        for _ in range(count):
            trial = self.asked.ask()
            found.append(Setting(trial, self.space.ask(trial)))
        return found

    def tell(self, settings: Sequence[Setting]) -> None:
        """Tell what a generation came to, and store it. Raises UserError, Failure, OSError."""
        told = [self._told(setting) for setting in settings]
        if self.kept is not None:
            self.kept.add(told)

    def _told(self, setting: Setting) -> FrozenTrial:
        trial, values = setting.trial, setting.values
        if setting.unwritten:
            trial.set_user_attr(KEY, setting.unwritten)
        if values is None or any(math.isnan(v) for v in values):
            return self.asked.tell(trial, state=TrialState.FAIL)
        if setting.pruned is None:
            return self.asked.tell(trial, values)
        trial.report(values[0], setting.pruned)
        return self.asked.tell(trial, state=TrialState.PRUNED)

    def restore(self, setting: Setting) -> bool:
        """Whether the storage knows what a setting came to, which it then has. Raises UserError for another one."""
        if self.kept is None or setting.number >= len(self.kept.trials):
            return False
        known = self.kept.trials[setting.number]
        if known.params != setting.parameters:
            raise UserError(
                f"the stored study has other parameters: trial {setting.number} is {_words(known.params)} there and "
                f"{_words(setting.parameters)} here; start a search of its own, in another folder"
            )
        setting.values, setting.pruned = known.values, known.last_step
        setting.unwritten = known.user_attrs.get(KEY, {})
        return True


def _words(parameters: dict[str, Any]) -> str:
    return " ".join(f"{key}={value}" for key, value in parameters.items())
