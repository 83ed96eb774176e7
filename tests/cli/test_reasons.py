"""The `why:` of a summary: what stands in the way, and advice that is followed here and does better."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from experiments import run
from experiments.cli.reasons import why
from experiments.config import schema as schema
from experiments.config.schema import Config
from experiments.config.validation import validate
from experiments.running import runner
from experiments.tracking.files import read_json
from experiments.tracking.result import Result
from tests.conftest import Configured

QUIET = ("tracking.figures=false", "tracking.tensorboard=false")
IRIS = ["data=iris", "loss=cross_entropy", "loss.l2=1e-3"]
STANDARDIZED, FULL = "experiment=standardized", "training.batch_size=null"


def ran(*overrides: str) -> tuple[Config, Result]:
    result = run(*overrides, *QUIET)
    assert result.folder is not None
    plain = read_json(result.folder / "config.json")
    del plain["config_hash"]
    return validate(plain), result


def said(*overrides: str) -> str:
    return "\n".join(why(*ran(*overrides)))


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ([], ["2.2e+06 times as steep", "below 0.0001116", "more epochs to within 1 %", "(condition number 7.02)"]),
        (["optimizer.lr=1.2e-4", FULL], ["lr 0.00012 is too large", "above 0.0001116"]),
        (["loss.l2=0.1"], ["times as steep", "(condition number"]),
        (["optimizer.lr=1e-10"], ["lr 1e-10 is small", "stable up to 0.0001116"]),
        ([STANDARDIZED, "optimizer.lr=5e-6"], ["lr 5e-06 is small", "stable up to 1.007"]),
        (["data=synthetic", "data.n_rows=100"], ["lr 1e-05 is small"]),
        (["optimizer.lr=1e-4", "training.batch_size=1"], ["batches of 1 keep the weights moving"]),
        (["optimizer.momentum=0.9", "optimizer.lr=2.2e-4", FULL], ["lr 0.00022 is too large", "above 0.0002119"]),
        ([*IRIS, "optimizer.lr=auto"], ["6.39e+04 times as steep", "below 0.06415", "(condition number 98.3)"]),
        ([*IRIS, "data.standardize=inputs", "optimizer.lr=1e-5"], ["lr 1e-05 is small", "stable up to 1.369"]),
        (
            [*IRIS, "data.standardize=inputs", "optimizer.lr=100"],
            ["lr 100 is too large: above 1.369", "not sure to fall"],
        ),
    ],
)
def test_the_reason_and_advice_that_does_better(overrides: list[str], words: list[str]) -> None:
    config, result = ran(*overrides)
    told = "\n".join(why(config, result))
    assert all(word in told for word in words), told
    advised = re.search(r"try ((?:(?:data|optimizer)\.\S+ ?)+)", told)
    followed = advised[1].split() if advised else ["schedule=cosine"]
    assert advised or "(schedule=cosine)" in told
    kept = [o for o in overrides if o.partition("=")[0] not in {f.partition("=")[0] for f in followed}]
    assert run(*kept, *followed, *QUIET).metrics["gap"] < 0.2 * result.metrics["gap"]


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["training.epochs=0"], "nothing was trained; these are the start weights"),
        (["training.epochs=0", "loss=huber"], "nothing was trained"),
        ([STANDARDIZED, "optimizer.weight_decay=0.1"], "the gap is the penalty's"),
        (
            ["optimizer=adamw", "optimizer.weight_decay=1"],
            "holds AdamW's weights within about 1; the optimum has one of 5",
        ),
        (["optimizer=adamw", "optimizer.lr=1e-3"], "this run had 300"),
        (["optimizer=rmsprop"], "try a rate that falls (schedule=cosine)"),
        (["optimizer=adam"], "try more epochs with a rate that falls (schedule=cosine)"),
        (
            ["optimizer=adagrad"],
            "by ever less, however steep the loss is\n     what is left lies along flat directions",
        ),
        (["loss=huber", "optimizer.lr=1e-7"], "the targets' means would be better predictions"),
        (
            ["data=iris", "loss=cross_entropy", "optimizer=adam", "optimizer.lr=1e3"],
            "equal odds for all classes would be better predictions",
        ),
        (["data=wine", "loss=cross_entropy", "training.epochs=3"], "try data.standardize=inputs optimizer.lr="),
        ([*IRIS, "optimizer=adam", "optimizer.lr=1e-2", "training.epochs=10"], "too few steps at lr 0.01: the weights"),
        (["data.validation=0.2", "training.patience=5", "training.epochs=2000"], "held-out rows no longer fell"),
        (
            ["data.targets=[apples]", "training.batch_size=1"],
            "try more epochs with a rate that falls (schedule=cosine)",
        ),
        (
            ["optimizer.lr=1e-4", "training.batch_size=1", "schedule=inverse_time"],
            "try larger batches, or a smaller rate",
        ),
        (["schedule=step", "schedule.step_size=5"], "lr 1e-05 (5.556e-07 on average, by the schedule) is small"),
        (["training.epochs=1000000", "training.max_seconds=0.1"], "training.max_seconds ended the training after"),
    ],
)
def test_other_reasons_in_words(overrides: list[str], words: str) -> None:
    told = said(*overrides)
    assert words in told
    assert "stable" not in told or "schedule" in overrides[0]  # no such rate is the reason here, or known


def test_epochs_foretold_are_the_epochs_needed() -> None:
    told = said(STANDARDIZED, "training.epochs=5")
    more = int(re.search(r"about (\d+) more", told)[1])  # type: ignore[index]  # None fails, rightly
    enough = run(STANDARDIZED, f"training.epochs={5 + more}", *QUIET)
    short = run(STANDARDIZED, f"training.epochs={4 + more}", *QUIET)
    assert enough.metrics["gap_relative"] <= 0.01 < short.metrics["gap_relative"]


def test_epochs_foretold_for_classes_are_about_those_needed() -> None:
    setting = [*IRIS[:2], "loss.l2=1e-2", "data.standardize=inputs", "optimizer.lr=1", FULL]
    more = int(re.search(r"about (\d+) more", said(*setting, "training.epochs=30"))[1])  # type: ignore[index]  # None fails, rightly
    assert 0.003 < run(*setting, f"training.epochs={30 + more}", *QUIET).metrics["gap_relative"] < 0.02


def test_a_gap_of_another_objective_is_not_explained_by_that_of_the_squares(
    configured: Configured, tmp_path: Path
) -> None:
    config = configured(tensorboard=False)
    result = runner.run(config, tmp_path / "run")
    assert why(config, result)
    assert not why(config, dataclasses.replace(result, metrics=result.metrics | {"gap": 2 * result.metrics["gap"]}))


@pytest.mark.parametrize(
    "overrides",
    [
        [STANDARDIZED],
        ["data=synthetic", "data.condition=1", "optimizer.lr=auto", FULL],
        ["data=synthetic", "data.n_rows=3", "data.n_features=5", "optimizer.lr=auto", FULL],
        ["loss=l1", "optimizer.lr=1e-4"],
        ["data=iris", "loss=cross_entropy", "optimizer.lr=0.01"],
    ],
)
def test_nothing_is_said_of_a_run_that_has_arrived_or_of_which_nothing_is_known(overrides: list[str]) -> None:
    assert "why" not in said(*overrides)


def test_short_rank_is_said_in_words() -> None:
    told = said("data=synthetic", "data.n_rows=3", "data.n_features=5", "training.epochs=1")
    assert "not unique" in told and "inf" not in told


def test_the_table_of_a_stranger_is_not_told_to_take_the_tutorials_preset(tmp_path: Path) -> None:
    rows = "\n".join(f"{i},{i % 7 * 1e5},{3 * i - i % 7}" for i in range(40))
    (tmp_path / "table.csv").write_text(f"a,b,y\n{rows}\n")
    told = said("data=table", "data.path=table.csv", "data.targets=[y]", "optimizer.lr=1e-13")
    assert "data.standardize=true" in told and "experiment=" not in told


def test_a_stored_result_without_its_rows_says_no_more_than_it_knows(configured: Configured, tmp_path: Path) -> None:
    def told(**changes: Any) -> list[str]:
        config = configured(tensorboard=False, batch_size=None, **changes)
        result = runner.run(config, tmp_path / str(len(list(tmp_path.iterdir()))))
        return why(config, dataclasses.replace(result, table=None))

    assert told(epochs=3) == []
    (line,) = told(lr=1.2e-4)
    assert line.startswith("why: lr 0.00012 is too large: above 0.0001116 full-batch descent enlarges the error")
    assert told(epochs=0, loss=schema.L1()) == ["why: nothing was trained; these are the start weights"]
