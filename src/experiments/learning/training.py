"""The training loop, to be read like the tutorial's `fit`.

It knows nothing of folders or logs: it yields a `Evaluation` at the losses wherever one is due, and keeps where it
stands in `Progress`, from which it can go on.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor

from experiments.data.batches import Batches
from experiments.learning.models import Analytic, Model, evaluating, state
from experiments.learning.numpy_step import plain_descent
from experiments.learning.optimizers import ManualOptimizer

LARGEST_RATE = 1e38
"""What float32 can hold, about."""
Losses = tuple[float, float | None]
"""Training loss and validation loss (None without validation rows), over all rows, in the table's units."""


class Evaluation(NamedTuple):
    """The losses after an epoch."""

    epoch: int
    step: int
    lr: float
    train_loss: float
    validation_loss: float | None


@dataclass
class Progress:
    """Where a run stands. `status` is running, completed, diverged or stopped_early."""

    epoch: int = 0
    batch: int = 0
    """Batches done of the epoch that is under way."""
    step: int = 0
    best_loss: float = math.inf
    best_epoch: int = 0
    evaluations_since_best: int = 0
    status: str = "running"
    best: dict[str, Tensor] | None = None
    """The best weights so far, kept under patience."""
    drawn: Tensor | None = None
    """State of the generator at the start of the epoch that is under way."""
    stop: str | None = None
    """Set from outside to end the training after the current step: `interrupted` or `max_seconds`."""


def fit(
    model: Model, optimizer: Any, loss: Any, schedule: Callable[[int], float], lr: float, batches: Batches,
    evaluate: Callable[[], Losses], generator: Generator, progress: Progress, *,
    epochs: int, log_every: int = 1, patience: int | None = None,
) -> Iterator[Evaluation | None]:  # fmt: skip
    """Train for `epochs` passes over the rows; yield after each a Evaluation where one is due, else None.

    With no epochs at all there is one evaluation, at the start.
    """
    descend = plain_descent(model, optimizer, loss, batches.batch_size)
    if epochs == 0 and progress.status == "running":
        evaluation = Evaluation(0, 0, rate_at(0, lr, schedule), *evaluate())
        judge(evaluation, model, progress, patience)
        yield evaluation
    while progress.epoch < epochs and progress.status == "running":
        progress.drawn = generator.get_state()
        set_lr(optimizer, rate := rate_at(progress.epoch, lr, schedule))

        for x, y in batches.epoch(generator, first=progress.batch, arrays=descend is not None):
            if descend is not None:
                descend(x, y)  # all of the below in one, where it is no more than w -= lr * grad
            else:
                prediction = model(x)
                if isinstance(model, Analytic):
                    model.backward(x, loss.gradient(prediction, y))  # the chain rule by hand
                else:
                    loss(prediction, y).backward()  # autograd
                optimizer.step()
                optimizer.zero_grad()
            progress.batch += 1
            if progress.stop:
                break

        if (stop := progress.stop) == "interrupted":  # read once: it may be set at any moment
            return
        progress.step += progress.batch
        progress.epoch, progress.batch = progress.epoch + 1, 0
        if stop == "max_seconds":
            progress.status = "stopped_early"
        if progress.epoch % log_every == 0 or progress.epoch == epochs or progress.status == "stopped_early":
            evaluation = Evaluation(
                progress.epoch, progress.step, rate, *evaluate()
            )  # the losses leave the device here
            judge(evaluation, model, progress, patience)
            yield evaluation
        else:
            yield None
    if progress.status == "running":
        progress.status = "completed"


def judge(evaluation: Evaluation, model: Model, progress: Progress, patience: int | None) -> None:
    """Divergence and early stopping: a loss that is not finite, or `patience` evaluations in a row without a better."""
    monitored = evaluation.train_loss if evaluation.validation_loss is None else evaluation.validation_loss
    if not (math.isfinite(evaluation.train_loss) and math.isfinite(monitored)):
        progress.status = "diverged"
    elif monitored < progress.best_loss:
        progress.best_loss, progress.best_epoch, progress.evaluations_since_best = monitored, evaluation.epoch, 0
        if patience is not None:
            progress.best = {name: tensor.clone() for name, tensor in state(model).items()}
    else:
        progress.evaluations_since_best += 1
        if patience is not None and progress.evaluations_since_best >= patience:
            progress.status = "stopped_early"


def rate_at(epoch: int, lr: float, schedule: Callable[[int], float]) -> float:
    """The learning rate of an epoch; of a schedule that grows without bound, what float32 can hold."""
    try:
        return min(float(lr * schedule(epoch)), LARGEST_RATE)  # a schedule of the user's own may give a tensor
    except OverflowError:
        return LARGEST_RATE


def set_lr(optimizer: Any, lr: float) -> None:
    """The rate of the coming steps, for torch's optimizers and for ours."""
    if isinstance(optimizer, ManualOptimizer):
        optimizer.lr = lr
        return
    for group in optimizer.param_groups:
        group["lr"] = lr


def evaluator(model: Model, loss: Any, x: Tensor, y: Tensor, scale: Tensor | None) -> Callable[[], Tensor]:
    """The loss over all of x (n, features), y (n, targets), as trained, in the table's units; 0-dim.

    Every loss here is a function of the residual, so both sides are multiplied by the targets' `scale`
    (targets,); the shift cancels.
    """
    goal = y if scale is None else y * scale

    def evaluate() -> Tensor:
        with torch.no_grad(), evaluating(model):
            prediction = model(x)
            return loss(prediction if scale is None else prediction * scale, goal)

    return evaluate


def streamed_evaluator(
    model: Model, loss: Any, blocks: Callable[[], Iterator[tuple[Tensor, Tensor]]], scale: Tensor | None
) -> Callable[[], Tensor]:
    """The same over blocks of rows: the mean of their losses, each weighted by its rows."""

    def whole() -> Tensor:
        total, rows = torch.zeros((), dtype=torch.float64), 0
        for x, y in blocks():
            if len(x):
                total += len(x) * evaluator(model, loss, x, y, scale)().to("cpu", torch.float64)
                rows += len(x)
        return total / rows

    return whole
