"""The three models: one start, torch's own; one prediction; one gradient, by hand and by autograd."""

import pytest
import torch
from torch import Generator, Tensor, nn

from experiments.learning.losses import MSE, Huber
from experiments.learning.models import Analytic, Manual, evaluating, is_linear, load_state, place, start, state


def seeded(seed: int) -> Generator:
    return Generator().manual_seed(seed)


@pytest.mark.parametrize("seed", [0, 1, 2**63 - 1])
@pytest.mark.parametrize("bias", [True, False])
def test_uniform_start_is_torchs_own_linear(seed: int, bias: bool) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        theirs = nn.Linear(3, 2, bias=bias)
    weight, intercept = start("uniform", 3, 2, bias, seeded(seed))
    assert torch.equal(weight, theirs.weight)
    assert (intercept is None) == (not bias)
    if intercept is not None:
        assert torch.equal(intercept, theirs.bias)


def test_normal_start_is_the_tutorials_randn() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(7)
        w, b = torch.randn(2, 3), torch.randn(2)
    weight, bias = start("normal", 3, 2, True, seeded(7))
    assert bias is not None
    assert torch.equal(weight, w) and torch.equal(bias, b)


def test_zero_start_draws_nothing() -> None:
    generator = seeded(3)
    before = generator.get_state()
    weight, bias = start("zeros", 3, 2, True, generator)
    assert bias is not None
    assert not weight.any() and not bias.any()
    assert torch.equal(generator.get_state(), before)


def test_global_generator_is_never_touched() -> None:
    before = torch.get_rng_state()
    start("uniform", 3, 2, True, seeded(0))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("bias", [True, False])
def test_the_three_models_predict_the_same(bias: bool) -> None:
    generator = seeded(0)
    x = torch.randn(10, 3, generator=generator, dtype=torch.float64)
    tensors = {"weight": torch.randn(2, 3, generator=generator, dtype=torch.float64)}
    if bias:
        tensors["bias"] = torch.randn(2, generator=generator, dtype=torch.float64)
    predictions = []
    for kind in (nn.Linear, Manual, Analytic):
        model = kind(3, 2, bias=bias)
        place(model, torch.device("cpu"), torch.float64)
        load_state(model, tensors)
        assert is_linear(model)
        assert len(list(model.parameters())) == 1 + bias
        predictions.append(model(x).detach())
    expected = torch.einsum("nf,tf->nt", x, tensors["weight"]) + tensors.get("bias", torch.zeros(()))
    for prediction in predictions:
        torch.testing.assert_close(prediction, expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("loss", [MSE(), Huber(0.5)])
@pytest.mark.parametrize("bias", [True, False])
def test_analytic_gradient_is_autograds(loss: MSE | Huber, bias: bool) -> None:
    generator = seeded(1)
    x, y = (torch.randn(20, k, generator=generator, dtype=torch.float64) for k in (3, 2))
    weight, intercept = start("normal", 3, 2, bias, generator)
    manual, analytic = Manual(3, 2, bias), Analytic(3, 2, bias)
    for model in (manual, analytic):
        place(model, torch.device("cpu"), torch.float64)
        load_state(model, {"weight": weight} if intercept is None else {"weight": weight, "bias": intercept})
    loss(manual(x), y).backward()
    analytic.backward(x, loss.gradient(analytic(x), y))
    for by_autograd, by_hand in zip(manual.parameters(), analytic.parameters(), strict=True):
        assert by_autograd.grad is not None and by_hand.grad is not None
        assert by_hand.grad.shape == by_hand.shape
        torch.testing.assert_close(by_hand.grad, by_autograd.grad, rtol=1e-13, atol=1e-15)


def test_manual_parameters_stay_leaves_that_need_a_gradient() -> None:
    model = Manual(3, 2)
    place(model, torch.device("cpu"), torch.float64)
    assert all(p.is_leaf and p.requires_grad and p.dtype == torch.float64 for p in model.parameters())
    assert not any(p.requires_grad for p in Analytic(3, 2).parameters())


@pytest.mark.parametrize("kind", [nn.Linear, Manual, Analytic])
def test_load_state_writes_into_the_same_tensors(kind: type) -> None:
    model = kind(3, 2)
    held = list(model.parameters())
    load_state(model, {"weight": torch.full((2, 3), 2.0), "bias": torch.ones(2)})
    assert all(a is b for a, b in zip(held, model.parameters(), strict=True))
    assert state(model).keys() == {"weight", "bias"}
    assert all(not t.requires_grad for t in state(model).values())
    assert torch.equal(state(model)["weight"], torch.full((2, 3), 2.0))


def test_is_linear_is_exact() -> None:
    class Bent(nn.Linear):
        def forward(self, input: Tensor) -> Tensor:
            return super().forward(input).relu()

    assert not is_linear(Bent(3, 2))
    assert not is_linear(nn.Sequential(nn.Linear(3, 2)))


def test_evaluating_puts_back_what_was_training() -> None:
    net = nn.Sequential(nn.Linear(3, 2), nn.Dropout(0.5), nn.BatchNorm1d(2))
    net[2].eval()  # frozen by its owner
    with evaluating(net):
        assert not any(part.training for part in net.modules())
    assert [part.training for part in net.modules()] == [True, True, True, False]
    with evaluating(Manual(3, 2)):
        pass
