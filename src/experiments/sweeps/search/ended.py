"""The end of a search: its best settings, what each key matters, and the files that say so."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Outcome:
    """Its trials; by their numbers what the best were worth with fresh seeds; the importance of each key."""

    trials: Sequence[FrozenTrial]
    directions: Sequence[Direction]
    objectives: Sequence[str]
    confirmed: Mapping[int, float]
    importance: Mapping[str, float]

    def row(self, trial: FrozenTrial) -> dict[str, Any]:
        """Number, parameters and values of a trial."""
        values = trial.values or [None] * len(self.objectives)
        return {"trial": trial.number, **trial.params, **dict(zip(self.objectives, values, strict=True))}


def show(outcome: Outcome, settings: Search, runs: int) -> None:
    """Print the best settings, of `runs` runs each."""
    best, objectives = ranked(outcome.trials, outcome.directions), outcome.objectives
    best = [t for t in best if all(map(math.isfinite, t.values))] or best
    best = best[: FRONT if len(objectives) > 1 else BEST]
    if not best:
        return
    again = f"with {settings.confirm} fresh seeds"
    keys = dict.fromkeys(key for trial in best for key in trial.params)
    columns = ["trial", *keys, *objectives, *([again] if outcome.confirmed else [])]
    what = f"best {len(best)}" if len(objectives) == 1 else f"Pareto set, {len(best)}"
    repeated = ((settings.seeds, "seeds"), (runs // settings.seeds, "folds"))
    each = " x ".join(f"{count} {noun}" for count, noun in repeated if count > 1)
    over = f", {settings.average} of {each}" if each else ""
    title = f"{what} of {len(outcome.trials)} settings by {' and '.join(objectives)}{over}"
    table(Terminal(), title, columns, [{**outcome.row(t), again: outcome.confirmed.get(t.number)} for t in best])
    if outcome.importance:
        said = ", ".join(f"{key} {share:.0%}" for key, share in outcome.importance.items())
        Terminal().print(f"importance: {said}", markup=False, soft_wrap=True)


def write(outcome: Outcome, folder: Path, average: str, names: Mapping[int, str]) -> None:
    """study.csv, a row a trial, and search.json: the winner, the job that `best` means, and the importances.

    The winner is the setting whose value was confirmed best. `average`: how its runs were; `names`: the folder of a
    trial's first job.
    """
    again = outcome.confirmed.get
    rows = [
        {**outcome.row(t), "confirmed": again(t.number), "status": t.state.name.lower()} for t in outcome.trials
    ]  # fmt: skip
    jobs_table.write_csv(folder / "study.csv", rows)
    if best := ranked(outcome.trials, outcome.directions):
        sign = -1 if outcome.directions[0] == "maximize" else 1
        worth = {number: sign * value for number, value in outcome.confirmed.items()}
        winner = min(best, key=lambda t: worth.get(t.number, math.inf))
        found = dict(zip(outcome.objectives, winner.values, strict=True))
        content = {
            "best": names[winner.number], "trial": winner.number, "parameters": winner.params, "found": found,
            "average": average, "confirmed": again(winner.number), "importance": outcome.importance,
        }  # fmt: skip
        write_atomically(folder / SEARCH, json_bytes(content))
