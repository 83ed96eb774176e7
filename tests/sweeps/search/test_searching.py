"""Whole searches, in this process: what is proposed, what is told, the table, what is refused."""

import csv
import json
import math
import statistics
from pathlib import Path

import optuna
import pytest
from optuna.storages.journal import JournalFileBackend

from experiments.__main__ import main

SEARCH = ["-m", "hydra/sweeper=search", "training.epochs=3", "tracking.tensorboard=false", "search.confirm=0"]
RATE = "optimizer.lr=tag(log,interval(1e-7,1e-3))"
MOMENTUM = "optimizer.momentum=interval(0,0.9)"


def rows(place: str) -> list[dict[str, str]]:
    with (Path(place) / "results.csv").open() as file:
        return list(csv.DictReader(file))


def stored(place: str) -> list[optuna.trial.FrozenTrial]:
    storage = optuna.storages.JournalStorage(JournalFileBackend(f"{place}/study.journal"))
    return optuna.load_study(study_name=None, storage=storage).trials


def test_sobol_points_fill_the_square_and_a_trial_is_worth_the_mean_over_its_seeds(
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = [RATE, MOMENTUM, "search.trials=16", "search.batch=12", "search.seeds=3", "seed=5", "hydra.sweep.dir=a"]
    assert main([*SEARCH, *asked]) == 0
    trials, jobs = stored("a"), rows("a")
    assert [trial.number for trial in trials] == list(range(16))
    assert [int(job["number"]) for job in jobs] == list(range(48))
    across = [(math.log10(t.params["optimizer.lr"]) + 7) / 4 for t in trials]
    up = [t.params["optimizer.momentum"] / 0.9 for t in trials]
    for columns in (1, 2, 4, 8, 16):  # Sobol, 1967: each of sixteen equal boxes has one of sixteen points
        assert len({(int(columns * u), int(16 // columns * v)) for u, v in zip(across, up, strict=True)}) == 16
    for trial in trials:
        runs = jobs[3 * trial.number : 3 * trial.number + 3]
        assert {float(run["optimizer.lr"]) for run in runs} == {trial.params["optimizer.lr"]}
        assert [run["seed"] for run in runs] == ["5", "6", "7"]
        assert trial.value == pytest.approx(statistics.mean(float(run["gap"]) for run in runs), rel=1e-12)
    best = min(trials, key=lambda trial: trial.value or 0.0)
    said = capsys.readouterr().out
    assert "best 5 of 16 settings by gap, mean of 3 seeds" in said
    shown = said.partition("━╇━")[2].partition("│")[2].split("│")
    assert int(shown[0]) == best.number and float(shown[1]) == pytest.approx(best.params["optimizer.lr"], rel=1e-5)


@pytest.mark.parametrize("name", ["random", "tpe", "cmaes"])
def test_a_sampler_proposes_what_it_proposes_to_a_study_that_is_told_the_same(name: str) -> None:
    asked = [RATE, MOMENTUM, f"search.sampler={name}", "search.trials=30", "search.batch=10", "hydra.sweep.dir=a"]
    assert main([*SEARCH, *asked, "search.objectives=[train_loss]"]) == 0
    jobs = rows("a")
    sampler = {
        "random": lambda: optuna.samplers.RandomSampler(seed=0), "tpe": lambda: optuna.samplers.TPESampler(seed=0),
        "cmaes": lambda: optuna.samplers.CmaEsSampler(seed=0, popsize=10),
    }[name]()  # fmt: skip
    study = optuna.create_study(sampler=sampler)
    for _ in range(3):
        generation = [study.ask() for _ in range(10)]
        for trial in generation:
            rate = trial.suggest_float("optimizer.lr", 1e-7, 1e-3, log=True)
            momentum = trial.suggest_float("optimizer.momentum", 0, 0.9)
            job = jobs[trial.number]
            assert (float(job["optimizer.lr"]), float(job["optimizer.momentum"])) == (rate, momentum)
        for trial in generation:
            job = jobs[trial.number]
            study.tell(trial, float("inf") if job["status"] == "diverged" else float(job["train_loss"]))
    assert len(study.trials) == 30


def test_several_objectives_show_the_pareto_set(capsys: pytest.CaptureFixture[str]) -> None:
    asked = [RATE, "training.epochs=1,2,3", "search.trials=20", "search.objectives=[train_loss,steps]"]
    assert main([*SEARCH, *asked, "hydra.sweep.dir=a"]) == 0
    points = [(float(job["train_loss"]), float(job["steps"])) for job in rows("a") if job["status"] == "completed"]
    front = {p for p in points if not any(q != p and q[0] <= p[0] and q[1] <= p[1] for q in points)}
    assert {tuple(trial.values) for trial in stored("a")} >= front
    assert f"Pareto set, {len(front)} of 20 settings by train_loss and steps" in capsys.readouterr().out


def test_what_diverged_is_never_the_best_in_whichever_direction() -> None:
    for direction, best in (("maximize", "1e-06"), ("minimize", "1e-05")):
        asked = ["optimizer.lr=1e-6,1e-5,1e9", f"search.direction={direction}", "search.trials=12"]
        assert main([*SEARCH, *asked, f"hydra.sweep.dir={direction}"]) == 0
        assert "diverged" in {job["status"] for job in rows(direction)}
        assert json.loads(Path(direction, "search.json").read_bytes())["parameters"] == {"optimizer.lr": best}


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ([RATE, "search.sampler=sobel"], "did you mean sobol?"),
        ([RATE, "search.trials=0"], "search.trials=0: must be at least 1"),
        ([RATE, "search.objectives=[gapp]"], "did you mean gap?"),
        (["optimizer.rate=interval(0,1)"], "optimizer.rate: no such key"),
        ([RATE, "search.storage=mysql://h/x"], "search.storage=mysql://h/x: needs MySQLdb; pip install mysqlclient"),
        ([RATE, "search.storage=sqlite:////nowhere/x.db"], "x.db: does not answer as a storage of Optuna"),
        ([RATE, "search.sampler=cmaes", "search.objectives=[gap,steps]"], "takes one objective"),
        ([RATE, "search.objectives=[validation_loss]"], "search.objectives=validation_loss: job 0 has none"),
        (["optimizer.lr=interval(-2,-1)"], "must be above 0"),
        ([RATE, "hydra/launcher=basic"], "leave out hydra/launcher"),
        (
            [RATE, "hydra.launcher.engine=submitit", "hydra.launcher.cluster=local", "hydra.launcher.wait=false"],
            "hydra.launcher.wait=false: a search waits for each generation",
        ),
    ],
)
def test_bad_requests_are_one_line(asked: list[str], reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SEARCH, "search.trials=4", *asked]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ") and reason in said and said.count("\n") == 1


def test_a_search_whose_trials_all_fail_ends_with_the_reason(capsys: pytest.CaptureFixture[str]) -> None:
    asked = [RATE, "data=table", "data.path=none.csv", "search.trials=6", "search.batch=3", "hydra.sweep.dir=a"]
    assert main([*SEARCH, *asked]) == 1
    said = capsys.readouterr().err
    assert "all 3 trials failed, the search ends" in said and "none.csv" in said
    assert len(rows("a")) == 3 and {trial.state.name for trial in stored("a")} == {"FAIL"}


def test_a_dry_run_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SEARCH, RATE, "search.trials=10", "search.batch=4", "sweep.dry_run=true"]) == 0
    assert "10 trials of 1 runs each in 3 generations" in capsys.readouterr().out
    halved = ["search.trials=2000", "search.batch=600", "search.pruner=halving", "sweep.keep=none"]
    assert main([*SEARCH, RATE, *halved, "sweep.dry_run=true"]) == 0
    assert "pack of 600: jobs 0 to 599" in (said := capsys.readouterr().out)  # they are compared, so not parted
    assert "and 0.2 MB in" in said
    assert not list(Path().iterdir())
