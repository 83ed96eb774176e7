"""The gap along each eigenvector and what a step makes of it, against descent that is really done."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from experiments.config import schema as schema
from experiments.config.schema import SGD
from experiments.data.prepared import Preparation, prepare
from experiments.learning.class_losses import CrossEntropy
from experiments.learning.losses import MSE
from experiments.running import runner
from experiments.running.directions import Directions, directions, log_shrinkage
from experiments.running.measures.automatic_rate import largest_stable_lr
from experiments.tracking.result import Result
from tests.conftest import Configured

SQUARES = MSE()
OPTIMIZERS = [
    SGD(),
    SGD(momentum=0.9),
    SGD(momentum=0.5, nesterov=True),
    SGD(momentum=0.8, dampening=0.3),
    SGD(momentum=0.9, weight_decay=2.0),
]


def of_run(result: Result, standardize: Any, bias: bool = True, loss: Any = SQUARES) -> Directions:
    assert result.table is not None
    how = Preparation(standardize=standardize, bias=bias, labels=isinstance(loss, CrossEntropy), dtype=torch.float64)
    return directions(result, prepare(result.table, how), bias, loss)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("standardize", [True, False])
def test_the_parts_sum_to_the_gap_along_the_hessians_eigenvalues(
    standardize: bool, bias: bool, configured: Configured, tmp_path: Path
) -> None:
    result = runner.run(configured(epochs=3, standardize=standardize, bias=bias, tensorboard=False), tmp_path / "run")
    found = of_run(result, standardize, bias)
    assert found.gap == pytest.approx(result.metrics["gap"], rel=1e-9)
    assert result.conditioning is not None
    assert found.eigenvalues[-1] == pytest.approx(result.conditioning["lambda_max"], rel=1e-6)
    assert found.condition_number == pytest.approx(result.conditioning["condition_number"], rel=1e-3)


@pytest.mark.parametrize("standardize", [True, False])
def test_with_a_penalty_they_sum_to_the_gap_of_the_penalised_objective(
    standardize: bool, configured: Configured, tmp_path: Path
) -> None:
    config = configured(epochs=3, standardize=standardize, loss=schema.MSE(l2=0.3), tensorboard=False)
    result = runner.run(config, tmp_path / "run")
    assert of_run(result, standardize, loss=MSE(l2=0.3)).gap == pytest.approx(result.metrics["gap"], rel=1e-6)


@pytest.mark.parametrize("data", [schema.Iris(), schema.BreastCancer()])
@pytest.mark.parametrize("standardize", [False, "inputs"])
def test_of_classes_near_the_optimum_they_sum_to_the_gap(
    data: Any, standardize: Any, configured: Configured, tmp_path: Path
) -> None:
    config = configured(epochs=0, data=data, standardize=standardize, loss=schema.CrossEntropy(l2=0.1),
                        tensorboard=False)  # fmt: skip
    result = runner.run(config, tmp_path / "run")
    assert result.optimum is not None and result.conditioning is not None and result.table is not None
    near = {name: 1.001 * np.array(values) for name, values in result.optimum.items()}
    found = of_run(dataclasses.replace(result, parameters=near), standardize, loss=CrossEntropy(l2=0.1))
    assert found.condition_number == pytest.approx(result.conditioning["condition_number"], rel=1e-6)
    x, y = result.table.x.double().numpy(), result.table.y.double()
    deviation = x.std(0) if standardize else 1.0

    def objective(weight: Any, bias: Any) -> float:
        loss = CrossEntropy()(torch.from_numpy(x @ np.array(weight).T + bias), y).item()
        return loss + 0.1 * float(np.sum((np.array(weight) * deviation) ** 2))

    gap = objective(near["weight"], near["bias"]) - objective(*(result.optimum[k] for k in ("weight", "bias")))
    assert found.gap == pytest.approx(gap, rel=0.01)


def test_the_gap_of_zero_weights_is_that_of_a_run_that_starts_there(configured: Configured, tmp_path: Path) -> None:
    result = runner.run(configured(epochs=0, init="zeros", tensorboard=False), tmp_path / "run")
    found = of_run(result, standardize=False)
    np.testing.assert_allclose(found.gaps, found.gaps_at_zero, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("decay", [0.1, 3.0])
@pytest.mark.parametrize("standardize", [True, False])
def test_what_weight_decay_leaves_is_what_ridge_regression_leaves(
    decay: float, standardize: bool, configured: Configured, tmp_path: Path
) -> None:
    from sklearn.linear_model import Ridge

    result = runner.run(configured(epochs=0, standardize=standardize, tensorboard=False), tmp_path / "run")
    assert result.table is not None
    x, y = (t.numpy().astype(float) for t in (result.table.x, result.table.y))
    columns, goal, deviation = x, y, np.ones(2)
    if standardize:
        columns, goal, deviation = (x - x.mean(0)) / x.std(0), (y - y.mean(0)) / y.std(0), y.std(0)
    # the loss is a mean over 2 n numbers, scikit-learn's a sum; torch decays the intercept too
    ridge = Ridge(alpha=decay * len(x), fit_intercept=False).fit(np.column_stack([columns, np.ones(len(x))]), goal)
    residual = (ridge.predict(np.column_stack([columns, np.ones(len(x))])) - goal) * deviation
    expected = float(np.mean(residual**2)) - result.metrics["optimum_loss"]
    assert of_run(result, standardize).penalty(decay) == pytest.approx(expected, rel=1e-6)
    assert of_run(result, standardize).penalty(0.0) == 0


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("share", [1e-6, 0.01, 0.2, 0.97, 1.03])
def test_a_step_shrinks_the_error_as_torchs_does_and_grows_it_above_the_limit(optimizer: SGD, share: float) -> None:
    eigenvalue = 7.0
    lr = share * largest_stable_lr(optimizer, eigenvalue)
    weight = torch.ones((), dtype=torch.float64, requires_grad=True)
    keys = {k: v for k, v in dataclasses.asdict(optimizer).items() if k not in ("_target_", "lr")}
    step, sizes = torch.optim.SGD([weight], lr=lr, **keys), []
    for _ in range(1200):
        step.zero_grad()
        (eigenvalue / 2 * weight**2).backward()
        step.step()
        sizes.append(abs(weight.item()))
    # the swings of a complex root are smoothed by the largest of a hundred steps
    early, late = np.log(max(sizes[300:400])), np.log(max(sizes[1000:1100]))
    steepest = np.array([eigenvalue + optimizer.weight_decay])
    (found,) = log_shrinkage(optimizer, np.array([lr]), steepest)
    assert found == pytest.approx((late - early) / 700, rel=0.02, abs=2e-4)
    assert (found < 0) == (share < 1) == (sizes[-1] < sizes[0] or share < 1e-3)


def test_rates_of_a_schedule_are_taken_together() -> None:
    both = log_shrinkage(SGD(), np.array([0.1, 0.3]), np.array([1.0, 2.0]))
    np.testing.assert_allclose(np.exp(2 * both), [0.9 * 0.7, 0.8 * 0.4], rtol=1e-12)


def test_the_distance_along_the_largest_part(configured: Configured, tmp_path: Path) -> None:
    data = schema.Synthetic(n_rows=50, n_features=1, condition=1.0)
    result = runner.run(configured(epochs=0, data=data, bias=False, tensorboard=False), tmp_path / "run")
    assert result.parameters is not None and result.optimum is not None
    distance = abs(result.parameters["weight"][0][0] - result.optimum["weight"][0][0])
    assert of_run(result, False, bias=False).farthest == pytest.approx(distance, rel=1e-5)
