"""A sweeper that is not ours, optuna asked for every next value, under the stacked launcher."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import optuna
import pytest
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper

from experiments.__main__ import main
from experiments.sweeps.compose import config_template

ASKED: list[optuna.Study] = []


class AskingSweeper(Sweeper):
    """Six launches of four jobs each; a rate is asked for, the objective is told."""

    def setup(self, *, hydra_context: Any, task_function: Any, config: Any) -> None:
        self.config = config
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
        ASKED.append(study)
        assert self.launcher is not None
        for batch in range(6):
            trials = [study.ask() for _ in range(4)]
            rates = [trial.suggest_float("lr", 1e-7, 1e-1, log=True) for trial in trials]
            jobs = [(*arguments, f"optimizer.lr={rate}") for rate in rates]
            for trial, done in zip(trials, self.launcher.launch(jobs, initial_job_idx=4 * batch), strict=True):
                study.tell(trial, done.return_value)


@dataclass
class AskingConf:
    _target_: str = "hydra_plugins.asking.AskingSweeper"


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    module = ModuleType("hydra_plugins.asking")
    module.AskingSweeper = AskingSweeper  # type: ignore[attr-defined]  # a module may be given anything
    monkeypatch.setitem(sys.modules, "hydra_plugins.asking", module)
    monkeypatch.setattr(AskingSweeper, "__module__", "hydra_plugins.asking")
    ASKED.clear()
    Plugins.instance().register(AskingSweeper)
    ConfigStore.instance().store(group="hydra/sweeper", name="asking", node=AskingConf)
    yield
    del ConfigStore.instance().repo["hydra"]["sweeper"]["asking.yaml"]


@pytest.mark.usefixtures("plugin")
def test_optuna_finds_a_good_rate_and_every_launch_shares_one_composition(monkeypatch: pytest.MonkeyPatch) -> None:
    composed: list[tuple[str, ...]] = []
    whole = config_template.ConfigTemplate.__init__

    def counted(self: config_template.ConfigTemplate, *rest: Any) -> None:
        composed.append(rest[1])
        whole(self, *rest)

    monkeypatch.setattr(config_template.ConfigTemplate, "__init__", counted)
    arguments = ["-m", "hydra/sweeper=asking", "training.epochs=20", "hydra.sweep.dir=asked"]
    assert main(arguments) == 0
    (study,) = ASKED
    assert len(composed) == 1
    values = [trial.value for trial in study.trials]
    assert len(values) == 24 and float("inf") in values  # a rate of 0.1 diverges
    assert study.best_value < 100 and 1e-6 < study.best_params["lr"] < 2e-4
    rows = Path("asked/results.csv").read_text().splitlines()
    assert len(rows) == 25
    numbers = [int(line.partition(",")[0]) for line in rows[1:]]
    assert numbers == list(range(24))


def test_an_unknown_objective_is_refused_before_anything_is_trained(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-m", "seed=1,2", "sweep.objective=gpa"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: sweep.objective=gpa: ") and "gap" in said and said.count("\n") == 1
    assert not Path("outputs").exists()
