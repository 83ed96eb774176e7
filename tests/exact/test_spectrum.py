"""Predicted epochs and losses against gradient descent that is really carried out, in float64."""

import numpy as np
import pytest

from experiments.exact.optimum import LeastSquares
from experiments.exact.spectrum import batch_stability, descent, streamed_batch_stability

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(1, 2, (40, 3)) * [1, 3, 0.5]
Y = X @ [[1.0, 2], [0, 1], [3, -1]] + GENERATOR.normal(size=(40, 2)) + 1
WEIGHT, BIAS = GENERATOR.normal(size=(2, 3)), GENERATOR.normal(size=2)


def data(x, y, bias=True):
    found = LeastSquares(bias)
    found.add(x, y)
    return found


def simulate(x, y, lr, epochs, bias=True, scale=1.0, l2=0.0):
    """Losses, in units of scale, before training and after each epoch, penalised."""
    weight, level, losses = WEIGHT.copy(), BIAS * bias, []
    for _ in range(epochs + 1):
        error = x @ weight.T + level - y
        losses.append(np.mean((error * scale) ** 2) + l2 * np.sum(weight**2))
        weight = weight - lr * (2 / y.size * error.T @ x + 2 * l2 * weight)
        level = level - lr * 2 / y.size * error.sum(0) * bias
    return np.array(losses)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("share", [0.3, 0.9, 1.1])
def test_losses_are_those_of_real_descent(bias, share):
    rows = data(X, Y, bias)
    lr = share * rows.conditioning().max_stable_lr
    found = descent(rows, WEIGHT, BIAS if bias else None, lr)
    losses = simulate(X, Y, lr, 60, bias)
    assert [found.optimum_loss + found.gap(k) for k in range(61)] == pytest.approx(losses, rel=1e-9)
    assert found.converges is (share < 1)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("share", [0.3, 1.1])
def test_a_penalty_is_part_of_the_loss_that_descends(bias, share):
    rows = data(X, Y, bias)
    lr = share * rows.conditioning(l2=0.7).max_stable_lr
    found = descent(rows, WEIGHT, BIAS if bias else None, lr, l2=0.7)
    losses = simulate(X, Y, lr, 60, bias, l2=0.7)
    assert [found.optimum_loss + found.gap(k) for k in range(61)] == pytest.approx(losses, rel=1e-9)
    assert found.converges is (share < 1)


@pytest.mark.parametrize("factor", [10, 2, 1.1, 1.0001])
def test_epochs_to_is_the_first_epoch_that_real_descent_needs(factor):
    rows = data(X, Y)
    lr = 0.9 * rows.conditioning().max_stable_lr
    losses = simulate(X, Y, lr, 3000)
    expected = int(np.argmax(losses <= factor * rows.optimum().loss))
    assert expected > 1
    assert descent(rows, WEIGHT, BIAS, lr).epochs_to(factor) == expected


def test_standardised_training_reports_losses_in_original_units():
    deviation = Y.std(0)
    x, y = (X - X.mean(0)) / X.std(0), (Y - Y.mean(0)) / deviation
    found = descent(data(X, Y), WEIGHT, BIAS, 0.3, standardized=True)
    losses = simulate(x, y, 0.3, 50, scale=deviation)
    assert [found.optimum_loss + found.gap(k) for k in range(51)] == pytest.approx(losses, rel=1e-9)


def test_no_epochs_where_there_is_no_answer():
    rows = data(X, Y)
    limit = rows.conditioning().max_stable_lr
    assert descent(rows, WEIGHT, BIAS, 1.01 * limit).epochs_to(2) is None
    assert descent(data(X, X @ WEIGHT.T), 0 * WEIGHT, BIAS, 0.5 * limit).epochs_to(2) is None
    best = rows.optimum()
    assert descent(rows, best.weight, best.bias, 0.5 * limit).epochs_to(1.1) == 0


def test_null_directions_do_not_matter():
    found = descent(data(X[:2], Y[:2] * 0 + [[1.0, 2], [3, 4]]), WEIGHT, BIAS, 1e-3)
    assert found.optimum_loss + found.gap(200) == pytest.approx(
        simulate(X[:2], np.array([[1.0, 2], [3, 4]]), 1e-3, 200)[-1], rel=1e-9
    )


def largest(x, rows):
    a = np.c_[x, np.ones(len(x))][rows]
    return np.linalg.eigvalsh(2 / (len(rows) * 2) * a.T @ a)[-1]


@pytest.mark.parametrize("size", [1, 4, 15, 40, 100])
def test_no_batch_is_steeper_than_the_bound(size):
    found = batch_stability(X, 2, size)
    steepest = max(
        largest(X, part) for _ in range(300) for part in np.split(GENERATOR.permutation(40), range(size, 40, size))
    )
    if found.exact:
        assert found.lambda_max == pytest.approx(steepest, rel=1e-12)
    assert steepest <= found.lambda_max * (1 + 1e-12)
    assert found.lambda_max <= streamed_batch_stability(data(X, Y), size).lambda_max * (1 + 1e-12)
    assert found.lambda_max < 4 * steepest
    assert found.exact is (size in (1, 40, 100))


def test_a_small_last_batch_is_steeper():
    found = batch_stability(np.array([[10.0], [0.1], [0.1]]), 1, 2)
    assert found.lambda_max == pytest.approx(2 * (10**2 + 1))
