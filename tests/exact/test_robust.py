"""Mean absolute error against scipy's linear programs, Huber's loss against torch's gradient; hostile tables."""

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from experiments.errors import UserError
from experiments.exact import robust
from experiments.exact.minimum_norm import orthonormal_basis
from experiments.exact.optimum import solve
from experiments.exact.robust import absolute_optimum, huber, huber_optimum
from experiments.exact.solution import NoOptimum, Optimum

linprog: Any = optimize.linprog  # pyright takes ten seconds over what scipy has it return
GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(2, 1, (60, 3)) * [1, 10, 0.1]
Y = X @ [[1.0, 0], [2, 1], [0, -30]] + GENERATOR.standard_t(1.5, (60, 2)) + [5, -100]


def table(kind: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Up to 40 rows with ties, short rank, fewer rows than features, or outliers."""
    g = np.random.default_rng(seed)
    n, d = int(g.integers(1, 40)), int(g.integers(1, 6))
    x, y = g.normal(size=(n, d)), g.standard_cauchy(n)
    if kind == "whole numbers":
        x, y = g.integers(-2, 3, (n, d)).astype(float), g.integers(-2, 3, n).astype(float)
    elif kind == "flags":
        x, y = g.integers(0, 2, (n, d)).astype(float), g.integers(0, 2, n).astype(float)
    elif kind == "dependent":
        x, y = np.c_[x, x[:, :1], np.zeros(n), x.sum(1)][g.integers(0, n, n)], np.round(y)
    elif kind == "units":
        x, y = x * 10.0 ** g.integers(-9, 9, d), 1e6 * y + 1e7
    return x, y


KINDS = ["plain", "whole numbers", "flags", "dependent", "units"]


def by_linear_program(x: np.ndarray, y: np.ndarray, bias: bool) -> float:
    """The smallest mean absolute error, from the primal program: residuals split into two positive parts."""
    a = np.c_[x, np.ones(len(x))] if bias else x
    a = a / np.where(np.any(a, axis=0), np.linalg.norm(a, axis=0), 1)
    n, k = a.shape
    unit = np.max(np.abs(y)) or 1.0
    cost = np.r_[np.zeros(k), np.full(2 * n, 1 / n)]
    free = [(None, None)] * k + [(0, None)] * (2 * n)
    found = linprog(cost, A_eq=np.hstack([a, np.eye(n), -np.eye(n)]), b_eq=y / unit, bounds=free, method="highs")
    return float(found.fun * unit)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.sampled_from(KINDS), st.integers(0, 2**32), st.booleans())
def test_the_mean_absolute_error_is_that_of_a_linear_program(kind: str, seed: int, bias: bool) -> None:
    x, y = table(kind, seed)
    found = absolute_optimum(x, y, bias)
    assert isinstance(found, Optimum)
    size = float(np.max(np.abs(y)))
    assert found.loss == pytest.approx(by_linear_program(x, y, bias), rel=1e-9, abs=1e-9 * size)
    assert np.mean(np.abs(y - x @ found.weight[0] - found.bias)) == pytest.approx(
        found.loss, rel=1e-9, abs=1e-12 * size
    )
    assert found.data_loss == found.loss


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.sampled_from(KINDS), st.integers(0, 2**32), st.booleans(), st.sampled_from([10.0, 1.0, 0.1, 1e-3, 1e-7, 1e-11])
)
def test_no_direction_lowers_hubers_loss(kind: str, seed: int, bias: bool, delta: float) -> None:
    """Torch's gradient is zero at the optimum, relative to its terms; the loss is convex."""
    x, y = table(kind, seed)
    delta *= float(np.median(np.abs(y))) or 1.0
    found = huber_optimum(x, y, delta, bias)
    assert isinstance(found, Optimum)
    a = torch.from_numpy(np.c_[x, np.ones(len(x))] if bias else x)
    a = a / a.norm(dim=0).clamp_min(1e-300)
    prediction = torch.from_numpy(x @ found.weight[0] + found.bias).requires_grad_()
    loss = F.huber_loss(prediction, torch.from_numpy(y), delta=delta)
    loss.backward()
    assert prediction.grad is not None
    rounding = 1e-9 * float(np.max(np.abs(y))) / len(y)
    assert (a.T @ prediction.grad).abs().max() <= max(1e-8 * float(prediction.grad.norm()), rounding)
    assert loss.item() == pytest.approx(found.loss, rel=1e-9, abs=1e-20 * float(np.max(np.abs(y))) ** 2)


def test_of_several_targets_each_is_solved_by_itself_and_the_loss_is_the_mean_over_all() -> None:
    both, ones = absolute_optimum(X, Y), [absolute_optimum(X, Y[:, t]) for t in range(2)]
    assert isinstance(both, Optimum) and both.unique and both.rank == 4
    assert both.loss == pytest.approx(np.mean([by_linear_program(X, Y[:, t], True) for t in range(2)]), rel=1e-10)
    for t, one in enumerate(ones):
        assert isinstance(one, Optimum)
        assert both.weight[t] == pytest.approx(one.weight[0], rel=1e-9)
        assert both.bias[t] == pytest.approx(one.bias[0], rel=1e-9)
    left = np.abs(Y - X @ both.weight.T - both.bias)
    assert np.sum(left < 1e-9, axis=0).tolist() == [4, 4]  # through as many rows as there are coefficients


def test_between_the_two_others() -> None:
    """A wide bound gives least squares / 2, a narrow one the mean absolute error times delta."""
    wide, narrow = huber_optimum(X, Y, 1e6), huber_optimum(X, Y, 1e-9)
    squares, absolute = solve(X, Y), absolute_optimum(X, Y)
    assert isinstance(wide, Optimum) and isinstance(narrow, Optimum) and isinstance(absolute, Optimum)
    assert wide.loss == pytest.approx(squares.loss / 2, rel=1e-13)
    assert wide.weight == pytest.approx(squares.weight, rel=1e-10)
    assert narrow.loss / 1e-9 == pytest.approx(absolute.loss, rel=1e-8)
    assert narrow.weight == pytest.approx(absolute.weight, rel=1e-6)
    narrowest = huber_optimum(X, Y, 1e-100)
    assert isinstance(narrowest, Optimum) and narrowest.loss / 1e-100 == pytest.approx(absolute.loss, rel=1e-12)


@pytest.mark.parametrize(("y", "middle", "unique"), [([1, 2, 9.0], 2, True), ([1, 2, 4, 9.0], None, False)])
def test_without_information_the_median_is_best(y: list[float], middle: float | None, unique: bool) -> None:
    found = absolute_optimum(np.zeros((len(y), 1)), y)
    assert isinstance(found, Optimum)
    assert found.loss == pytest.approx(np.mean(np.abs(np.array(y) - np.median(y))))
    assert found.weight.tolist() == [[0.0]]
    assert 2 <= found.bias[0] <= 4
    assert middle is None or found.bias[0] == pytest.approx(middle, rel=1e-15)
    alone = absolute_optimum(np.ones((len(y), 1)), y, bias=False)
    assert isinstance(alone, Optimum) and alone.unique is unique and not found.unique  # no weight matters in `found`


def test_an_exact_line_is_found_below_its_outliers() -> None:
    """300 of 1,000 rows moved away: mean absolute error does not see how far, and the other rows are met exactly."""
    x = GENERATOR.normal(size=(1000, 2))
    y = x @ [3.0, -1.0] + 7
    y[:300] += GENERATOR.uniform(1, 1e3, 300)
    found = absolute_optimum(x, y)
    assert isinstance(found, Optimum) and found.unique
    assert found.weight[0] == pytest.approx([3, -1], rel=1e-11)
    assert found.bias[0] == pytest.approx(7, rel=1e-11)


@pytest.mark.parametrize("scale", [1e-150, 1e150])
def test_units_do_not_matter(scale: float) -> None:
    for solver in (absolute_optimum, lambda x, y: huber_optimum(x, y, np.abs(y).max() / 1e4)):
        found, other = solver(X, Y[:, :1]), solver(X * scale, Y[:, :1] * scale)
        assert isinstance(found, Optimum) and isinstance(other, Optimum)
        assert other.weight == pytest.approx(found.weight, rel=1e-9)


def test_digits_survive_large_means() -> None:
    x, y = X + 2.0**30, Y[:, :1] + 2.0**30
    x, y = np.round(x * 2**20) / 2**20, np.round(y * 2**20) / 2**20  # exact in float64, before and after the shift
    found, near = absolute_optimum(x, y), absolute_optimum(x - 2.0**30, y - 2.0**30)
    assert isinstance(found, Optimum) and isinstance(near, Optimum)
    assert found.loss == pytest.approx(near.loss, rel=1e-12)
    assert found.weight == pytest.approx(near.weight, rel=1e-9)


@pytest.mark.parametrize("solver", [absolute_optimum, lambda x, y: huber_optimum(x, y, 1.0)])
def test_targets_that_are_fitted_exactly_have_no_loss(solver) -> None:
    for x, y in [(X, np.full(60, 0.1)), (X, X @ [1.0, 2, 3]), (X[:2], Y[:2]), (X[:1], Y[:1])]:
        found = solver(x, y)
        assert found.loss == 0.0
        assert x @ found.weight.T + found.bias == pytest.approx(np.reshape(y, (len(x), -1)), rel=1e-12)


def test_the_loss_is_torchs() -> None:
    left = np.linspace(-3, 3, 13)
    expected = F.huber_loss(torch.from_numpy(left), torch.zeros(13, dtype=torch.float64), reduction="none", delta=0.7)
    assert huber(left, 0.7) == pytest.approx(expected.numpy(), rel=1e-15)


def test_a_large_table_is_told_and_a_wrong_one_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for x, y in [(X, Y[:4]), (X * np.nan, Y), (X[:0], Y[:0]), (X[None], Y)]:
        with pytest.raises(UserError):
            absolute_optimum(x, y)
    monkeypatch.setattr(robust, "LARGEST", 239)
    found = huber_optimum(X, Y, 1.0)
    assert isinstance(found, NoOptimum) and "here are 60 rows of 3 features" in found.reason
    monkeypatch.setattr(robust, "LARGEST", 240)
    monkeypatch.setattr(robust, "STEPS", 1)
    found = absolute_optimum(X, Y)
    assert isinstance(found, NoOptimum) and "1 steps" in found.reason


def test_the_dual_holds_the_loss_from_below() -> None:
    """At any residuals: the dual point is orthogonal to the model, within the bound, and no further below than said."""
    basis = orthonormal_basis(X, True)
    smallest = huber_optimum(X, Y[:, 0], 0.5)
    assert isinstance(smallest, Optimum)
    for _ in range(20):
        left = Y[:, 0] - X @ GENERATOR.normal(1, 0.1, 3) - 5 + GENERATOR.normal()
        step, dual, gap = robust._newton_step(basis, left - basis @ (basis.T @ left), 0.5)
        if gap < np.inf:
            residual = left - basis @ (basis.T @ left)
            assert basis.T @ dual == pytest.approx(np.zeros(4), abs=1e-12)
            assert np.max(np.abs(dual)) <= 0.5 * (1 + 1e-12) and len(step) == 4
            assert np.sum(huber(residual, 0.5)) - gap <= 60 * smallest.loss * (1 + 1e-12)
