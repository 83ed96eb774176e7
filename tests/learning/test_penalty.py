"""Penalties: gradients against autograd, and where descent on them ends against closed forms and scikit-learn."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import ElasticNet, Ridge

from experiments.config import schema
from experiments.learning.losses import MSE
from experiments.learning.optimizers import SGD, Adam, ManualOptimizer
from experiments.learning.penalty import Penalized, penalty, shrunk
from experiments.learning.training import Progress, fit
from experiments.running import runner
from experiments.running.assembly import assemble
from tests.conftest import Configured


@pytest.mark.parametrize("rule", [SGD(), SGD(momentum=0.5), Adam()])
def test_a_step_descends_on_the_loss_with_its_penalty(rule: Any) -> None:
    torch.manual_seed(0)
    x, y = torch.randn(8, 3, dtype=torch.float64), torch.randn(8, 2, dtype=torch.float64)
    ours, expected = torch.nn.Linear(3, 2).double(), torch.nn.Linear(3, 2).double()
    expected.load_state_dict(ours.state_dict())
    loss = MSE(l2=0.3)
    optimizer = Penalized(ManualOptimizer(ours.parameters(), rule, 0.1), ours, loss)
    other = ManualOptimizer(expected.parameters(), rule, 0.1)
    for _ in range(5):
        loss(ours(x), y).backward()
        optimizer.step()
        optimizer.zero_grad()
        (loss(expected(x), y) + 0.3 * expected.weight.square().sum()).backward()
        other.step()
        other.zero_grad()
    torch.testing.assert_close(ours.weight, expected.weight, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(ours.bias, expected.bias, rtol=1e-12, atol=1e-14)


def test_shrinking_is_the_minimiser_that_it_stands_for() -> None:
    weights = torch.linspace(-2, 2, 41, dtype=torch.float64)
    grid = torch.linspace(-3, 3, 6001, dtype=torch.float64)[:, None]
    best = grid[(0.5 * (grid - weights) ** 2 + 0.7 * grid.abs()).argmin(0), 0]
    torch.testing.assert_close(shrunk(weights, 0.7), best, rtol=0, atol=1e-3)


def test_the_penalty_leaves_biases_out_and_counts_targets_in_their_units() -> None:
    weight = torch.tensor([[1.0, -2.0], [3.0, 0.0]])
    assert penalty(weight, 0.5, 0.1).item() == pytest.approx(0.5 * 14 + 0.1 * 6)
    assert penalty(weight, 0.5, 0.1, torch.tensor([[10.0], [1.0]]), 2).item() == pytest.approx(100 * 2.8 + 4.8)


def descended(configured: Configured, loss: Any, model: Any, **keys: Any) -> Any:
    """Full-batch plain descent on standardised crops until it hardly moves."""
    experiment = assemble(configured(
        loss=loss, model=model, standardize=True, lr=0.3, epochs=3000, log_every=3000, batch_size=None,
        dtype="float64", **keys,
    ))  # fmt: skip
    for _ in fit(experiment, Progress()):
        pass
    return experiment


@pytest.mark.parametrize("model", [schema.Model(), schema.ManualModel(), schema.AnalyticModel()])
@pytest.mark.parametrize("optimizer", [schema.SGD(), schema.ManualSGD()])
def test_ridge_ends_where_scikit_learn_is(configured: Configured, model: Any, optimizer: Any) -> None:
    experiment = descended(configured, schema.MSE(l2=0.05), model, optimizer=optimizer)
    x, y = (t.numpy() for t in (experiment.data.x, experiment.data.y))
    peer = Ridge(alpha=0.05 * y.size, tol=1e-14).fit(x, y)  # of the sum of squares, ours is of their mean
    np.testing.assert_allclose(experiment.model.weight.detach(), peer.coef_, rtol=1e-9)
    np.testing.assert_allclose(experiment.model.bias.detach(), peer.intercept_, atol=1e-9)


@pytest.mark.parametrize("model", [schema.Model(), schema.AnalyticModel()])
def test_elastic_net_ends_where_scikit_learn_is_with_the_same_zeros(configured: Configured, model: Any) -> None:
    experiment = descended(configured, schema.MSE(l1=0.15, l2=0.02), model)
    x, y = (t.numpy() for t in (experiment.data.x, experiment.data.y))
    for k in range(2):
        # 1/(2n) |r|^2 + alpha ratio |w|_1 + alpha (1 - ratio) / 2 |w|^2; ours is |r|^2 / (2 n) for two targets
        alpha = 0.15 + 2 * 0.02
        peer = ElasticNet(alpha=alpha, l1_ratio=0.15 / alpha, tol=1e-14, max_iter=100_000).fit(x, y[:, k])
        weight = experiment.model.weight[k].detach().numpy()
        np.testing.assert_allclose(weight, peer.coef_, atol=1e-9)
        assert ((weight == 0) == (peer.coef_ == 0)).all()
    assert (experiment.model.weight == 0).any()


def test_adaptive_optimizers_get_the_subgradient(configured: Configured, tmp_path: Path) -> None:
    adam = schema.ManualAdam(lr=0.01)
    result = runner.run(
        configured(loss=schema.MSE(l1=0.05), optimizer=adam, standardize=True, epochs=3000, log_every=3000,
                   schedule=schema.Cosine(), batch_size=None, dtype="float64"), tmp_path / "run",
    )  # fmt: skip
    assert result.metrics["gap_relative"] < 1e-3


@pytest.mark.parametrize(
    "loss", [schema.MSE(l2=0.1), schema.MSE(l1=0.3), schema.MSE(l1=0.1, l2=0.05), schema.Huber(delta=5.0, l2=0.1)]
)
@pytest.mark.parametrize("standardize", [True, False])
def test_reported_losses_are_of_the_penalised_objective_in_the_tables_units(
    configured: Configured, tmp_path: Path, loss: Any, standardize: bool
) -> None:
    keys = {"lr": 0.2, "epochs": 400} if standardize else {"lr": 1e-5, "epochs": 20}
    config = configured(loss=loss, standardize=standardize, batch_size=None, dtype="float64", **keys)
    result = runner.run(config, tmp_path / "run")
    experiment = assemble(config)
    table, scale = experiment.data.table, experiment.data.scaling.y_scale.numpy()
    residual = result.predict(table.x.numpy()) - table.y.numpy()
    huber = isinstance(loss, schema.Huber)
    size = np.minimum(np.abs(residual), 5.0)
    data_loss = np.mean(size * (np.abs(residual) - size / 2) if huber else residual**2)
    assert result.parameters is not None
    original = np.array(result.parameters["weight"])
    trained = original * experiment.data.scaling.x_scale.numpy() / scale[:, None]
    extra = np.sum(scale[:, None] ** 2 * (loss.l2 * trained**2 + loss.l1 * np.abs(trained)))
    assert result.metrics["data_loss"] == pytest.approx(data_loss, rel=1e-9)
    assert result.metrics["train_loss"] == pytest.approx(data_loss + extra, rel=1e-9)
    if huber:
        assert result.metrics["optimum_loss"] is None
    else:
        assert result.metrics["gap"] >= 0
        assert not standardize or result.metrics["gap_relative"] < 1e-6
