"""Stable rates, against runs that are really trained."""

from pathlib import Path
from typing import Any

import pytest
import torch

from experiments.config import schema as schema
from experiments.data.prepared import Prepared
from experiments.running import runner
from experiments.running.assembly import load
from experiments.running.factories import known_lr
from experiments.running.measures.automatic_rate import round_down
from tests.conftest import Configured

CPU = torch.device("cpu")


def prepared(config: schema.Config) -> Prepared:
    return load(config, CPU, torch.float32)


@pytest.mark.parametrize("batch_size", [1, 5, None])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_the_careful_rate_holds_and_is_autos_without_momentum(
    batch_size: int | None, momentum: float, configured: Configured, tmp_path: Path
) -> None:
    optimizer = schema.SGD(momentum=momentum)
    config = configured(optimizer=optimizer, batch_size=batch_size, tensorboard=False)
    lr = known_lr(config, prepared(config))
    assert lr is not None
    result = runner.run(
        configured(optimizer=optimizer, batch_size=batch_size, lr=lr, tensorboard=False), tmp_path / "a"
    )
    assert result.status == "completed" and result.metrics["train_loss"] < 100
    auto = runner.run(configured(batch_size=batch_size, lr="auto", epochs=1, tensorboard=False), tmp_path / "b").lr
    assert auto is not None and lr == pytest.approx((1 - momentum) * auto, rel=0.1)  # the sum of a step's echoes
    assert momentum or lr == auto


@pytest.mark.parametrize(
    "changes",
    [{"optimizer": schema.Adam()}, {"loss": schema.L1()}, {"model": schema.MLP()},
     {"optimizer": schema.SGD(momentum=1.0)},
     {"model": schema.Custom("torch.nn.Bilinear")}],
)  # fmt: skip
def test_no_rate_is_known_to_be_stable_elsewhere(changes: dict[str, Any], configured: Configured) -> None:
    assert known_lr(configured(**changes), prepared(configured())) is None


@pytest.mark.parametrize(("value", "typed"), [(0.000111549, 0.00011), (9.99, 9.9), (120.0, 120.0), (0.0, 0.0)])
def test_a_rate_to_type_is_never_above_what_it_rounds(value: float, typed: float) -> None:
    assert round_down(value) == typed <= value
