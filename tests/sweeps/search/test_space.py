"""Distributions from Hydra's own syntax."""

from functools import partial
from typing import Any

import optuna
import pytest
from hydra.core.global_hydra import GlobalHydra
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from experiments.config import command_line
from experiments.config.composition import hydra_for
from experiments.errors import UserError
from experiments.sweeps.search import space
from experiments.sweeps.search.samplers import suggested


def read(*arguments: str) -> space.Space:
    class Context:
        config_loader: Any = None

    with hydra_for(command_line.read([])):
        Context.config_loader = GlobalHydra.instance().config_loader()
        return space.read(arguments, Context())  # type: ignore[arg-type]  # all that is looked at


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("optimizer.lr=tag(log,interval(1e-6,1e-1))", FloatDistribution(1e-6, 1e-1, log=True)),
        ("optimizer.momentum=interval(0,1)", FloatDistribution(0.0, 1.0)),
        ("training.batch_size=interval(1,15)", IntDistribution(1, 15)),
        ("training.epochs=tag(log,int(interval(10,1000)))", IntDistribution(10, 1000, log=True)),
        ("training.epochs=tag(log,range(10,1001))", IntDistribution(10, 1000, log=True)),
        ("training.epochs=range(10,100,20)", IntDistribution(10, 90, step=20)),
        ("optimizer.momentum=range(0.1,0.5,0.1)", FloatDistribution(0.1, 0.4, step=0.1)),
        ("optimizer=adam,sgd", CategoricalDistribution(["adam", "sgd"])),
        ("model.hidden=choice([4],[8,8])", CategoricalDistribution(["[4]", "[8,8]"])),
        ("training.patience=null,3", CategoricalDistribution(["null", "3"])),
        ("training.epochs=shuffle(range(1,4))", IntDistribution(1, 3)),
    ],
)
def test_hydras_syntax_is_optunas_distribution(override: str, expected: BaseDistribution) -> None:
    assert list(read(override).distributions.values()) == [expected]


@pytest.mark.parametrize(
    ("override", "reason"),
    [
        ("optimizer.lr=interval(3,1)", "there is no value in it"),
        ("optimizer.lr=interval(1,1)", "there is no value in it"),
        ("training.epochs=range(5,5)", "there is no value in it"),
        ("optimizer.lr=tag(log,interval(0,1))", "a log scale can't reach 0; begin above 0"),
        ("optimizer.lr=tag(log,interval(-1,1))", "a log scale can't reach -1; begin above 0"),
        ("training.epochs=tag(log,range(1,9,2))", "a log scale has no steps"),
        ("optimizer.lr=tag(lgo,interval(1,2))", "no such tag as lgo; did you mean log?"),
        ("optimizer.lr=interval(1,inf)", "both ends must be finite numbers"),
        ("optimizer.lr=tag(log,choice(1,2))", "a log scale is for interval and range"),
        ("seed=range(0,3)", "the seed is never searched"),
        ("optimizer.lr=0.1", "nothing is searched"),
    ],
)
def test_what_has_no_values_is_refused_in_one_line(override: str, reason: str) -> None:
    with pytest.raises(UserError, match=reason) as refused:
        read(override)
    assert "\n" not in str(refused.value)


def test_a_key_is_asked_for_only_where_the_choice_has_it() -> None:
    found = read(
        "optimizer.momentum=interval(0,0.9)", "optimizer.eps=1e-6", "optimizer=adam,sgd", "training.epochs=3", "seed=7"
    )
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    seen = set()
    for _ in range(20):
        setting = found.ask(partial(suggested, study.ask()))
        overrides = found.overrides(setting)
        seen.add(setting["optimizer"])
        assert f"optimizer={setting['optimizer']}" in overrides and "training.epochs=3" in overrides
        assert ("optimizer.momentum" in setting) == (setting["optimizer"] == "sgd")
        assert ("optimizer.eps=1e-06" in overrides) == (setting["optimizer"] == "adam")
        assert not any(override.startswith("seed") for override in overrides)
    assert seen == {"adam", "sgd"}
