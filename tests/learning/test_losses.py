"""The losses against hand-computed numbers, and their gradients against autograd and finite differences."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from experiments.errors import UserError
from experiments.learning.losses import L1, MSE, Huber, ManualMSE, ResidualLoss

LOSSES: list[ResidualLoss] = [MSE(), ManualMSE(), L1(), Huber(), Huber(delta=0.3)]
by_name = pytest.mark.parametrize("loss", LOSSES, ids=str)


def batch(seed: int, rows: int = 5, targets: int = 2) -> tuple[Tensor, Tensor]:
    """Predictions and targets whose residuals lie on both sides of Huber's deltas."""
    generator = torch.Generator().manual_seed(seed)
    draws = torch.randn(2, rows, targets, generator=generator, dtype=torch.float64)
    return draws[0], draws[1]


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (MSE(), (9 + 0 + 0.25 + 16) / 4),
        (ManualMSE(), (9 + 0 + 0.25 + 16) / 4),
        (L1(), (3 + 0 + 0.5 + 4) / 4),
        (Huber(), (2.5 + 0 + 0.125 + 3.5) / 4),
        (Huber(delta=2.0), (4 + 0 + 0.125 + 6) / 4),
    ],
    ids=str,
)
def test_value_computed_by_hand(loss: ResidualLoss, expected: float) -> None:
    prediction = torch.tensor([[3.0, 1.0], [0.5, -2.0]])
    target = torch.tensor([[0.0, 1.0], [0.0, 2.0]])
    value = loss(prediction, target)
    assert value.shape == ()
    assert value.item() == pytest.approx(expected, rel=1e-6)


@by_name
@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**31), rows=st.integers(1, 9), targets=st.integers(1, 4))
def test_gradient_is_autograds(loss: ResidualLoss, seed: int, rows: int, targets: int) -> None:
    prediction, target = batch(seed, rows, targets)
    prediction.requires_grad_()
    loss(prediction, target).backward()
    torch.testing.assert_close(loss.gradient(prediction.detach(), target), prediction.grad, rtol=1e-12, atol=1e-15)


@by_name
def test_gradient_is_the_central_difference(loss: ResidualLoss) -> None:
    prediction, target = batch(seed=7)
    step = 1e-6
    gradient = loss.gradient(prediction, target)
    for row in range(prediction.shape[0]):
        for column in range(prediction.shape[1]):
            nudge = torch.zeros_like(prediction)
            nudge[row, column] = step
            slope = (loss(prediction + nudge, target) - loss(prediction - nudge, target)) / (2 * step)
            assert gradient[row, column].item() == pytest.approx(slope.item(), rel=1e-7, abs=1e-9)


@by_name
def test_gradient_is_zero_at_the_target_and_keeps_its_arguments(loss: ResidualLoss) -> None:
    prediction, target = batch(seed=3)
    before = prediction.clone(), target.clone()
    assert not loss.gradient(prediction, prediction.clone()).any()
    loss.gradient(prediction, target)
    assert torch.equal(prediction, before[0])
    assert torch.equal(target, before[1])


@by_name
def test_a_prediction_that_is_not_finite_shows_in_the_loss(loss: ResidualLoss) -> None:
    prediction, target = batch(seed=3)
    prediction[0, 0] = torch.nan
    assert loss(prediction, target).isnan()


def test_the_manual_mse_is_torchs() -> None:
    prediction, target = batch(seed=11, rows=15)
    assert ManualMSE()(prediction, target).item() == pytest.approx(MSE()(prediction, target).item(), rel=1e-14)


@pytest.mark.parametrize("delta", [0.0, -1.0, float("inf"), float("nan")])
def test_huber_refuses_a_delta_that_is_not_a_size(delta: float) -> None:
    with pytest.raises(UserError, match=r"loss\.delta=.*positive and finite"):
        Huber(delta=delta)
