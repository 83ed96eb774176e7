"""The analytic update by NumPy against autograd and torch.optim, and where it leaves the work to others."""

import warnings
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from experiments.config import schema as schema
from experiments.learning.losses import L1, MSE, ManualMSE, ResidualLoss
from experiments.learning.models import Analytic, Manual, state
from experiments.learning.numpy_step import plain_descent
from experiments.learning.optimizers import SGD, Adam, ManualOptimizer
from experiments.learning.training import Progress, fit
from experiments.running.assembly import assemble
from tests.conftest import Configured


def parts(features: int, targets: int, bias: bool = True, dtype: torch.dtype = torch.float64) -> tuple[Any, ...]:
    model = Analytic(features, targets, bias)
    model.weight = torch.randn(targets, features, dtype=dtype, generator=torch.Generator().manual_seed(1))
    model.bias = torch.zeros(targets, dtype=dtype) if bias else None
    return model, ManualOptimizer(model.parameters(), SGD(), 0.05)


def rows(n: int, features: int, targets: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(2)
    x, y = (torch.randn(n, k, dtype=dtype, generator=generator) for k in (features, targets))
    return x, y


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("n", "features", "targets"), [(1, 1, 1), (5, 3, 2), (64, 40, 1), (3000, 20, 1), (31, 7, 4)])
def test_steps_are_those_of_autograd_and_torch_optim(n: int, features: int, targets: int, bias: bool) -> None:
    model, optimizer = parts(features, targets, bias)
    twin = torch.nn.Linear(features, targets, bias, dtype=torch.float64)
    twin.load_state_dict(state(model))
    torch_sgd = torch.optim.SGD(twin.parameters(), lr=0.05)
    x, y = rows(n, features, targets)
    descend = plain_descent(model, optimizer, MSE(), n)
    assert descend is not None
    for _ in range(5):
        descend(x.numpy(), y.numpy())
        F.mse_loss(twin(x), y).backward()
        torch_sgd.step()
        torch_sgd.zero_grad()
    for name, tensor in twin.state_dict().items():
        torch.testing.assert_close(state(model)[name], tensor, rtol=1e-12, atol=1e-13)
    assert optimizer.state_dict()["step"].tolist() == [5] * (1 + bias)


def test_the_rate_is_the_optimizers_at_each_step() -> None:
    model, optimizer = parts(1, 1)
    model.weight.zero_()
    descend = plain_descent(model, optimizer, ManualMSE(), 1)
    assert descend is not None
    for lr, bias in ((0.25, 0.5), (0.5, 1.0)):  # y = 1: half of the way, then all of the rest
        optimizer.lr = lr
        descend(np.zeros((1, 1)), np.ones((1, 1)))
        assert model.bias.tolist() == [bias]


def test_float32_stays_float32_and_what_is_too_large_becomes_infinite() -> None:
    model, optimizer = parts(3, 1, dtype=torch.float32)
    optimizer.lr = 1e38
    descend = plain_descent(model, optimizer, MSE(), 4)
    assert descend is not None
    x, y = (t.numpy() for t in rows(4, 3, 1, torch.float32))
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(9):
            descend(x, y)
    assert model.weight.dtype == torch.float32 and not model.weight.isfinite().any()


class Own(Analytic):
    """Of the user's: it may do anything besides."""

    def backward(self, x: Tensor, slope: Tensor) -> None:
        super().backward(x, slope)


@pytest.mark.parametrize(
    ("model", "rule", "loss", "batch_size"),
    [
        (Manual(3, 1), SGD(), MSE(), 4),
        (Own(3, 1), SGD(), MSE(), 4),
        (torch.nn.Linear(3, 1), SGD(), MSE(), 4),
        (Analytic(3, 1), SGD(momentum=0.9), MSE(), 4),
        (Analytic(3, 1), SGD(weight_decay=0.1), MSE(), 4),
        (Analytic(3, 1), Adam(), MSE(), 4),
        (Analytic(3, 1), SGD(), L1(), 4),
        (Analytic(100, 2), SGD(), MSE(), 1024),
    ],
)
def test_whatever_is_more_than_a_line_is_left_to_torch(
    model: Any, rule: Any, loss: ResidualLoss, batch_size: int
) -> None:
    optimizer = ManualOptimizer(list(model.parameters()), rule, 0.1)
    assert plain_descent(model, optimizer, loss, batch_size) is None


def test_torchs_own_optimizer_steps_by_itself() -> None:
    model = Analytic(3, 1)
    assert plain_descent(model, torch.optim.SGD([model.weight], lr=0.1), MSE(), 4) is None


@pytest.mark.parametrize("shuffle", [True, "blocks", False])
@pytest.mark.parametrize("loader", ["tensor", "torch"])
def test_fit_by_it_ends_where_the_long_way_ends(configured: Configured, shuffle: bool | str, loader: str) -> None:
    ends = []
    for model_class in (Analytic, Own):  # Own goes the long way
        experiment = assemble(configured(
            model=schema.AnalyticModel(), optimizer=schema.ManualSGD(lr=0.05),
            schedule=schema.Step(step_size=1, gamma=0.9),
            data=schema.Synthetic(n_rows=50, loader=loader, block_rows=20), epochs=4, batch_size=8, shuffle=shuffle,
            dtype="float64",
        ))  # fmt: skip
        (model, optimizer), progress = (experiment.model, experiment.optimizer), Progress()
        assert isinstance(model, Analytic)
        model.__class__ = model_class
        assert (plain_descent(model, optimizer, MSE(), 8) is None) == (model_class is Own)
        for _ in fit(experiment, progress):
            pass
        assert progress.step == 4 * 7 and optimizer.state_dict()["step"].tolist() == [28, 28]
        ends.append(model.weight)
    torch.testing.assert_close(ends[0], ends[1], rtol=1e-12, atol=1e-13)


def test_a_run_on_the_crop_table_takes_it(configured: Configured) -> None:
    experiment = assemble(configured(model=schema.AnalyticModel(), optimizer=schema.ManualSGD()))
    assert plain_descent(experiment.model, experiment.optimizer, experiment.loss, 5) is not None
    with_adam = assemble(configured(model=schema.AnalyticModel(), optimizer=schema.ManualAdam()))
    assert plain_descent(with_adam.model, with_adam.optimizer, with_adam.loss, 5) is None
