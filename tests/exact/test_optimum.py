"""Exact least squares against NIST's certified values, peers, and the tutorial's numbers."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression

from experiments.errors import UserError
from experiments.exact import optimum
from experiments.exact.optimum import LeastSquares, columns_alone, solve
from experiments.exact.penalized import penalized_optimum
from experiments.exact.robust import absolute_optimum, huber_optimum
from experiments.exact.solution import NoOptimum, Optimum, Penalty

CROPS = np.array(
    [
        [73, 67, 43, 56, 70], [91, 88, 64, 81, 101], [87, 134, 58, 119, 133], [102, 43, 37, 22, 37],
        [69, 96, 70, 103, 119], [74, 66, 43, 57, 69], [91, 87, 65, 80, 102], [88, 134, 59, 118, 132],
        [101, 44, 37, 21, 38], [68, 96, 71, 104, 118], [73, 66, 44, 57, 69], [92, 87, 64, 82, 100],
        [87, 135, 57, 118, 134], [103, 43, 36, 20, 38], [68, 97, 70, 102, 120],
    ],
    dtype=np.float64,
)  # fmt: skip
X, Y = CROPS[:, :3], CROPS[:, 3:]

# what the data allow once rounded to float64: Filip 7.6, Wampler2 13.2, Pontius 13.5
NIST = {
    "norris": 14.0, "longley": 14.0, "noint1": 14.5, "noint2": 15.0, "pontius": 13.4, "filip": 6.0,
    "wampler1": 15.5, "wampler2": 13.1, "wampler3": 15.5, "wampler4": 15.5, "wampler5": 15.5,
}  # fmt: skip


def nist(name):
    """(x, y, bias, certified coefficients, intercept first)"""
    path = Path(__file__).parent / "nist" / f"{name}.txt"
    head = path.read_text().splitlines()[2]
    certified = np.array([float(value) for value in head.removeprefix("# certified:").split()])
    table, bias = np.loadtxt(path), not name.startswith("noint")
    powers = len(certified) - bias
    # products, which are exact here: numpy 1.26's powers are not
    x = table[:, 1:] if table.shape[1] == powers + 1 else np.cumprod(table[:, [1] * powers], axis=1)
    return x, table[:, :1], bias, certified


def digits(found, certified):
    error = np.max(np.abs(found - certified) / np.abs(certified))
    return 16.0 if error == 0 else min(16.0, -np.log10(error))


def coefficients(found, bias):
    return np.r_[found.bias, found.weight[0]] if bias else found.weight[0]


@pytest.mark.parametrize("name", NIST)
def test_certified_digits_and_those_of_the_best_peer(name):
    x, y, bias, certified = nist(name)
    found = solve(x, y, bias)
    own = digits(coefficients(found, bias), certified)
    a = np.c_[np.ones(len(x)), x] if bias else x
    peers = [np.linalg.lstsq(a, y, rcond=None)[0][:, 0]]
    for driver in ("gelsy", "gelsd", "gels"):
        peers.append(torch.linalg.lstsq(torch.tensor(a), torch.tensor(y), driver=driver).solution.numpy()[:, 0])
    model = LinearRegression(fit_intercept=bias, tol=0).fit(x, y[:, 0])
    peers.append(np.r_[model.intercept_, model.coef_] if bias else model.coef_)
    assert own >= NIST[name]
    assert own >= max(digits(peer, certified) for peer in peers) - 1
    assert found.unique
    assert found.rank == len(certified)


@pytest.mark.parametrize("name", NIST)
@pytest.mark.parametrize("rows", [1, 7])
def test_a_small_stream_has_the_digits_of_the_table_in_memory(name, rows):
    x, y, bias, certified = nist(name)
    data = LeastSquares(bias)
    for first in range(0, len(x), rows):
        data.add(x[first : first + rows], y[first : first + rows])
    assert digits(coefficients(data.optimum(), bias), certified) >= NIST[name]


@pytest.mark.parametrize("name", NIST)
def test_one_pass_over_more_rows_than_are_kept_is_within_a_digit_of_the_best_peer(name):
    """The rows repeated: the certified coefficients stay. 1,000 times to keep this quick; benchmarks/digits.py more."""
    x, y, bias, certified = nist(name)
    x, y = np.tile(x, (1000, 1)), np.tile(y, (1000, 1))
    data = LeastSquares(bias)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(optimum, "REFINED_NUMBERS", 0)
        for first in range(0, len(x), 4096):
            data.add(x[first : first + 4096], y[first : first + 4096])
        found = data.optimum()
    a = np.c_[np.ones(len(x)), x] if bias else x
    peers = [np.linalg.lstsq(a, y, rcond=None)[0][:, 0]]
    model = LinearRegression(fit_intercept=bias, tol=0).fit(x, y[:, 0])
    peers.append(np.r_[model.intercept_, model.coef_] if bias else model.coef_)
    own = digits(coefficients(found, bias), certified)
    assert own >= max(digits(peer, certified) for peer in peers) - 1


def test_rows_are_let_go_of_when_they_are_many(monkeypatch):
    monkeypatch.setattr(optimum, "REFINED_NUMBERS", 99)
    data = LeastSquares()
    data.add(X[:10], Y[:10])
    before = data.optimum()
    assert data._kept
    for _ in range(3):
        data.add(X[10:], Y[10:])
    assert data._kept is None
    assert data.optimum().weight != pytest.approx(before.weight)
    whole = solve(np.r_[X[:10], np.tile(X[10:], (3, 1))], np.r_[Y[:10], np.tile(Y[10:], (3, 1))])
    assert data.optimum().weight == pytest.approx(whole.weight, rel=1e-10)


def test_certified_residuals():
    assert solve(*nist("longley")[:2]).loss == pytest.approx(836424.055505915 / 16, rel=1e-14)
    assert solve(*nist("filip")[:2]).loss == pytest.approx(0.795851382172941e-3 / 82, rel=1e-9)
    assert solve(*nist("wampler1")[:2]).loss == 0.0


@pytest.mark.parametrize(("rows", "loss"), [(5, 0.48312122205820185), (15, 0.9094459849188882)])
def test_the_smallest_loss_of_the_tutorial(rows, loss):
    assert solve(X[:rows], Y[:rows]).loss == pytest.approx(loss, rel=1e-12)


@pytest.mark.parametrize(("rows", "apples", "oranges"), [(5, 53.4228, 67.1162), (15, 53.7956, 66.8065)])
def test_the_exact_prediction_of_the_tutorial(rows, apples, oranges):
    found = solve(torch.tensor(X[:rows], dtype=torch.float32), torch.tensor(Y[:rows], requires_grad=True))
    assert found.weight @ [75, 63, 44] + found.bias == pytest.approx([apples, oranges], abs=5e-5)


@pytest.mark.parametrize(("rows", "top", "condition"), [(5, 17909.4626, 2.186e6), (15, 17928.9769, 2.201e6)])
def test_conditioning_of_the_tutorial(rows, top, condition):
    found = columns_alone(X[:rows], 2).conditioning()
    a = np.c_[X[:rows], np.ones(rows)]
    assert found.eigenvalues == pytest.approx(np.linalg.eigvalsh(a.T @ a / rows), rel=1e-9)
    assert found.lambda_max == pytest.approx(top, rel=3e-9)
    assert found.condition_number == pytest.approx(condition, rel=3e-4)
    assert found.max_stable_lr == pytest.approx(2 / top, rel=3e-9)
    assert found.rank == 4


def test_conditioning_of_standardised_columns_and_without_bias():
    z = (X - X.mean(0)) / X.std(0)
    a = np.c_[z, np.ones(15)]
    standardized = columns_alone(X, 2).conditioning(standardized=True)
    assert standardized.eigenvalues == pytest.approx(np.linalg.eigvalsh(a.T @ a / 15), rel=1e-9)
    assert 6 < standardized.condition_number < 8
    assert columns_alone(X, 2, bias=False).conditioning().eigenvalues == pytest.approx(
        np.linalg.eigvalsh(X.T @ X / 15), rel=1e-9
    )


def test_a_penalty_conditions_the_weights_but_not_the_bias():
    a, penalty = np.c_[X, np.ones(15)], 2 * np.diag([1, 1, 1, 0.0])
    found = columns_alone(X, 2).conditioning(l2=0.5)
    assert found.eigenvalues == pytest.approx(np.linalg.eigvalsh(a.T @ a / 15 + 0.5 * penalty), rel=1e-9)
    copies = columns_alone(np.c_[X, X], 2)
    penalised = copies.conditioning(l2=0.5)
    assert penalised.rank == 7 and penalised.condition_number < 1e7 < copies.conditioning().condition_number


def test_condition_number_of_filip_is_that_of_the_literature():
    x = nist("filip")[0]
    assert np.sqrt(columns_alone(x, 1).conditioning().condition_number) == pytest.approx(1767966769500694.8, rel=1e-2)


def test_small_eigenvalues_are_not_lost_in_the_rounding_of_large_ones():
    a, b = np.array([1.0, -1, 1, -1]), np.array([1.0, 1, -1, -1])
    found = columns_alone(np.c_[1e8 * (a + b), 1e-12 * a], 1, bias=False).conditioning()
    assert found.eigenvalues == pytest.approx([2 * 1e-24 / 2, 2 * 2e16], rel=1e-9, abs=0)  # product: the determinant


@pytest.mark.parametrize("bias", [True, False])
def test_blocks_give_what_the_whole_table_gives(bias):
    generator = np.random.default_rng(0)
    x = generator.normal(5, 2, (9000, 7)) * 10.0 ** np.arange(-3, 4)
    y = x[:, :2] + generator.normal(size=(9000, 2))
    data = LeastSquares(bias)
    for part in np.array_split(np.arange(9000), 30):
        data.add(x[part], y[part])
    a = np.c_[x, np.ones(9000)] if bias else x
    expected = np.linalg.lstsq(a / np.linalg.norm(a, axis=0), y, rcond=None)[0] / np.linalg.norm(a, axis=0)[:, None]
    found = data.optimum()
    assert found.weight == pytest.approx(expected[:7].T, rel=1e-8, abs=1e-12)
    assert found.loss == pytest.approx(np.mean((a @ expected - y) ** 2), rel=1e-11)
    assert solve(x, y, bias).weight == pytest.approx(found.weight, rel=1e-8, abs=1e-12)
    assert data.rows == 9000
    assert data.mean == pytest.approx(np.r_[x.mean(0), y.mean(0)], rel=1e-12)
    assert data.std == pytest.approx(np.r_[x.std(0), y.std(0)], rel=1e-12)
    assert data.largest_row == pytest.approx(np.max(np.sum(x**2, 1)))


def test_a_constant_column_gets_no_weight_and_one_row_is_its_own_mean():
    x = np.c_[X, np.full(15, 0.1)]
    found = solve(x, Y)
    assert not found.unique
    assert found.weight[:, 3].tolist() == [0, 0]
    assert found.weight[:, :3] == pytest.approx(solve(X, Y).weight, rel=1e-9)
    single = solve(X[:1], Y[:1])
    assert single.bias.tolist() == [56, 70]
    assert (single.loss, single.rank, single.unique) == (0.0, 1, False)


@pytest.mark.parametrize("scale", [1e-160, 1e160])
def test_units_do_not_matter(scale):
    assert solve(X * scale, Y).weight * scale == pytest.approx(solve(X, Y).weight, rel=1e-13)


@pytest.mark.parametrize("level", [0.0, 1e6])
def test_a_loss_above_the_rounding_of_the_targets_is_not_zero(level):
    x = np.arange(8.0)[:, None]
    y = level + 1e3 * x + np.array([1e-6, -1e-6] * 4)[:, None]
    a = np.c_[x, np.ones(8)]
    rest = y - level - 1e3 * x
    residual = rest - a @ np.linalg.lstsq(a, rest, rcond=None)[0]
    data = LeastSquares()
    data.add(x, y)
    for found in (solve(x, y), data.optimum()):
        assert found.loss == pytest.approx(np.mean(residual**2), rel=1e-3)


def test_mistakes_are_one_line():
    for x, y in [(X, Y[:4]), (X * np.nan, Y), (X[:0], Y[:0]), (X[None], Y)]:
        with pytest.raises(UserError) as caught:
            solve(x, y)
        assert "\n" not in str(caught.value)


def test_squares_beyond_float64_are_infinite_and_not_zero():
    assert solve(X, Y * 1e160).loss == np.inf
    data = LeastSquares()
    data.add(X, Y * 1e160)
    assert data.factored().loss == np.inf
    penalty = penalized_optimum(data, Penalty(1.0))
    assert isinstance(penalty, NoOptimum) and "too large" in penalty.reason
    absolute, huber = absolute_optimum(X, Y * 1e160), huber_optimum(X, Y * 1e160, 1e160)
    assert isinstance(absolute, Optimum) and isinstance(huber, NoOptimum)
    assert absolute.loss < np.inf
