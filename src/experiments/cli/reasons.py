"""The words for why a run stands above the smallest possible loss, and for what would bring it further."""

import math
from typing import TYPE_CHECKING

from experiments.config.schema import Adagrad, Config, Constant

if TYPE_CHECKING:  # both import torch, which a refused request should not wait for
    from experiments.running.reason import Reason
    from experiments.tracking.result import Result
ROUND = 10
"""An adaptive optimizer that is fewer steps than this from the optimum goes round it."""


def why(config: Config, result: "Result") -> list[str]:
    """The lines of `why:`, none for a run that has arrived; and a note where the best weights are not unique."""
    from experiments.running.reason import reason

    found = reason(config, result)
    said = [] if found is None else words(config, result, found)
    lines = [f"{'     ' if i else 'why: '}{line}" for i, line in enumerate(said)]
    unknown = result.conditioning is not None and result.conditioning["condition_number"] is None
    if unknown and (result.classes is None or result.optimum is not None):
        lines.append(
            "note: the best weights are not unique; descent leaves its start as it is along the free directions"
        )
    return lines


def words(config: Config, result: "Result", found: "Reason") -> list[str]:
    """One to three lines for a reason."""
    optimizer, lr, stable = config.optimizer, f"lr {result.lr:.4g}", f"{found.stable_lr or 0:.4g}"
    if found.lr is not None and result.lr is not None and found.lr < result.lr / 3:
        lr += f" ({found.lr:.4g} on average, by the schedule)"
    match found.kind:
        case "untrained":
            return ["nothing was trained; these are the start weights"]
        case "unstable":
            what = "is not sure to fall" if result.classes else "enlarges the error along the steepest direction"
            said = [f"{lr} is too large: above {stable} full-batch descent {what}"]
            return said if result.message or found.advised is None else [*said, f"try {found.advised}"]
        case "stopped":
            return [_stopped(config, result)]
        case "penalty":
            part = "the gap" if found.penalty > 0.9 * result.metrics["gap"] else "most of the gap"
            return [
                f"weight_decay={optimizer.weight_decay:g} has an optimum of its own, {found.penalty:.4g} above the "
                f"smallest loss: {part} is the penalty's"
            ]
        case "bounded":
            return [
                f"weight_decay={optimizer.weight_decay:g} holds AdamW's weights within about "
                f"{1 / optimizer.weight_decay:.4g}; the optimum has one of {found.largest:.4g}"
            ]
        case "adaptive":
            return _adaptive(config, result, found)
        case "small_rate":
            return [f"{lr} is small: full-batch descent is stable up to {stable}", f"try {found.advised}"]
        case "few_epochs":
            return [f"too few epochs: at {lr} about {_rounded(found.epochs)} more come within 1 % of the smallest loss"]
        case "batches":
            said = [
                f"steps on batches of {config.training.batch_size} keep the weights moving round the optimum",
                "try larger batches, or a smaller rate" if not _constant(config)
                else f"try {'' if found.falling else 'more epochs with '}a rate that falls (schedule=cosine)",
            ]  # fmt: skip
            return said if found.advised is None else [*said, f"or {_standardizing(found)}"]
        case "flat":
            return _flat(stable, found)
        case "far":
            return [f"too few steps at {lr}: the weights are still far from the optimum", _nearer(found)]
        case "worse":
            better = "equal odds for all classes" if result.classes else "the targets' means"
            said = f"{better} would be better predictions: perhaps the rate is too large, or far too small"
            return [f"{said}; see `experiments diagnose`" if result.classes else said]


def _stopped(config: Config, result: "Result") -> str:
    training, best = config.training, result.best_epoch or 0
    if training.patience is not None and result.epochs - best >= training.patience * training.log_every:
        rows = "held-out rows" if result.rows["validation"] else "rows"
        return f"training ended when the loss over the {rows} no longer fell (training.patience={training.patience})"
    return f"training.max_seconds ended the training after {result.epochs} of {training.epochs} epochs"


def _adaptive(config: Config, result: "Result", found: "Reason") -> list[str]:
    optimizer = config.optimizer
    name, adagrad = type(optimizer).__name__.removeprefix("Manual"), isinstance(optimizer, Adagrad)
    how = f"at most lr ({result.lr:.4g}), and by ever less," if adagrad else f"about lr ({result.lr:.4g}),"
    said = f"a step of {name} moves a weight by {how} however steep the loss is"
    assert found.steps is not None
    if found.steps > result.steps:
        return [said, f"the optimum is some {_rounded(found.steps)} such steps away; this run had {result.steps:,}"]
    falls = adagrad or not _constant(config)
    if found.steps < ROUND and not falls:
        return [said, "near the optimum such steps go round it: try a rate that falls (schedule=cosine)"]
    how = "" if falls else " with a rate that falls (schedule=cosine)"
    return [said, f"what is left lies along flat directions, to which it is slow to turn: try more epochs{how}"]


def _constant(config: Config) -> bool:
    return isinstance(config.schedule, Constant)


def _flat(stable: str, found: "Reason") -> list[str]:
    said = [
        f"the loss is {found.condition_number:.3g} times as steep along one direction as along another "
        "(condition number)",
        f"a rate stable for the steepest (below {stable}) hardly moves along the flattest: "
        f"at this one {_rounded(found.epochs)} more epochs to within 1 %",
    ]
    if found.standardized is None:
        return [*said, "see `experiments diagnose`; momentum (optimizer.momentum=0.9) or optimizer=adam may be faster"]
    return [*said, f"try {_standardizing(found)}, or see `experiments diagnose`"]


def _nearer(found: "Reason") -> str:
    """What brings weights that are far from the optimum of classes nearer to it."""
    if found.advised is not None:
        return f"try {_standardizing(found)}, or more epochs"
    if found.lr is None or found.stable_lr is None:  # no plain descent
        return "try more epochs"
    return (
        f"try a larger rate (full-batch descent is stable up to {found.stable_lr:.4g}), more epochs, or optimizer=adam"
    )


def _standardizing(found: "Reason") -> str:
    return f"{found.advised} (condition number {found.standardized:.3g})"


def _rounded(value: float | None) -> str:
    """A count to two digits: what is foretold is no more exact."""
    if value is None or value > 1e15:
        return "more than 10^15"
    count = math.ceil(value)
    return f"{round(count, 2 - len(str(count))):,}"
