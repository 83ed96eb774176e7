"""Why a run ended above the smallest possible loss: a function of its config and its result.

The gap is a sum over the eigenvectors of the loss, and plain descent shrinks each part by a known factor a step. Which
part is left, and what the run's rates and steps can have made of it, is the reason.
"""

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch

from experiments.config.schema import SGD, Adagrad, AdamW, Config, Custom, options
from experiments.data.dataset import Dataset
from experiments.data.prepared import Preparation, Prepared, prepare
from experiments.exact.spectrum import Descent
from experiments.learning.schedules import factor, scheduled_lr
from experiments.running.assembly import has_bias
from experiments.running.directions import Directions, condition_number, decomposed, directions, log_shrinkage
from experiments.running.factories import build_loss, build_schedule, known_lr
from experiments.running.measures.automatic_rate import largest_stable_lr
from experiments.tracking.result import Result

ARRIVED = 0.01
"""A gap below this share of the smallest loss needs no reason; the epochs left are counted down to it."""
LARGEST_TABLE, MOST_FEATURES = 1_000_000, 200
"""Numbers and features of a table that is still decomposed, in a tenth of a second."""
MOST_WEIGHTS = 1000
"""Of a classifier whose Hessian is decomposed, in as many."""
MOST_RATES = 500
"""Epochs of a schedule that are looked at."""
FAR = 10
"""A run that needs so many times the steps it had is not short of epochs: something else is in its way."""


@dataclass(frozen=True)
class Reason:
    """What stands in the way, and the numbers that it is told with.

    untrained; unstable: the rate is above the largest stable one; stopped: early; penalty: that of weight decay;
    bounded: weight decay apart from the gradient, which allows no weight beyond its inverse; adaptive: the optimizer
    knows no largest stable rate; small_rate; few_epochs; batches: their noise; flat: the condition number; far: from
    the optimum of classes, where no more is known; worse: than the targets' means or equal odds.
    """

    kind: Literal[
        "untrained", "unstable", "stopped", "penalty", "bounded", "adaptive", "small_rate", "few_epochs", "batches",
        "flat", "far", "worse",
    ]  # fmt: skip
    lr: float | None = None
    """The mean rate of the epochs."""
    stable_lr: float | None = None
    """Full-batch descent with this momentum and weight decay converges below it."""
    advised: str | None = None
    """Overrides that do better."""
    condition_number: float | None = None
    standardized: float | None = None
    """The condition number with data.standardize=true, where that is ten times smaller."""
    epochs: int | None = None
    """How many more bring the loss to within a hundredth of the smallest; None beyond any number."""
    steps: float | None = None
    """How many of an adaptive optimizer's steps lead from here to the optimum, if each goes straight there."""
    falling: bool = False
    """Whether a rate that falls to zero would do better in as many epochs."""
    penalty: float | None = None
    """How far above the smallest loss weight decay has its own optimum."""
    largest: float | None = None
    """The optimum's largest weight, as trained."""


@np.errstate(all="ignore")  # numbers of a run that blew up
def reason(config: Config, result: Result) -> Reason | None:
    """None for a run that has arrived, and where none is known: other losses and models, large tables, streams."""
    if result.epochs == 0:
        return Reason("untrained")
    if result.conditioning is None or result.lr is None or isinstance(config.optimizer, Custom) or arrived(result):
        return _far(config, result, None)
    data = _as_trained(config, result)
    if isinstance(config.optimizer, SGD) and (found := _unstable(config, result, data)):
        return found
    if result.status != "completed":
        return Reason("stopped") if result.status == "stopped_early" else None
    if data is None or result.parameters is None or result.optimum is None or result.metrics["gap"] is None:
        return _far(config, result, data)
    where, optimizer = directions(result, data, has_bias(config), build_loss(config)), config.optimizer
    # squares with another penalty than l2 have another gap, and classes where they are not near the optimum
    if not math.isclose(where.gap, result.metrics["gap"], rel_tol=0.5 if result.classes else 1e-3):
        return _far(config, result, data, where)
    if isinstance(optimizer, AdamW):
        best = data.scaling.trained(*(torch.tensor(result.optimum[k], dtype=torch.float64) for k in ("weight", "bias")))
        if (largest := max(float(part.abs().max()) for part in best)) * optimizer.weight_decay > 1:
            return Reason("bounded", largest=largest)
    elif (penalty := where.penalty(optimizer.weight_decay)) >= where.gap / 2:
        return Reason("penalty", penalty=penalty)
    if isinstance(optimizer, SGD):
        return _of_descent(config, result, data, where)
    steps = where.farthest / (result.lr * float(data.scaling.y_scale.mean()))
    return Reason("adaptive", steps=(steps / 2) ** 2 if isinstance(optimizer, Adagrad) else steps)


def arrived(result: Result) -> bool:
    """Whether the gap is below a hundredth of the smallest loss; where that is zero, whether R2 is 1 to four digits."""
    metrics = result.metrics
    if metrics["gap"] is None:
        return False
    if metrics["gap_relative"] is not None:
        return metrics["gap_relative"] < ARRIVED
    return all(r2 is None or 1 - r2 < 1e-4 for r2 in metrics["r2"])


def _far(config: Config, result: Result, data: Prepared | None, where: Directions | None = None) -> Reason | None:
    """What is said where nothing is known of the loss near by: of classes, and where there is no conditioning."""
    if result.status != "completed" or (result.conditioning is not None and not result.classes):
        return None
    stable = mean = None
    if data is not None and isinstance(config.optimizer, SGD) and result.conditioning is not None:
        careful, mean = known_lr(config, data), float(_rates(config, result).mean())
        stable = largest_stable_lr(config.optimizer, result.conditioning["lambda_max"])
        if careful is not None and mean < careful / FAR:
            return Reason("small_rate", lr=mean, stable_lr=stable, advised=_advised(config, data))
    if _worse_than_nothing(result):
        return Reason("worse")
    if data is None or where is None:
        return None
    slow = stable is not None and mean is not None and mean < stable / 2
    return Reason("far", lr=mean, stable_lr=stable, **({} if slow else _standardizing(config, result, data, where)))


def _worse_than_nothing(result: Result) -> bool:
    """Whether the targets' means, or equal odds for all classes, would have been better predictions."""
    if result.classes is None:
        return all(r2 is None or r2 < 0 for r2 in result.metrics["r2"])
    log_loss = result.metrics["log_loss"]
    return log_loss is None or log_loss > math.log(len(result.classes))


def _unstable(config: Config, result: Result, data: Prepared | None) -> Reason | None:
    """Whether the run's largest rate is above the limit and its rates taken together enlarge the steepest part."""
    assert result.conditioning is not None
    steepest = result.conditioning["lambda_max"] or 0.0
    stable, rates = largest_stable_lr(config.optimizer, steepest), _rates(config, result)
    grows = log_shrinkage(config.optimizer, rates, np.array([steepest]))[0] > 0
    grows = grows and (not result.classes or _worse_than_nothing(result))  # classes are mostly less steep than that
    if not (rates.max() > stable and (grows or result.status == "diverged")):
        return None
    return Reason("unstable", stable_lr=stable, advised=None if data is None else _advised(config, data))


def _of_descent(config: Config, result: Result, data: Prepared, where: Directions) -> Reason | None:
    """What stands in the way of plain descent at a stable rate."""
    optimizer, steps, lr = config.optimizer, result.steps, result.lr
    assert result.conditioning is not None
    stable, careful = largest_stable_lr(optimizer, result.conditioning["lambda_max"]), known_lr(config, data)
    if lr is None or careful is None:
        return None
    rates = _rates(config, result)
    if log_shrinkage(optimizer, rates, where.eigenvalues[-1:])[0] > 0:
        return Reason("unstable", stable_lr=stable, advised=_careful(config, data))
    mean, now = float(rates.mean()), _descent(config, result, where, rates)
    raised = _descent(config, result, where, np.array([max(careful, lr)]))
    start = where.gaps_at_zero + where.eigenvalues / 2 * float(data.scaling.y_scale.square().sum())  # amply
    if np.minimum(where.gaps, start * (1 - now.eigenvalues) ** (2 * steps)).sum() < where.gap / 2:
        # descent alone would have left less; a rate that falls to zero is half as large on average, and slower
        falling = float(np.sum(start * (1 - _descent(config, result, where, rates / 2).eigenvalues) ** (2 * steps)))
        scaled = _standardizing(config, result, data, where)
        return Reason("batches", falling=falling < where.gap, **scaled) if steps > result.epochs else None
    needed, needed_raised = now.epochs_to(1 + ARRIVED), raised.epochs_to(1 + ARRIVED)
    epochs = None if needed is None else -(-needed * result.epochs // steps)
    near, near_raised = (n is not None and n <= FAR * steps for n in (needed, needed_raised))
    scaled = {} if near_raised else _standardizing(config, result, data, where)
    hardly_moved = mean < careful / FAR and raised.gap(steps) < where.gap / 2
    if hardly_moved or (near_raised and not near):
        advised = scaled.get("advised", _careful(config, data))
        return Reason("small_rate", lr=mean, stable_lr=stable, advised=advised)
    if near:
        return Reason("few_epochs", lr=mean, epochs=epochs)
    return Reason("flat", stable_lr=stable, condition_number=where.condition_number, epochs=epochs, **scaled)


def _descent(config: Config, result: Result, where: Directions, rates: np.ndarray) -> Descent:
    """What more steps at these rates make of the gap: as plain descent at rate 1 that shrinks each part as much."""
    shrinkage = log_shrinkage(config.optimizer, rates, where.eigenvalues)
    relative = result.metrics["gap_relative"] is not None  # where the smallest loss is zero, a share of the gap
    return Descent(-np.expm1(shrinkage), where.gaps, result.metrics["optimum_loss"] if relative else where.gap, 1.0)


def _standardizing(config: Config, result: Result, data: Prepared, where: Directions) -> dict[str, Any]:
    """What data.standardize makes of the condition number and a rate for it, where that helps."""
    if data.standardized:
        return {}
    assert result.optimum is not None
    scaled = _prepared(config, data.table, True)
    number = condition_number(decomposed(scaled, has_bias(config), build_loss(config), result.optimum)[0])
    if FAR * number > where.condition_number:
        return {}
    how = f"data.standardize={'inputs' if result.classes else 'true'}"
    rate = f" {_careful(config, scaled)}" if isinstance(config.optimizer, SGD) else ""
    return {"standardized": number, "advised": how + rate}


def _advised(config: Config, data: Prepared) -> str:
    """Overrides with a stable rate; of classes on other columns, where those are ten times as alike in size."""
    if data.table.classes is not None and not data.standardized:
        scaled = _prepared(config, data.table, True)
        now, then = (rows.conditioning(has_bias(config)).condition_number for rows in (data, scaled))
        if FAR * then < now:
            return f"data.standardize=inputs {_careful(config, scaled)}"
    return _careful(config, data)


def _careful(config: Config, data: Prepared) -> str:
    return f"optimizer.lr={known_lr(config, data):g}"


def _rates(config: Config, result: Result) -> np.ndarray:
    """The learning rates of the run's epochs, at most 500 of them."""
    assert result.lr is not None
    schedule, epochs = build_schedule(config), np.linspace(0, result.epochs - 1, min(result.epochs, MOST_RATES))
    return scheduled_lr(result.lr, np.array([factor(schedule, int(epoch)) for epoch in epochs]))


def _as_trained(config: Config, result: Result) -> Prepared | None:
    """The training rows as trained; None where the result holds none, or a stream's sample, or very many."""
    table = result.table
    if table is None or len(table.x) != result.rows["train"]:
        return None
    most = MOST_FEATURES if table.classes is None else MOST_WEIGHTS // table.outputs
    if table.x.numel() > LARGEST_TABLE or len(table.features) > most:
        return None
    return _prepared(config, table, options(config.data).get("standardize", False))


def _prepared(config: Config, table: Dataset, standardize: bool) -> Prepared:
    labels = table.classes is not None
    how = "inputs" if standardize and labels else standardize
    return prepare(table, Preparation(standardize=how, bias=has_bias(config), labels=labels, dtype=torch.float64))
