"""Value, slope and curvature against torch's cross entropy and its automatic derivatives."""

import numpy as np
import pytest
import torch

from experiments.errors import UserError
from experiments.exact.cross_entropy import hessian, shares, slopes, value
from tests.support.cross_entropy import Entropy

GENERATOR = np.random.default_rng(0)
LOSSES = [
    Entropy(2), Entropy(2, (0.5, 3.0), 0.2), Entropy(4), Entropy(4, (1, 0, 2, 0.1)),
    Entropy(4, smoothing=0.3), Entropy(4, (1, 2, 3, 4), 1.0),
]  # fmt: skip


def rows(loss: Entropy, n: int = 12) -> tuple[np.ndarray, np.ndarray]:
    return GENERATOR.normal(0, 3, (n, loss.outputs)), GENERATOR.integers(0, loss.classes, n)


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_value_and_slope_are_torchs(loss: Entropy) -> None:
    logits, labels = rows(loss)
    z, q = torch.tensor(logits, requires_grad=True), loss.shares(labels)
    expected = loss.by_torch(z, labels)
    expected.backward()
    assert z.grad is not None
    gradient, p = slopes(logits, q)
    assert value(logits, q) == pytest.approx(expected.item(), rel=1e-14)
    assert gradient == pytest.approx(z.grad.numpy(), abs=1e-16)
    assert p.sum(1) == pytest.approx(np.ones(12), rel=1e-15)


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_the_hessian_is_torchs(loss: Entropy) -> None:
    a, labels = GENERATOR.normal(size=(12, 3)), rows(loss)[1]
    c = GENERATOR.normal(size=(loss.outputs, 3))

    def of(weight: torch.Tensor) -> torch.Tensor:
        return loss.by_torch(torch.from_numpy(a) @ weight.reshape(loss.outputs, 3).T, labels)

    expected = torch.autograd.functional.hessian(of, torch.from_numpy(c).flatten())
    q = loss.shares(labels)
    found = hessian(a, slopes(a @ c.T, q)[1], q)
    assert found == pytest.approx(np.asarray(expected), abs=1e-15)
    assert hessian(a, slopes(a @ c.T, q)[1], q, extra=0.5).shape == found.shape


def test_a_small_loss_keeps_its_digits() -> None:
    q = shares([1], 2)
    assert value(np.array([[50.0]]), q) == pytest.approx(np.exp(-50), rel=1e-14)
    assert value(np.array([[1000.0]]), q) == 0 and value(np.array([[-1000.0]]), q) == 1000
    assert slopes(np.array([[50.0]]), q)[0] == pytest.approx(-np.exp(-50), abs=1e-16)


def test_labels_of_any_kind_of_whole_number_and_no_others() -> None:
    for labels in ([0, 1], np.array([0.0, 1.0]), np.array([False, True]), np.array([0, 1], dtype=np.int8)):
        assert shares(labels, 2).tolist() == [[0.5, 0], [0, 0.5]]
    for labels in ([0, 2], [0.5, 1], [np.nan, 1], [[0, 1]], ["a", "b"], [-1, 0]):
        with pytest.raises(UserError, match="from 0 to 1"):
            shares(labels, 2)
    with pytest.raises(UserError, match="weigh 0"):
        shares([0, 1, 1], 3, (0, 0, 1))
    with pytest.raises(UserError, match="weigh 0"):
        shares([], 2)
