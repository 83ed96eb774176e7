"""Networks: a multilayer perceptron, a small convolutional network, and dropout whose draws belong to a run.

All are torch.nn.Sequential with torch's own start, drawn from the run's generator.
"""

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from experiments.errors import UserError

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "tanh": nn.Tanh, "gelu": nn.GELU}


class MLP(nn.Sequential):
    """Linear layers with an activation between them: (n, in_features) -> (n, out_features)."""

    def __init__(
        self, in_features: int, out_features: int, hidden: Sequence[int] = (32,), activation: str = "relu",
        dropout: float = 0.0,
    ) -> None:  # fmt: skip
        layers: list[nn.Module] = []
        widths = [in_features, *hidden, out_features]
        self.products = sum(map(math.prod, itertools.pairwise(widths)))  # multiplications for a row
        for width in hidden:
            layers += [nn.Linear(in_features, width), ACTIVATIONS[activation](), *_dropout(dropout)]
            in_features = width
        super().__init__(*layers, nn.Linear(in_features, out_features))


class CNN(nn.Sequential):
    """Convolutions of 3 x 3, each halved in height and width, then a linear layer: images -> (n, out_features).

    Raises UserError for rows that are no images, or too small for that many halvings.
    """

    def __init__(
        self, out_features: int, image: Sequence[int] | None, channels: Sequence[int] = (8, 16),
        activation: str = "relu", dropout: float = 0.0,
    ) -> None:  # fmt: skip
        """`image`: channels, height and width of a row, or the latter two."""
        if image is None:
            raise UserError("model=cnn: the rows are not images; say their height and width, as data.image=[8,8]")
        depth, height, width = (1,) * (3 - len(image)) + tuple(image)
        layers: list[nn.Module] = []
        self.products = 0
        for wider in channels:
            self.products += 9 * depth * wider * height * width
            layers += [nn.Conv2d(depth, wider, 3, padding=1), ACTIVATIONS[activation](), nn.MaxPool2d(2)]
            depth, height, width = wider, height // 2, width // 2
        if not height * width:
            raise UserError(
                f"model.channels={list(channels)}: an image of {image[-2]} x {image[-1]} can't be halved "
                f"{len(channels)} times; give fewer channels"
            )
        self.products += depth * height * width * out_features
        super().__init__(*layers, nn.Flatten(), *_dropout(dropout), nn.Linear(depth * height * width, out_features))


class Dropout(nn.Module):
    """Sets each number to zero with probability `p` while training, and divides the others by 1 - p.

    The draws are a hash of the run's seed, the step and the place (G. Steele, D. Lea and C. Flood, 2014: SplitMix64),
    not a generator's: so each run of a pack has its own, the same as alone.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p
        self.seed: Tensor
        self.step: Tensor
        self.register_buffer("seed", torch.randint(2**62, ()))
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))

    def forward(self, x: Tensor) -> Tensor:
        """(n, ...) -> the same shape."""
        if not self.training:
            return x
        self.step.add_(1)
        place = torch.arange(math.prod(x.shape), device=x.device).reshape(x.shape)
        drawn = _mixed(_mixed(self.seed + self.step * GOLDEN) + place * GOLDEN)
        kept = (drawn >> 40 & 0xFFFFFF) >= self.p * 2**24
        return x * kept / (1 - self.p)


GOLDEN, FIRST, SECOND = (n - 2**64 for n in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))
"""SplitMix64's constants as signed numbers: int64 wraps around."""


def _mixed(bits: Tensor) -> Tensor:
    """SplitMix64's finalizer; a shift of signed numbers drags the sign along, which the masks take off."""
    bits = (bits ^ (bits >> 30 & 0x3FFFFFFFF)) * FIRST
    bits = (bits ^ (bits >> 27 & 0x1FFFFFFFFF)) * SECOND
    return bits ^ (bits >> 31 & 0x1FFFFFFFF)


def _dropout(p: float) -> list[nn.Module]:
    return [Dropout(p)] if p else []


BASES = (MLP, CNN)
