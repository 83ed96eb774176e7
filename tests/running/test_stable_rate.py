"""What a diverged run is told was tried: it holds when it is followed; standardising is named where it is shorter."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments import run
from experiments.config import schema as schema
from experiments.running import runner, stable_rate
from experiments.running.assembly import assemble
from experiments.tracking.result import Result
from tests.conftest import Configured

QUIET = ("tracking.figures=false", "tracking.tensorboard=false")


def advised(result: Result) -> list[list[str]]:
    """The overrides that a diverged run is told, each way by itself."""
    assert result.status == "diverged" and result.message is not None
    return [
        found.split() for found in re.findall(r"((?:(?:data|optimizer)\.\S+ )+)was tried and holds", result.message)
    ]


def large_numbers(path: Path) -> list[str]:
    """A table whose columns reach into the millions, and the overrides that name it."""
    random = np.random.default_rng(0)
    hint, area = random.uniform(1e5, 9e6, 60), random.uniform(4e4, 2.5e5, 60)
    price = 3e-5 * hint + 2e-3 * area + random.normal(0, 5, 60)
    np.savetxt(path, np.column_stack([hint, area, price]), delimiter=",", header="hint,area,price", comments="")
    return ["data=table", f"data.path={path.name}", "data.targets=[price]"]


@pytest.mark.parametrize(
    "overrides",
    [
        ["optimizer.lr=1.0"],
        ["optimizer.lr=1e-3", "optimizer.momentum=0.9"],
        ["optimizer=adam", "optimizer.lr=1e30"],
        ["experiment=standardized", "optimizer.weight_decay=100"],
        ["loss=huber", "optimizer.lr=1e38"],
        ["data=wine", "loss=cross_entropy", "optimizer.lr=1e38"],
        ["model=mlp", "optimizer.lr=1.0"],
        ["model=mlp", "data=iris", "loss=cross_entropy", "loss.l2=1e-3", "optimizer.lr=1e8", "training.epochs=5"],
    ],
)
def test_what_is_advised_holds_when_it_is_followed(overrides: list[str]) -> None:
    ways = advised(run(*overrides, *QUIET))
    assert ways
    for way in ways:
        keys = {word.partition("=")[0] for word in way}
        again = run(*(o for o in overrides if o.partition("=")[0] not in keys), *way, *QUIET)
        assert again.status == "completed" and again.metrics["train_loss"] < 13577  # of the start


@pytest.mark.parametrize("lr", ["1e-5", "1e-8"])
def test_a_table_of_large_numbers_is_told_to_standardise_once_and_that_ends_it(lr: str, tmp_path: Path) -> None:
    table = large_numbers(tmp_path / "large.csv")
    first, second = advised(run(*table, f"optimizer.lr={lr}", *QUIET))
    assert "data.standardize=true" in first and "data.standardize=true" not in second
    result = run(*table, *first, *QUIET)
    assert result.status == "completed" and result.metrics["gap_relative"] < 0.5
    assert run(*table, *second, *QUIET).metrics["train_loss"] > 1e3 * result.metrics["train_loss"]


def test_standardising_is_not_named_where_it_is_done_or_no_shorter(configured: Configured, tmp_path: Path) -> None:
    result = runner.run(configured(lr=1e30, standardize=True, tensorboard=False), tmp_path / "done")
    assert len(advised(result)) == 1
    data = schema.Synthetic(n_rows=100)
    result = runner.run(configured(lr=100.0, data=data, tensorboard=False), tmp_path / "no_shorter")
    assert len(advised(result)) == 1


def test_where_nothing_could_be_tried_a_proven_rate_is_told(configured: Configured, tmp_path: Path) -> None:
    config = configured(lr=1.0)
    told = stable_rate.advice(config, assemble(config).data, 1.0, seconds=0.0)
    proven = re.fullmatch(r"no smaller rate .* within 0 s; optimizer.lr=(\S+) is stable on every batch .*", told)
    assert proven
    result = runner.run(configured(lr=float(proven[1]), tensorboard=False), tmp_path / "run")
    assert result.status == "completed" and result.metrics["train_loss"] < 13577
    other = configured(optimizer=schema.Adam(lr=1e30))
    assert stable_rate.advice(other, assemble(other).data, 1e30, seconds=0.0).endswith("within 0 s")


def test_a_stream_is_not_read_again_for_a_try(configured: Configured, tmp_path: Path) -> None:
    np.savetxt(tmp_path / "rows.csv", np.random.default_rng(0).normal(size=(50, 3)), delimiter=",", header="a,b,y",
               comments="")  # fmt: skip
    data = schema.Stream(path="rows.csv", targets=["y"])
    result = runner.run(configured(lr=1e30, data=data, tensorboard=False), tmp_path / "run")
    assert result.message is not None and "no other rate was tried on a stream; optimizer.lr=" in result.message
    assert "standardize" not in result.message  # all columns are alike
    overrides = large_numbers(tmp_path / "large.csv")
    message = run("data=stream", *overrides[1:], *QUIET).message
    assert message is not None and re.search(
        r"standardize=true lowers the condition number from \S+e\+\d+ to 1\.", message
    )


def test_the_smallest_loss_wins_among_rates_that_hold(configured: Configured, monkeypatch: pytest.MonkeyPatch) -> None:
    losses = {1e3: None, 5e2: None, 1.2e2: None, 7.8: 5.0}
    asked: list[float] = []

    def trained(config: Any, data: Any, lr: float, deadline: float) -> stable_rate.Tried | None:
        asked.append(lr)
        loss = losses.get(lr, 1.0 if lr < 50 else None)
        return None if loss is None else stable_rate.Tried(lr, loss)

    monkeypatch.setattr(stable_rate, "_trained", trained)
    config = configured(optimizer=schema.Adam(lr=1e3), standardize=True)
    told = stable_rate.advice(config, assemble(config).data, 1e3)
    assert asked[:3] == [5e2, 2.5e2, 62.0] and all(lr < 1e3 for lr in asked)
    assert told.endswith("(loss 1)")
