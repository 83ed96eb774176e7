"""One update from a batch: the tutorial's lines, their gradient by hand, or all in one by NumPy."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from experiments.learning.models import Analytic
from experiments.learning.numpy_step import plain_descent
from experiments.learning.penalty import Penalized, penalized

Update = Callable[[Any, Any], None]
"""From x (n, features) and y (n, targets) of a batch to the next weights."""


def choose_step(model: Any, loss: Any, optimizer: Any, batch_size: int) -> tuple[Update, bool]:
    """The step of a model, and whether it takes its batches as NumPy arrays."""
    descend = plain_descent(model, optimizer, loss, batch_size)
    if descend is not None:
        return descend, True
    if penalized(loss):
        optimizer = Penalized(optimizer, model, loss)
    if isinstance(model, Analytic):
        return by_hand(model, loss, optimizer), False
    return by_autograd(model, loss, optimizer), False


def by_autograd(model: Any, loss: Any, optimizer: Any) -> Update:
    """The tutorial's lines."""

    def step(x: Tensor, y: Tensor) -> None:
        prediction = model(x)
        loss(prediction, y).backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def by_hand(model: Analytic, loss: Any, optimizer: Any) -> Update:
    """The same with the chain rule written out: no autograd."""

    def step(x: Tensor, y: Tensor) -> None:
        prediction = model(x)
        model.backward(x, loss.gradient(prediction, y))
        optimizer.step()
        optimizer.zero_grad()

    return step
