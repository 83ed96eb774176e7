"""The active set against scikit-learn's coordinate descent; the certificate against losses that are larger."""

import numpy as np
import pytest
from sklearn.linear_model import Lasso

from experiments.exact.lasso import _step as step
from experiments.exact.lasso import duality_gap, lasso

GENERATOR = np.random.default_rng(0)


def loss(columns, goal, l1, w):
    return np.sum((goal - columns @ w) ** 2) / 2 + l1 @ np.abs(w)


@pytest.mark.parametrize("shape", [(30, 5), (200, 60), (20, 80)])
@pytest.mark.parametrize("share", [0.9, 0.1, 1e-3])
def test_the_weights_of_coordinate_descent(shape: tuple[int, int], share: float) -> None:
    columns = GENERATOR.normal(size=shape) @ (np.eye(shape[1]) + 0.3)  # correlated
    goal = GENERATOR.normal(size=shape[0])
    top = np.max(np.abs(columns.T @ goal))
    w = lasso(columns, goal, np.full(shape[1], share * top))
    model = Lasso(alpha=share * top / shape[0], fit_intercept=False, tol=1e-14, max_iter=10**6).fit(columns, goal)
    assert w == pytest.approx(model.coef_, abs=1e-6 * np.max(np.abs(w)))
    assert np.count_nonzero(w) == np.count_nonzero(model.coef_)
    assert not lasso(columns, goal, np.full(shape[1], 1.0001 * top)).any()


def test_weights_may_be_penalised_differently_and_some_not_at_all() -> None:
    columns, goal = GENERATOR.normal(size=(50, 6)), GENERATOR.normal(size=50)
    l1 = np.array([0, 0, 1.0, 2, 30, 1e9])
    w = lasso(columns, goal, l1)
    pull = columns.T @ (goal - columns @ w)
    assert pull[:2] == pytest.approx([0, 0], abs=1e-12)
    assert w[5] == 0 and np.all(np.abs(pull) <= l1 + 1e-12)
    assert pull[w != 0] == pytest.approx((l1 * np.sign(w))[w != 0], abs=1e-12)
    assert lasso(columns, goal, np.zeros(6)) == pytest.approx(np.linalg.lstsq(columns, goal, rcond=None)[0])


def test_copies_with_opposite_pulls_do_not_stop_it() -> None:
    """More zeros want to leave than there are rows: along the directions without curvature the penalty decides."""
    columns = np.repeat(GENERATOR.normal(size=(4, 10)), 3, axis=1) * np.tile([1.0, -1, 2], 10)
    goal = GENERATOR.normal(size=4)
    l1 = np.full(30, 1e-3)
    w = lasso(columns, goal, l1)
    assert 0 <= duality_gap(columns, goal, l1, w) < 1e-13
    assert np.all(w.reshape(10, 3)[:, :2] == 0)  # the copy of twice the length is cheaper


def test_the_certificate_is_above_the_true_distance() -> None:
    columns, goal, l1 = GENERATOR.normal(size=(40, 8)), GENERATOR.normal(size=40), np.full(8, 5.0)
    w = lasso(columns, goal, l1)
    assert duality_gap(columns, goal, l1, w) == pytest.approx(0, abs=1e-14)
    for _ in range(50):
        other = w + GENERATOR.normal(size=8) * 10.0 ** GENERATOR.integers(-6, 1)
        above = loss(columns, goal, l1, other) - loss(columns, goal, l1, w)
        assert duality_gap(columns, goal, l1, other) >= above * (1 - 1e-6)
    assert duality_gap(columns, goal, np.zeros(8), w) > 0


def test_it_ends_when_nothing_but_rounding_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step for each weight that leaves or enters, and two more; it went on for 10,000 where rounding had no end."""
    taken = []
    monkeypatch.setattr("experiments.exact.lasso._step", lambda *given: taken.append(1) or step(*given))
    for _ in range(50):
        columns, goal, l1 = GENERATOR.normal(size=(50, 5)), GENERATOR.normal(size=50), np.full(5, 5.0)
        taken.clear()
        assert duality_gap(columns, goal, l1, lasso(columns, goal, l1)) < 1e-13
        assert len(taken) <= 15
