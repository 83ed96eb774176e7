"""Eigenvalues against torch's Hessian; rates against gradient descent that is really carried out, in float64."""

import numpy as np
import pytest
import torch

from experiments.exact import logistic_curvature
from experiments.exact.cross_entropy import hessian, slopes, value
from experiments.exact.logistic import logistic_optimum
from experiments.exact.logistic_curvature import logistic_conditioning, steepest
from experiments.exact.solution import Optimum, Penalty
from tests.support.cross_entropy import Entropy

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(1, 2, (60, 3)) * [1, 3, 0.5]
Y = np.argmax(X @ GENERATOR.normal(size=(3, 3)) / 4 + GENERATOR.gumbel(size=(60, 3)), axis=1)
LOSSES = [Entropy(2), Entropy(2, (1, 4)), Entropy(3), Entropy(3, (1, 2, 5), 0.2)]


def of(loss: Entropy) -> np.ndarray:
    return np.minimum(Y, loss.classes - 1)


def optimum(x: np.ndarray, loss: Entropy, l2: float, bias: bool = True) -> Optimum:
    found = logistic_optimum(x, loss.shares(of(loss)), Penalty(l2), bias)
    assert isinstance(found, Optimum)
    return found


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("l2", [0.0, 0.1])
@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_eigenvalues_are_those_of_torchs_hessian(loss: Entropy, l2: float, bias: bool) -> None:
    best = optimum(X, loss, l2, bias)
    k = 3 + bias
    a = torch.from_numpy(np.c_[X, np.ones(60)][:, :k])

    def objective(parameters: torch.Tensor) -> torch.Tensor:
        weight = parameters.reshape(loss.outputs, k)
        return loss.by_torch(a @ weight.T, of(loss)) + l2 * (weight[:, :3] ** 2).sum()

    at = torch.from_numpy(np.c_[best.weight, best.bias][:, :k]).flatten()
    expected = np.linalg.eigvalsh(np.asarray(torch.autograd.functional.hessian(objective, at)))
    found = logistic_conditioning(X, loss.shares(of(loss)), best, l2, bias)
    unseen = len(expected) - len(found.eigenvalues)
    assert unseen == (0 if loss.outputs == 1 else bias if l2 else k)
    assert found.eigenvalues == pytest.approx(expected[unseen:], rel=1e-9)
    assert expected[:unseen] == pytest.approx(np.zeros(unseen), abs=1e-14)
    assert found.rank == len(found.eigenvalues)
    assert found.condition_number == pytest.approx(expected[-1] / expected[unseen], rel=1e-9)
    assert expected[-1] <= found.lambda_max == pytest.approx(2 / found.max_stable_lr)


@pytest.mark.parametrize("l2", [0.0, 0.1])
@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_below_the_stable_rate_descent_never_rises_and_arrives(loss: Entropy, l2: float) -> None:
    x = (X - X.mean(0)) / X.std(0)
    best = optimum(x, loss, l2)
    lr = 0.99 * logistic_conditioning(x, loss.shares(of(loss)), best, l2).max_stable_lr
    weight, bias = np.full((loss.outputs, 3), 3.0), np.zeros(loss.outputs)
    q, losses = loss.shares(of(loss)), []
    for _ in range(1000):
        logits = x @ weight.T + bias
        losses.append(value(logits, q) + l2 * np.sum(weight**2))
        gradient = slopes(logits, q)[0]
        weight, bias = weight - lr * (gradient.T @ x + 2 * l2 * weight), bias - lr * gradient.sum(0)
    assert np.max(np.diff(losses)) < 1e-12
    assert losses[-1] == pytest.approx(best.loss, rel=1e-6)


def test_the_bound_is_reached_where_all_classes_are_as_likely() -> None:
    a, q = np.c_[X, np.ones(60)], Entropy(2).shares(of(LOSSES[0]))
    assert steepest(a, q) == pytest.approx(np.linalg.eigvalsh(hessian(a, np.full((60, 2), 0.5), q))[-1], rel=1e-12)
    assert steepest(a, q, 3.0) == steepest(a, q) + 6


def test_dependent_columns_have_no_condition_number_and_many_parameters_no_eigenvalues(monkeypatch) -> None:
    x, loss = np.c_[X, X[:, 0] + X[:, 1]], Entropy(3)
    best, q = optimum(x, loss, 0.0), loss.shares(Y)
    found = logistic_conditioning(x, q, best)
    assert found.condition_number == np.inf and found.rank == 8 and len(found.eigenvalues) == 10
    assert np.isfinite(logistic_conditioning(x, q, optimum(x, loss, 1e-3), 1e-3).condition_number)
    monkeypatch.setattr(logistic_curvature, "LARGEST_HESSIAN", 14)
    many = logistic_conditioning(x, q, best)
    assert many.eigenvalues.size == 0 and np.isnan(many.condition_number)
    assert logistic_conditioning(x, q, None).max_stable_lr == found.max_stable_lr
    assert many.max_stable_lr == found.max_stable_lr and many.lambda_max == 2 / many.max_stable_lr
