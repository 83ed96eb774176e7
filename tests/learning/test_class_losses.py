"""Cross-entropy against torch's own, autograd, and itself in stacks."""

import pytest
import torch
import torch.nn.functional as F

from experiments.errors import UserError
from experiments.learning.class_losses import CrossEntropy, ManualCrossEntropy, probabilities
from experiments.sweeps.stacked.stacked_losses import StackedLoss

CASES = [
    {},
    {"label_smoothing": 0.1},
    {"weight": True},
    {"weight": True, "label_smoothing": 0.3},
]


def drawn(classes: int, rows: int = 40, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits (rows, outputs) and class numbers (rows, 1)."""
    generator = torch.Generator().manual_seed(seed)
    outputs = 1 if classes == 2 else classes
    logits = 4 * torch.randn(rows, outputs, generator=generator, dtype=torch.float64)
    return logits, torch.randint(classes, (rows, 1), generator=generator).double()


def parts(classes: int, case: dict) -> dict:
    return case | ({"weight": tuple(1.0 + k for k in range(classes))} if case.get("weight") else {})


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("classes", [2, 3, 7])
@pytest.mark.parametrize("kind", [CrossEntropy, ManualCrossEntropy])
def test_value_and_gradient_are_torchs(kind: type[CrossEntropy], classes: int, case: dict) -> None:
    keys, (logits, y) = parts(classes, case), drawn(classes)
    loss, leaf = kind(**keys), logits.clone().requires_grad_()
    both = leaf if classes > 2 else torch.cat([torch.zeros_like(leaf), leaf], 1)
    weight = None if "weight" not in keys else torch.tensor(keys["weight"], dtype=torch.float64)
    expected = F.cross_entropy(both, y[:, 0].long(), weight, label_smoothing=keys.get("label_smoothing", 0.0))
    expected.backward()
    assert leaf.grad is not None
    torch.testing.assert_close(loss(logits, y), expected.detach(), rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(loss.gradient(logits, y), leaf.grad, rtol=1e-12, atol=1e-15)
    rows = loss.values(logits, y).sum() / loss.row_weights(logits, y).sum()
    torch.testing.assert_close(rows, expected.detach(), rtol=1e-12, atol=1e-14)


def test_two_classes_are_logistic_regression() -> None:
    logits, y = drawn(2)
    expected = F.binary_cross_entropy_with_logits(logits, y)
    torch.testing.assert_close(CrossEntropy()(logits, y), expected, rtol=1e-12, atol=0)
    torch.testing.assert_close(probabilities(logits)[:, 1:], logits.sigmoid())
    assert torch.equal(CrossEntropy().right(logits, y), (logits > 0) == (y == 1))


def test_large_logits_stay_finite() -> None:
    logits = torch.tensor([[1e4, 0.0, -1e4]], dtype=torch.float64)
    for loss in (CrossEntropy(), ManualCrossEntropy()):
        assert loss(logits, torch.tensor([[1.0]], dtype=torch.float64)).item() == 1e4
        assert loss.gradient(logits, torch.tensor([[1.0]], dtype=torch.float64)).tolist() == [[1, -1, 0]]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("classes", [2, 5])
def test_in_a_stack_each_run_has_what_it_has_alone_also_with_rows_filled_up(classes: int, case: dict) -> None:
    loss = CrossEntropy(**parts(classes, case))
    stack = StackedLoss(loss, torch.ones(1, 1, 1, dtype=torch.float64), standardized=False)
    runs = [drawn(classes, 9, seed) for seed in range(4)]
    logits = torch.stack([F.pad(one, (0, 0, 0, 3)) for one, _ in runs]).transpose(1, 2)
    y = torch.stack([F.pad(goal, (0, 0, 0, 3)) for _, goal in runs]).transpose(1, 2)
    variant = torch.zeros(4, dtype=torch.int64)
    means, right = stack.means(logits, y, 9, variant), stack.accuracy(logits, y, 9)
    slopes = stack.slopes(logits.clone(), y, 9, variant)
    for run, (one, goal) in enumerate(runs):
        torch.testing.assert_close(means[run], loss(one, goal), rtol=1e-12, atol=0)
        torch.testing.assert_close(slopes[run, :, :9].t(), loss.gradient(one, goal), rtol=1e-12, atol=1e-15)
        assert right[run] == loss.right(one, goal).double().mean()


@pytest.mark.parametrize(("keys", "said"), [({"weight": (1.0, 0.0)}, "weight"), ({"label_smoothing": 1.5}, "between")])
def test_what_makes_no_loss_is_refused(keys: dict, said: str) -> None:
    with pytest.raises(UserError, match=said):
        CrossEntropy(**keys)
