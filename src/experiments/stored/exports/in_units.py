"""Models as torch modules between the table's units: a network with its scaling, a linear model in float64."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn


class InUnits(nn.Module):
    """Rows (n, features) of float32 or float64 to outputs (n, outputs) of float64, both in the table's units."""

    x_shift: Tensor
    x_scale: Tensor
    y_shift: Tensor
    y_scale: Tensor

    def __init__(self, network: nn.Module, scaling: Mapping[str, Any]) -> None:
        """`scaling`: x_shift, x_scale, y_shift and y_scale, float64; empty where the network knows the units."""
        super().__init__()
        self.network, self.scaled = network, bool(scaling)
        self.dtype = next(network.parameters(), torch.zeros(())).dtype
        for name, numbers in scaling.items():
            self.register_buffer(name, torch.as_tensor(numbers))

    def forward(self, x: Tensor) -> Tensor:
        if not self.scaled:
            return self.network(x.to(self.dtype)).to(torch.float64)
        y = self.network(((x - self.x_shift) / self.x_scale).to(self.dtype))
        return y.to(torch.float64) * self.y_scale + self.y_shift


def linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    """y = x weight^T + bias, with weight (outputs, features) and bias (outputs,), float64."""
    made = nn.Linear(weight.shape[1], len(weight), dtype=torch.float64)
    made.load_state_dict({"weight": weight, "bias": bias})
    return made
