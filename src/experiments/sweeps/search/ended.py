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
from experiments.sweeps.search.importance import shares
from experiments.sweeps.search.storage import Direction
from experiments.tracking.files import json_bytes, write_atomically

BEST = 5
FRONT = 20
"""Settings of a Pareto set that are shown."""
ENOUGH = 20
"""Trials from which importances are told: PED-ANOVA looks at the best tenth of them."""
ENDED = (TrialState.COMPLETE, TrialState.PRUNED)


def ranked(
    trials: Sequence[FrozenTrial], directions: Sequence[Direction], states: Sequence[TrialState] = ENDED[:1]
) -> list[FrozenTrial]:
    """The trials that came to a value, best first, those that went on longer before others.

    Of several objectives the Pareto set, by the first of them.
    """
    found = [trial for trial in trials if trial.state in states]
    if len(directions) > 1:
        study = optuna.create_study(directions=list(directions))
        study.add_trials(found)
        found = study.best_trials
    sign = -1 if directions[0] == "maximize" else 1
    return sorted(found, key=lambda t: (-max(t.intermediate_values, default=math.inf), sign * t.values[0], t.number))


def importance(trials: Sequence[FrozenTrial], directions: Sequence[Direction]) -> dict[str, float]:
    """The share of each key in what tells the best tenth of the trials from all; {} for too few, or many objectives."""
    if len(directions) > 1 or len(order := ranked(trials, directions, ENDED)) < ENOUGH:
        return {}
    return {key: round(share, 4) for key, share in shares(order).items()}


def show(
    trials: Sequence[FrozenTrial],
    directions: Sequence[Direction],
    objectives: Sequence[str],
    settings: Search,
    runs: int,
    confirmed: Mapping[int, float],
    shares: Mapping[str, float],
) -> None:
    """Print the best settings of a study, of `runs` runs each, whose trials ran or were cut off.

    `shares`: the importance of its keys.
    """
    best = ranked(trials, directions)
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
    what = f"best {len(best)}" if len(objectives) == 1 else f"Pareto set, {len(best)}"
    folds = runs // settings.seeds
    each = " x ".join(f"{n} {what}" for n, what in ((settings.seeds, "seeds"), (folds, "folds")) if n > 1)
    over = f", {settings.average} of {each}" if each else ""
    columns = [*keys, *objectives, *([again] if confirmed else [])]
    table(Terminal(), f"{what} of {len(trials)} settings by {' and '.join(objectives)}{over}", columns, rows)
    if shares:
        said = ", ".join(f"{key} {share:.0%}" for key, share in shares.items())
        Terminal().print(f"importance: {said}", markup=False, soft_wrap=True)


def write(
    folder: Path,
    trials: Sequence[FrozenTrial],
    directions: Sequence[Direction],
    objectives: Sequence[str],
    confirmed: Mapping[int, float],
    names: Mapping[int, str],
    shares: Mapping[str, float],
) -> None:
    """study.csv, a row a trial, and search.json: the winner, the job that `best` means, and the importances.

    The winner is the setting whose value was confirmed best, `names` the folder of a trial's first job.
    """
    sign = -1 if directions[0] == "maximize" else 1
    best = ranked(trials, directions)
    best.sort(key=lambda t: sign * confirmed[t.number] if t.number in confirmed else float("inf"))
    rows = [
        {
            "trial": t.number, **t.params, **dict(zip(objectives, t.values or [None] * len(objectives), strict=True)),
            "confirmed": confirmed.get(t.number), "status": t.state.name.lower(),
        }
        for t in trials
    ]  # fmt: skip
    jobs_table.write_csv(folder / "study.csv", rows)
    if best:
        winner: dict[str, Any] = {
            "best": names[best[0].number], "trial": best[0].number, "parameters": best[0].params,
            "found": dict(zip(objectives, best[0].values, strict=True)), "confirmed": confirmed.get(best[0].number),
        }  # fmt: skip
        write_atomically(folder / SEARCH, json_bytes({**winner, "importance": shares}))
