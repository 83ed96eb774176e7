"""Models and losses as a user brings them, for the tests of stacks."""

import torch
from torch import Tensor, nn


class TwoLayers(nn.Module):
    """What anybody would write."""

    def __init__(self, in_features: int, out_features: int, width: int = 8) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(in_features, width), nn.Linear(width, out_features)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(torch.tanh(self.first(x)))


class Normalised(TwoLayers):
    """With running statistics, which a stack keeps for each run."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__(in_features, out_features)
        self.norm = nn.BatchNorm1d(8)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(torch.relu(self.norm(self.first(x))))


class Dropping(TwoLayers):
    """Draws from torch's generator."""

    def forward(self, x: Tensor) -> Tensor:
        return self.second(nn.functional.dropout(self.first(x), 0.5, self.training))


class Branching(TwoLayers):
    """Goes one way or another by what it sees."""

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(x)
        return self.second(y if y.sum() > 0 else -y)


class Tied(nn.Module):
    """One matrix used twice, and a number of its own."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.square, self.last = nn.Linear(in_features, in_features), nn.Linear(in_features, out_features)
        self.scale = nn.Parameter(torch.tensor(0.5))

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.tanh(self.square(torch.tanh(self.square(x)))) * self.scale)


class Cauchy(nn.Module):
    """A loss of the residual."""

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        return torch.log1p((prediction - target) ** 2).mean()


class LogCosh(nn.Module):
    """Another; torch rounds cosh otherwise at the end of a tensor than in it."""

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        return torch.log(torch.cosh(prediction - target)).mean()
