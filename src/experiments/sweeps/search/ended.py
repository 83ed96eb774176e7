"""What a search shows at its end: the best settings, or the Pareto set of several objectives."""

from collections.abc import Sequence

import optuna
from optuna.trial import FrozenTrial, TrialState

from experiments.config.schema import Search
from experiments.sweeps.summary import Terminal, table

BEST = 5
FRONT = 20
"""Settings of a Pareto set that are shown."""


def ranked(study: optuna.Study) -> list[FrozenTrial]:
    """The trials that came to a value, best first; of several objectives the Pareto set by the first of them."""
    if len(study.directions) > 1:
        found, count = study.best_trials, FRONT
    else:
        found, count = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)), BEST
    sign = -1 if study.directions[0] == optuna.study.StudyDirection.MAXIMIZE else 1
    return sorted(found, key=lambda trial: (sign * trial.values[0], trial.number))[:count]


def show(study: optuna.Study, objectives: Sequence[str], settings: Search) -> None:
    """Print the best settings of a study, whose trials ran or were cut off."""
    best = ranked(study)
    if not best:
        return
    rows = [
        {"trial": trial.number, **trial.params, **dict(zip(objectives, trial.values, strict=True))} for trial in best
    ]
    columns = dict.fromkeys(name for row in rows for name in row if name not in objectives)
    told = sum(trial.state.is_finished() for trial in study.get_trials(deepcopy=False))
    what = f"best {len(best)}" if len(objectives) == 1 else f"Pareto set, {len(best)}"
    over = f", {settings.average} of {settings.seeds} seeds" if settings.seeds > 1 else ""
    table(Terminal(), f"{what} of {told} settings by {' and '.join(objectives)}{over}", [*columns, *objectives], rows)
