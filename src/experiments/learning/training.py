"""The training loop, to be read like the tutorial's `fit`.

It knows nothing of folders or logs: it yields an `Evaluation` wherever one is due, and keeps where it stands in
`Progress`, from which it can go on.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from experiments.data.workers import Share
from experiments.learning.by_blocks import by_blocks
from experiments.learning.evaluation import Evaluation, evaluator
from experiments.learning.experiment import Experiment
from experiments.learning.models import state
from experiments.learning.optimizers import ManualOptimizer
from experiments.learning.schedules import factor, scheduled_lr
from experiments.learning.steps import choose_step

STOPS = (None, "max_seconds", "interrupted")
"""What can end a training early. Processes that share a run exchange the index: the largest counts for all."""


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
    """The best weights so far, where they are to be kept."""
    drawn: Tensor | None = None
    """State of the generator at the start of the epoch that is under way; None between two."""
    stop: str | None = None
    """Set from outside to end the training after the current step: `interrupted` or `max_seconds`."""
    asked: "Progress | None" = None
    """Of processes that share a run: its `stop` is what this one was asked, before all agree on one."""


def fit(experiment: Experiment, progress: Progress) -> Iterator[Evaluation | None]:
    """Train for `training.epochs` passes over the rows; yield after each an Evaluation where one is due, else None.

    With no epochs at all there is one evaluation, at the start.
    """
    training, batches, generator = experiment.config.training, experiment.batches, experiment.generator
    evaluate = evaluator(experiment)
    step, arrays = chosen_step(experiment, progress)
    if training.epochs == 0 and progress.status == "running":
        yield judged(Evaluation(0, 0, rate_at(experiment, 0), *evaluate()), experiment, progress)
    while progress.epoch < training.epochs and progress.status == "running":
        progress.drawn = generator.get_state()
        set_lr(experiment.optimizer, lr := rate_at(experiment, progress.epoch))

        for batch in batches.epoch(generator, first=progress.batch, arrays=arrays):
            step(*batch)  # x and y, or what this process has of them
            progress.batch += 1
            if progress.stop:
                break

        if (stop := progress.stop) == "interrupted":  # read once: it may be set at any moment
            return
        epoch, step_number = progress.epoch + 1, progress.step + progress.batch
        due = epoch % training.log_every == 0 or epoch == training.epochs or stop == "max_seconds"
        losses = evaluate() if due else None  # if that raises, the epoch is not over
        progress.epoch, progress.step, progress.batch, progress.drawn = epoch, step_number, 0, None
        if stop == "max_seconds":
            progress.status = "stopped_early"
        yield judged(Evaluation(epoch, step_number, lr, *losses), experiment, progress) if losses else None
    if progress.status == "running":
        progress.status = "completed"


def chosen_step(experiment: Experiment, progress: Progress) -> tuple[Callable[..., None], bool]:
    """The update from a batch, and whether it takes it as NumPy arrays."""
    model, loss, optimizer, batches = experiment.model, experiment.loss, experiment.optimizer, experiment.batches
    if (workers := getattr(batches, "workers", None)) is None:
        return choose_step(model, loss, optimizer, batches.batch_size)
    update = by_blocks(model, loss, optimizer, workers)

    def step(share: Share) -> None:
        progress.stop = STOPS[update(share, STOPS.index((progress.asked or progress).stop))]

    return step, False


def judged(evaluation: Evaluation, experiment: Experiment, progress: Progress) -> Evaluation:
    """Divergence and early stopping: a loss that is not finite, or `patience` evaluations in a row without a better."""
    training = experiment.config.training
    monitored = evaluation.train_loss if evaluation.validation_loss is None else evaluation.validation_loss
    if not (math.isfinite(evaluation.train_loss) and math.isfinite(monitored)):
        progress.status = "diverged"
    elif monitored < progress.best_loss:
        progress.best_loss, progress.best_epoch, progress.evaluations_since_best = monitored, evaluation.epoch, 0
        if training.patience is not None or training.keep == "best":
            progress.best = {name: tensor.clone() for name, tensor in state(experiment.model).items()}
    else:
        progress.evaluations_since_best += 1
        if training.patience is not None and progress.evaluations_since_best >= training.patience:
            progress.status = "stopped_early"
    return evaluation


def rate_at(experiment: Experiment, epoch: int) -> float:
    """The learning rate of an epoch (0-based)."""
    return float(scheduled_lr(experiment.lr, factor(experiment.schedule, epoch)))


def set_lr(optimizer: Any, lr: float) -> None:
    """The rate of the coming steps, for torch's optimizers and for ours."""
    if isinstance(optimizer, ManualOptimizer):
        optimizer.lr = lr
        return
    for group in optimizer.param_groups:
        group["lr"] = lr
