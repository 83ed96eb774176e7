"""The networks' shapes, the draws of dropout, and what is refused."""

import pytest
import torch

from experiments.errors import UserError
from experiments.learning.networks import CNN, MLP, Dropout


def test_a_multilayer_perceptron_is_the_layers_that_one_would_write() -> None:
    torch.manual_seed(3)
    ours = MLP(5, 2, [7, 4], "tanh")
    torch.manual_seed(3)
    nn = torch.nn
    expected = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 4), nn.Tanh(), nn.Linear(4, 2))
    x = torch.randn(6, 5)
    assert torch.equal(ours(x), expected(x)) and ours.state_dict().keys() == expected.state_dict().keys()
    assert [name for name, _ in MLP(5, 2, [])[0].named_parameters()] == ["weight", "bias"]


@pytest.mark.parametrize(("image", "rows"), [((8, 8), (4, 1, 8, 8)), ((3, 12, 10), (4, 3, 12, 10))])
def test_a_convolutional_network_takes_images(image: tuple[int, ...], rows: tuple[int, ...]) -> None:
    assert CNN(10, image)(torch.randn(rows)).shape == (4, 10)


def test_an_image_that_is_too_small_and_rows_that_are_none_are_refused() -> None:
    with pytest.raises(UserError, match="8 x 8 can't be halved 4 times"):
        CNN(10, (8, 8), [4, 4, 4, 4])
    with pytest.raises(UserError, match=r"data\.image"):
        CNN(10, None)


def test_dropout_keeps_the_share_and_the_mean_and_draws_anew_every_step() -> None:
    torch.manual_seed(0)
    layer, x = Dropout(0.3), torch.ones(2000, 50)
    first, second = layer(x), layer(x)
    for drawn in (first, second):
        assert drawn.mean().item() == pytest.approx(1.0, abs=0.01)
        assert (drawn == 0).float().mean().item() == pytest.approx(0.3, abs=0.005)
        assert (drawn == 0).float().mean(0).std() < 3 * (0.21 / 2000) ** 0.5  # no column is favoured
    both = ((first == 0) == (second == 0)).float().mean().item()
    assert both == pytest.approx(0.3**2 + 0.7**2, abs=0.01)  # independent
    assert torch.equal(layer.eval()(x), x)


def test_two_layers_and_two_runs_draw_differently_and_a_state_restores_the_draws() -> None:
    torch.manual_seed(0)
    one, two, x = Dropout(0.5), Dropout(0.5), torch.ones(50, 20)
    assert not torch.equal(one(x), two(x))
    state = {name: t.clone() for name, t in one.state_dict().items()}
    following = one(x)
    two.load_state_dict(state)
    assert torch.equal(two(x), following)
