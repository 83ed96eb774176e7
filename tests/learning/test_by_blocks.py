"""The update from a batch in pieces: that of the whole batch, by torch's own autograd and optimizer."""

import copy

import pytest
import torch
from torch import Generator, Tensor, nn

from experiments.data.workers import Share, Workers
from experiments.errors import UserError
from experiments.learning.by_blocks import by_blocks
from experiments.learning.class_losses import CrossEntropy
from experiments.learning.losses import MSE
from experiments.learning.models import Analytic
from experiments.learning.networks import MLP
from experiments.learning.optimizers import SGD, ManualOptimizer

SIZES = (5, 3, 8, 1)


def pieces(x: Tensor, y: Tensor) -> Share:
    """Places 0, 1, 3, 4 of five: the block at 2 has ended."""
    parts = zip(x.split(SIZES), y.split(SIZES), strict=True)
    return Share(dict(zip((0, 1, 3, 4), parts, strict=True)), blocks=5, seed=11)


def drawn(outputs: int) -> tuple[Tensor, Tensor]:
    generator = Generator().manual_seed(0)
    x = torch.randn(sum(SIZES), 4, generator=generator, dtype=torch.float64)
    return x, torch.randn(sum(SIZES), outputs, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("analytic", [True, False])
def test_pieces_of_a_batch_take_the_step_of_the_whole(analytic: bool) -> None:
    x, y = drawn(2)
    linear = nn.Linear(4, 2, dtype=torch.float64)
    peer = copy.deepcopy(linear)
    model = linear
    if analytic:
        model = Analytic(4, 2)
        model.weight, model.bias = linear.weight.detach().clone(), linear.bias.detach().clone()
    optimizer = ManualOptimizer(model.parameters(), SGD(), 0.1)
    by_blocks(model, MSE(), optimizer, Workers())(pieces(x, y), 0)
    nn.functional.mse_loss(peer(x), y).backward()
    torch.optim.SGD(peer.parameters(), lr=0.1).step()
    assert torch.allclose(model.weight, peer.weight, rtol=1e-13)
    assert model.bias is not None and torch.allclose(model.bias, peer.bias, rtol=1e-13)


def test_classes_count_by_their_weights_over_the_whole_batch() -> None:
    x, _ = drawn(1)
    y = (torch.arange(len(x)) % 3).double()[:, None]
    model, weight = nn.Linear(4, 3, dtype=torch.float64), (1.0, 5.0, 0.5)
    peer = copy.deepcopy(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    by_blocks(model, CrossEntropy(weight=weight), optimizer, Workers())(pieces(x, y), 0)
    nn.functional.cross_entropy(peer(x), y[:, 0].long(), torch.tensor(weight, dtype=torch.float64)).backward()
    torch.optim.SGD(peer.parameters(), lr=0.1).step()
    assert torch.allclose(model.weight, peer.weight, rtol=1e-13)


def test_dropout_draws_by_the_place_of_a_block_and_counts_the_whole_batch() -> None:
    x, y = (t.float() for t in drawn(1))
    torch.manual_seed(0)
    model = MLP(4, 1, hidden=(6,), dropout=0.5)
    again = copy.deepcopy(model)
    share = pieces(x, y)
    turned = Share(dict(reversed(share.pieces.items())), share.blocks, share.seed)
    for one, of in ((model, share), (again, turned)):
        update = by_blocks(one, MSE(), torch.optim.SGD(one.parameters(), lr=0.1), Workers())
        update(of, 0)
        update(of, 0)
    state = model.state_dict()
    assert all(torch.equal(tensor, again.state_dict()[name]) for name, tensor in state.items())
    (steps,) = (t for name, t in state.items() if name.endswith("step"))
    assert steps == 2 * share.blocks


def test_a_model_whose_buffers_change_is_refused() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
    with pytest.raises(UserError, match=r"keeps 1\.running_mean beside its weights"):
        by_blocks(model, MSE(), torch.optim.SGD(model.parameters(), lr=0.1), Workers())
