"""Importance: the numbers of Optuna's evaluator, for each kind of distribution, and for keys of some trials only."""

import math

import optuna
import pytest

from experiments.sweeps.search.ended import importance, ranked


def _study(count: int) -> optuna.Study:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(count):
        trial = study.ask()
        x, y = trial.suggest_float("x", -1, 1), trial.suggest_float("y", 1e-6, 1, log=True)
        k, n = trial.suggest_int("k", 1, 900, log=True), trial.suggest_float("n", 0, 3, step=0.25)
        c = trial.suggest_categorical("c", ["a", "b", "c"])
        z = trial.suggest_int("z", 0, 200) if c == "a" else 0
        trial.suggest_float("one", 2, 2)
        study.tell(trial, (x - 0.2) ** 2 + math.log(y) ** 2 / 99 + k / 900 + n / 9 + (c == "b") + z / 400)
    return study


def test_importances_are_optunas() -> None:
    study = _study(200)
    evaluator = optuna.importance.PedAnovaImportanceEvaluator()
    theirs = optuna.importance.get_param_importances(study, evaluator=evaluator)
    assert theirs.pop("one") == 0
    found = importance(study.trials, ["minimize"])
    assert found == pytest.approx(theirs, abs=2e-4) and list(found) == list(theirs)


def test_divergence_is_a_bad_value_and_few_trials_say_nothing() -> None:
    study, plain = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0)), optuna.create_study()
    for _ in range(100):
        trial = study.ask()
        x, y = trial.suggest_float("x", -1, 1), trial.suggest_float("y", -1, 1)
        value = x + y / 1000
        told = study.tell(trial, value if x < 0.5 else math.inf)
        plain.add_trial(
            optuna.create_trial(params=told.params, distributions=told.distributions, value=min(told.values[0], 9.0))
        )
    found = importance(study.trials, ["minimize"])
    assert list(found) == ["x", "y"] and found["x"] > 0.9
    evaluator = optuna.importance.PedAnovaImportanceEvaluator()
    assert found == pytest.approx(optuna.importance.get_param_importances(plain, evaluator=evaluator), abs=1e-4)
    assert importance(study.trials[:10], ["minimize"]) == {}
    assert ranked(study.trials, ["maximize"])[0].params["x"] > 0.5
