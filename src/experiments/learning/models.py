"""The three linear models of the tutorial, y = x w^T + b, and the start that they share.

`Manual` has leaf tensors and autograd, `Analytic` the gradient written by hand, and the third is
torch.nn.Linear itself. All keep `weight` (targets, features) and `bias` (targets,) or None.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Generator, Tensor, nn


class Manual:
    """Leaf tensors, `x @ w.t() + b`, and autograd: the tutorial's first part."""

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        self.weight = torch.zeros(out_features, in_features, requires_grad=True)
        self.bias = torch.zeros(out_features, requires_grad=True) if bias else None

    def __call__(self, x: Tensor) -> Tensor:
        """Predictions (n, targets) for x (n, features)."""
        prediction = x @ self.weight.t()
        return prediction if self.bias is None else prediction + self.bias

    def parameters(self) -> Iterator[Tensor]:
        """Weight, and bias where there is one."""
        yield self.weight
        if self.bias is not None:
            yield self.bias


class Analytic:
    """The same model without autograd: `backward` is the chain rule by hand."""

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        self.weight = torch.zeros(out_features, in_features)
        self.bias = torch.zeros(out_features) if bias else None

    def __call__(self, x: Tensor) -> Tensor:
        """Predictions (n, targets) for x (n, features)."""
        if self.bias is None:
            return x @ self.weight.t()
        return torch.addmm(self.bias, x, self.weight.t())

    def backward(self, x: Tensor, slope: Tensor) -> None:
        """Set the gradients, given x (n, features) and slope = d loss / d prediction (n, targets)."""
        self.weight.grad = slope.t() @ x
        if self.bias is not None:
            self.bias.grad = slope.sum(0)

    def parameters(self) -> Iterator[Tensor]:
        """Weight, and bias where there is one."""
        yield self.weight
        if self.bias is not None:
            yield self.bias


Model = Manual | Analytic | nn.Module
BASES = (Manual, Analytic, nn.Module)
"""What `model._target_` may name a subclass of."""


def start(init: str, features: int, targets: int, bias: bool, generator: Generator) -> tuple[Tensor, Tensor | None]:
    """Start weight (targets, features) and bias (targets,), float32 on the CPU whatever trains on them.

    `uniform` draws what nn.Linear draws, `normal` what the tutorial's torch.randn draws, both in the same order:
    weight first. The same seed is therefore the same start here, there, and on every device.
    """
    weight, intercept = torch.zeros(targets, features), torch.zeros(targets) if bias else None
    draw_start(init, features, weight, intercept, generator)
    return weight, intercept


def draw_start(init: str, features: int, weight: Tensor, bias: Tensor | None, generator: Generator) -> None:
    """Fill a contiguous float32 weight and bias with their start, which are zeros so far."""
    for part in (weight,) if bias is None else (weight, bias):
        if init == "uniform":
            bound = 1 / math.sqrt(features)
            part.uniform_(-bound, bound, generator=generator)
        elif init == "normal":
            part.normal_(generator=generator)
        else:
            assert init == "zeros", init


def place(model: Model, device: torch.device, dtype: torch.dtype) -> None:
    """Move a model to the device it trains on. Its tensors stay leaves."""
    if isinstance(model, nn.Module):
        model.to(device=device, dtype=dtype)
        return
    for name in ("weight", "bias"):
        tensor = getattr(model, name)
        if tensor is not None:
            moved = tensor.detach().to(device=device, dtype=dtype).requires_grad_(tensor.requires_grad)
            setattr(model, name, moved)


@contextmanager
def evaluating(model: Model) -> Iterator[None]:
    """A module of the user's in evaluation mode, where dropout is off; the three linear models have no modes."""
    if not isinstance(model, nn.Module) or type(model) is nn.Linear:
        yield
        return
    training = [part for part in model.modules() if part.training]
    model.eval()
    try:
        yield
    finally:
        for part in training:
            part.training = True


def is_linear(model: object) -> bool:
    """Whether the model is exactly y = x w^T + b, so that its weights have a meaning in the table's units."""
    return type(model) in (Manual, Analytic, nn.Linear)


def state(model: Model) -> dict[str, Tensor]:
    """The model's tensors by name, detached, not copied."""
    if isinstance(model, nn.Module):
        return {name: tensor.detach() for name, tensor in model.state_dict().items()}
    named = {"weight": model.weight, "bias": model.bias}
    return {name: tensor.detach() for name, tensor in named.items() if tensor is not None}


@torch.no_grad()
def load_state(model: Model, tensors: dict[str, Tensor]) -> None:
    """Write `tensors` into the model's own, which stay the same objects (an optimizer holds them)."""
    for name, tensor in state(model).items():
        tensor.copy_(tensors[name])
