"""A study that is asked and told by generations: Optuna's own in memory for samplers that learn, and the storage.

The sampler's seed and what it was told decide what it proposes. So a study that is gone on with asks for everything
again and is told what the storage has: the proposals are the same, and so is what comes after them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from experiments.errors import UserError
from experiments.sweeps.search.runs import UNWRITTEN
from experiments.sweeps.search.samplers import Sobol, suggested
from experiments.sweeps.search.space import Space
from experiments.sweeps.search.storage import Direction, StoredStudy


@dataclass
class Setting:
    """What a trial tries, and what it came to: a value for each objective, None where none can be had."""

    number: int
    parameters: dict[str, Any]
    trial: optuna.Trial | None = None
    """Optuna's own, which it is told of."""
    values: list[float] | None = None
    pruned: int | None = None
    """After how many epochs, where a rung ended it."""
    unwritten: dict[str, Any] = field(default_factory=dict)
    """Of its jobs, see `runs.unwritten`."""


class Study:
    """Asks for generations in their order, each of which is told before the next is asked for."""

    def __init__(
        self, space: Space, sampler: optuna.samplers.BaseSampler | Sobol, directions: Sequence[Direction]
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.space = space
        self._proposer: Sobol | optuna.Study = (
            sampler if isinstance(sampler, Sobol) else optuna.create_study(sampler=sampler, directions=list(directions))
        )
        self._next = 0
        self.kept: StoredStudy | None = None
        self.trials: list[FrozenTrial] = []
        """What was told."""

    def ask(self, count: int) -> list[Setting]:
        """The settings of the next trials."""
        found = []
        for number in range(self._next, self._next + count):
            if isinstance(self._proposer, Sobol):
                trial, suggest = None, partial(self._proposer.suggest, number)
            else:
                trial = self._proposer.ask()
                suggest = partial(suggested, trial)
            found.append(Setting(number, self.space.ask(suggest), trial))
        self._next += count
        return found

    def tell(self, settings: Sequence[Setting]) -> None:
        """Tell what a generation came to, and store it. Raises UserError, Failure, OSError."""
        now = datetime.now()
        told = [self._told(setting, now) for setting in settings]
        self.trials += told
        if self.kept is not None:
            self.kept.add(told)

    def _told(self, setting: Setting, now: datetime) -> FrozenTrial:
        number, values, pruned, state = setting.number, setting.values, setting.pruned, TrialState.COMPLETE
        if values is None:
            state, values, pruned = TrialState.FAIL, None, None
        elif pruned is not None:
            state = TrialState.PRUNED
        steps = {} if values is None or pruned is None else {pruned: values[0]}
        if setting.trial is not None:
            for epoch, value in steps.items():
                setting.trial.report(value, epoch)
            setting.trial.study.tell(setting.trial, values if state == TrialState.COMPLETE else None, state)
        return FrozenTrial(
            number=number, trial_id=number, state=state, value=None, values=values, params=setting.parameters,
            distributions={key: self.space.distributions[key] for key in setting.parameters}, intermediate_values=steps,
            user_attrs={UNWRITTEN: setting.unwritten} if setting.unwritten else {}, system_attrs={},
            datetime_start=now, datetime_complete=now,
        )  # fmt: skip

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
        setting.unwritten = known.user_attrs.get(UNWRITTEN, {})
        return True


def _words(parameters: dict[str, Any]) -> str:
    return " ".join(f"{key}={value}" for key, value in parameters.items())
