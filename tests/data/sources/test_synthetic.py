"""The table drawn from known weights has the condition number, the noise and the truth that it was asked for."""

import dataclasses

import numpy as np
import pytest
import torch

from experiments.data.sources.synthetic import Synthetic


def hessian(x: torch.Tensor) -> np.ndarray:
    columns = np.hstack([x.numpy(), np.ones((len(x), 1))])
    return 2 / len(x) * columns.T @ columns


@pytest.mark.parametrize("features", [1, 2, 3, 10])
@pytest.mark.parametrize("condition", [1.0, 100.0, 1e6])
def test_hessian_has_the_condition_number(features: int, condition: float) -> None:
    data = Synthetic(n_rows=200, n_features=features, condition=condition).load()
    values = np.linalg.eigvalsh(hessian(data.x))
    assert values[-1] / values[0] == pytest.approx(condition, rel=1e-6)
    np.testing.assert_allclose(data.x.mean(0), 0, atol=1e-10 * condition**0.5)


def test_by_default_every_input_has_variance_one() -> None:
    data = Synthetic().load()
    assert data.x.shape == (1000, 3) and data.y.shape == (1000, 1)
    np.testing.assert_allclose(np.cov(data.x.numpy().T, bias=True), np.eye(3), atol=1e-12)


def test_targets_are_the_truth_and_the_noise() -> None:
    quiet = Synthetic(n_rows=50, n_targets=2, noise=0.0).load()
    assert quiet.truth is not None
    weight, bias = quiet.truth
    assert weight.shape == (2, 3) and bias.shape == (2,)
    assert torch.equal(quiet.y, quiet.x @ weight.t() + bias)
    noisy = Synthetic(n_rows=4000, n_targets=2, noise=0.5).load()
    assert noisy.truth is not None
    rest = noisy.y - noisy.x @ noisy.truth[0].t() - noisy.truth[1]
    assert rest.std().item() == pytest.approx(0.5, rel=0.05)


def test_the_seed_alone_decides() -> None:
    before = torch.get_rng_state()
    one, same, other = Synthetic(seed=0).load(), Synthetic(seed=0).load(), Synthetic(seed=1).load()
    assert torch.equal(one.x, same.x) and torch.equal(one.y, same.y)
    assert not torch.equal(one.x, other.x)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("rows", [1, 3, 4])
def test_fewer_rows_than_features_is_a_table_too(rows: int) -> None:
    data = Synthetic(n_rows=rows, n_features=4, condition=10.0).load()
    assert data.x.shape == (rows, 4) and torch.isfinite(data.x).all()


def test_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Synthetic().seed = 3  # type: ignore[misc]  # it is frozen: that is the test
