"""The end of a search: its best settings, what each key matters, and the files that say so."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from experiments.config.schema import Search
from experiments.stored.lookup import SEARCH
from experiments.sweeps.results import jobs_table
from experiments.sweeps.results.summary import Terminal, table
from experiments.tracking.files import json_bytes, write_atomically

BEST = 5
FRONT = 20
"""Settings of a Pareto set that are shown."""
ENOUGH = 20
"""Trials from which importances are told: PED-ANOVA looks at the best tenth of them."""
MOST = 2_000
"""Trials from which importances are worked out; of more every second, third, ... is taken."""
ENDED = (TrialState.COMPLETE, TrialState.PRUNED)


def ranked(study: optuna.Study, states: Sequence[TrialState] = (TrialState.COMPLETE,)) -> list[FrozenTrial]:
    """The trials that came to a value, best first, those that went on longer before others.

    Of several objectives the Pareto set, by the first of them.
    """
    several = len(study.directions) > 1
    found = study.best_trials if several else study.get_trials(deepcopy=False, states=tuple(states))
    sign = -1 if study.directions[0] == optuna.study.StudyDirection.MAXIMIZE else 1
    return sorted(found, key=lambda t: (-(t.last_step or float("inf")), sign * t.values[0], t.number))


def importance(study: optuna.Study) -> dict[str, float]:
    """The share of each key in what tells the best tenth of the trials from the others; {} for too few trials.

    PED-ANOVA (Watanabe et al., 2023) of the ranks: losses of runs that diverged or were pruned have no other scale.
    """
    order = ranked(study, ENDED)
    if len(study.directions) > 1 or len(order) < ENOUGH:
        return {}
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances  # imports scikit-learn

    ranks = optuna.create_study()
    ranks.add_trials(
        optuna.create_trial(params=trial.params, distributions=trial.distributions, value=float(rank))
        for rank, trial in list(enumerate(order))[:: -(-len(order) // MOST)]
    )
    found = get_param_importances(ranks, evaluator=PedAnovaImportanceEvaluator())
    return {key: round(share, 4) for key, share in found.items()}


def show(study: optuna.Study, objectives: Sequence[str], settings: Search, confirmed: Mapping[int, float]) -> None:
    """Print the best settings of a study, whose trials ran or were cut off."""
    best = ranked(study)
    best = [t for t in best if all(map(math.isfinite, t.values))] or best
    best = best[: FRONT if len(objectives) > 1 else BEST]
    if not best:
        return
    again = f"with {settings.confirm} fresh seeds"
    rows = [
        {"trial": t.number, **t.params, **dict(zip(objectives, t.values, strict=True)), again: confirmed.get(t.number)}
        for t in best
    ]
    keys = dict.fromkeys(name for row in rows for name in row if name not in (*objectives, again))
    told = sum(trial.state.is_finished() for trial in study.get_trials(deepcopy=False))
    what = f"best {len(best)}" if len(objectives) == 1 else f"Pareto set, {len(best)}"
    over = f", {settings.average} of {settings.seeds} seeds" if settings.seeds > 1 else ""
    columns = [*keys, *objectives, *([again] if confirmed else [])]
    table(Terminal(), f"{what} of {told} settings by {' and '.join(objectives)}{over}", columns, rows)
    if shares := importance(study):
        said = ", ".join(f"{key} {share:.0%}" for key, share in shares.items())
        Terminal().print(f"importance: {said}", markup=False, soft_wrap=True)


def write(
    folder: Path,
    study: optuna.Study,
    objectives: Sequence[str],
    confirmed: Mapping[int, float],
    names: Mapping[int, str],
) -> None:
    """study.csv, a row a trial, and search.json: the winner, the job that `best` means, and the importances.

    The winner is the setting whose value was confirmed best, `names` the folder of a trial's first job.
    """
    sign = -1 if study.directions[0] == optuna.study.StudyDirection.MAXIMIZE else 1
    best = ranked(study)
    best.sort(key=lambda t: sign * confirmed[t.number] if t.number in confirmed else float("inf"))
    rows = [
        {
            "trial": t.number, **t.params, **dict(zip(objectives, t.values or [None] * len(objectives), strict=True)),
            "confirmed": confirmed.get(t.number), "status": t.state.name.lower(),
        }
        for t in study.get_trials(deepcopy=False)
    ]  # fmt: skip
    jobs_table.write_csv(folder / "study.csv", rows)
    if best:
        winner: dict[str, Any] = {
            "best": names[best[0].number], "trial": best[0].number, "parameters": best[0].params,
            "found": dict(zip(objectives, best[0].values, strict=True)), "confirmed": confirmed.get(best[0].number),
        }  # fmt: skip
        write_atomically(folder / SEARCH, json_bytes({**winner, "importance": importance(study)}))
