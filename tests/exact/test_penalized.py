"""Ridge, lasso and elastic net against scikit-learn, and against conditions that hold only at the optimum."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import ElasticNet, Ridge

from experiments.data.scaling import standardization
from experiments.exact import penalized
from experiments.exact.optimum import LeastSquares, solve
from experiments.exact.penalized import penalized_optimum
from experiments.exact.solution import NoOptimum, Optimum, Penalty
from tests.support.samples import sample, standardized


def squares(x: np.ndarray, y: np.ndarray, bias: bool = True, rows: int = 10**6) -> LeastSquares:
    found = LeastSquares(bias)
    for start in range(0, len(x), rows):
        found.add(x[start : start + rows], y[start : start + rows])
    return found


def best(x: np.ndarray, y: np.ndarray, penalty: Penalty, bias: bool = True) -> Optimum:
    found = penalized_optimum(squares(x, y, bias), penalty)
    assert isinstance(found, Optimum)
    return found


def objective(x, y, weight, bias, penalty: Penalty) -> float:
    y = np.reshape(y, (len(x), -1))
    return float(
        np.mean((y - x @ np.atleast_2d(weight).T - bias) ** 2)
        + penalty.l2 * np.sum(np.square(weight)) + penalty.l1 * np.sum(np.abs(weight))
    )  # fmt: skip


def peer(x, y, penalty: Penalty, bias: bool = True) -> float:
    """The loss that scikit-learn reaches: its objectives are sums over rows, or means over rows alone, halved."""
    n, targets = y.shape
    if penalty.l1 == 0:
        model = Ridge(alpha=penalty.l2 * n * targets, solver="svd", fit_intercept=bias).fit(x, y)
    else:
        l1, l2 = targets * penalty.l1 / 2, targets * penalty.l2
        model = ElasticNet(alpha=l1 + l2, l1_ratio=l1 / (l1 + l2), tol=1e-14, max_iter=20_000, fit_intercept=bias)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it says so when it did not reach its tolerance
            model.fit(x, y)
    return objective(x, y, model.coef_, model.intercept_, penalty)


TABLES = {
    "diabetes": (sample("diabetes")[0], sample("diabetes")[1][:, None]),
    "linnerud": sample("linnerud"),
    "cancer": (standardized(sample("breast_cancer")[0]), sample("breast_cancer")[1][:, None].astype(float)),
    "cancer, raw": (sample("breast_cancer")[0], sample("breast_cancer")[1][:, None].astype(float)),
    "digits": (sample("digits")[0], np.eye(10)[sample("digits")[1]]),
}
PENALTIES = [Penalty(1e-4), Penalty(1.0), Penalty(0, 1e-3), Penalty(0, 0.1), Penalty(1e-3, 1e-2)]


@pytest.mark.parametrize("penalty", PENALTIES, ids=str)
@pytest.mark.parametrize("name", TABLES)
def test_no_loss_of_scikit_learn_is_smaller(name: str, penalty: Penalty) -> None:
    x, y = TABLES[name]
    found = best(x, y, penalty)
    assert objective(x, y, found.weight, found.bias, penalty) == pytest.approx(found.loss, rel=1e-11)
    assert found.loss == pytest.approx(found.data_loss + penalty.of(found.weight), rel=1e-14)
    assert found.loss <= peer(x, y, penalty) * (1 + 1e-12)
    if name != "cancer, raw":  # where coordinate descent does not get there
        assert found.loss == pytest.approx(peer(x, y, penalty), rel=1e-8)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(
    st.integers(0, 2**32), st.booleans(), st.sampled_from([0.0, 1e-6, 1e-2, 1.0]),
    st.sampled_from([1e-5, 1e-3, 0.1, 1.0]), st.booleans(),
)  # fmt: skip
def test_no_weight_wants_to_change(seed: int, bias: bool, l2: float, l1: float, whole: bool) -> None:
    """The conditions of the optimum: the gradient of the squares is -l1 sign(w), or within l1 where w is 0."""
    g = np.random.default_rng(seed)
    n, d, targets = int(g.integers(1, 30)), int(g.integers(1, 40)), int(g.integers(1, 3))
    x, y = g.normal(1, 2, (n, d)), g.normal(size=(n, targets))
    if whole:  # with ties, copies and columns of zeros
        x, y = np.round(x)[:, g.integers(0, d, d)] * g.integers(0, 2, d), np.round(y)
    found = penalized_optimum(squares(x, y, bias), Penalty(l2, l1))
    if not isinstance(found, Optimum):  # one processor's rounding finds it, another's does not, and says so
        assert l2 == 0 and d >= n - bias and "was not found to 10 digits: columns almost depend" in found.reason
        return
    left = x @ found.weight.T + found.bias - y
    slope = 2 / y.size * left.T @ x + 2 * l2 * found.weight
    rounding = 1e-12 * (np.linalg.norm(x) * np.linalg.norm(y) / y.size + 1)
    assert np.all(np.abs(slope) <= l1 + rounding)
    assert np.all(np.abs(slope + l1 * np.sign(found.weight))[found.weight != 0] <= rounding)
    assert np.all(np.abs(left.mean(0)) <= rounding) or not bias
    assert found.bias.any() <= bias


def test_an_orthogonal_table_has_a_closed_form() -> None:
    """With x'x = n the ridge weight is that of least squares / (1 + l2), the lasso's is nearer to 0 by l1 / 2."""
    x = np.array([[1.0, 1], [1, -1], [-1, 1], [-1, -1]])
    y = x @ [[3.0], [-0.2]] + 5
    assert best(x, y, Penalty(0.25)).weight[0] == pytest.approx([3 / 1.25, -0.2 / 1.25], rel=1e-14)
    sparse = best(x, y, Penalty(0, 1.0))
    assert sparse.weight[0] == pytest.approx([2.5, 0], abs=1e-15) and sparse.weight[0, 1] == 0
    assert sparse.bias == pytest.approx([5])
    assert sparse.data_loss == pytest.approx(0.5**2 + 0.2**2)
    assert best(x, y, Penalty(1.0, 1.0)).weight[0, 0] == pytest.approx(2.5 / 2)


@pytest.mark.parametrize("penalty", PENALTIES, ids=str)
def test_a_stream_has_the_optimum_of_its_table(penalty: Penalty) -> None:
    x, y = TABLES["diabetes"]
    found = penalized_optimum(squares(x, y, rows=7), penalty)
    assert isinstance(found, Optimum)
    whole = best(x, y, penalty)
    assert found.loss == pytest.approx(whole.loss, rel=1e-12)
    assert found.weight == pytest.approx(whole.weight, rel=1e-8, abs=1e-9)


def test_weights_of_standardised_training_are_those_of_the_scaled_table() -> None:
    """A penalty is of weights as trained; `Scaling.original` brings them into the table's units."""
    x, y = torch.from_numpy(TABLES["linnerud"][0]), torch.from_numpy(TABLES["linnerud"][1])
    scaling = standardization(x, y, True)
    trained = best(scaling.inputs(x).numpy(), scaling.targets(y).numpy(), Penalty(0.1, 0.05))
    weight, bias = scaling.original(torch.from_numpy(trained.weight), torch.from_numpy(trained.bias))
    inside = scaling.inputs(x).numpy() @ trained.weight.T + trained.bias
    assert (x @ weight.T + bias).numpy() == pytest.approx(scaling.predictions(torch.from_numpy(inside)).numpy())
    assert trained.bias == pytest.approx([0, 0, 0], abs=1e-12)


def test_without_a_penalty_it_is_least_squares_and_copies_share_with_one() -> None:
    x, y = TABLES["diabetes"]
    assert best(x, y, Penalty()).weight.tolist() == solve(x, y).weight.tolist()
    twice = np.c_[x, x[:, :1], np.zeros(len(x))]
    ridge, lasso = best(twice, y, Penalty(1e-3)), best(twice, y, Penalty(0, 1e-3))
    assert ridge.unique and ridge.rank == lasso.rank == 11
    assert ridge.weight[0, 0] == pytest.approx(ridge.weight[0, 10], rel=1e-9) and ridge.weight[0, 11] == 0
    assert not lasso.unique and best(x, y, Penalty(0, 1e-3)).unique


def test_targets_without_spread_have_no_loss() -> None:
    x = TABLES["diabetes"][0]
    for penalty in PENALTIES:
        found = best(x, np.full((len(x), 1), 0.1), penalty)
        assert found.loss == pytest.approx(0, abs=1e-28) and found.bias == pytest.approx([0.1])


def test_what_is_not_proved_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(penalized, "lasso", lambda rows, goal, l1: np.full(len(l1), 1.0))
    found = penalized_optimum(squares(*TABLES["diabetes"]), Penalty(0, 1.0))
    assert isinstance(found, NoOptimum) and "not found to 10 digits" in found.reason
