"""The reference solution: the exact optimum that a run is held against, and how hard it is for gradient descent."""

import logging
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from experiments.data.dataset import Dataset
from experiments.data.prepared import Prepared
from experiments.exact.cross_entropy import shares
from experiments.exact.dependence import notes
from experiments.exact.solution import Conditioning, NoOptimum, Optimum, Penalty
from experiments.learning.class_losses import CrossEntropy
from experiments.learning.losses import L1, SQUARED, Huber, ResidualLoss
from experiments.learning.penalty import penalized
from experiments.running.measures.automatic_rate import largest_curvature

log = logging.getLogger("experiments")
LARGEST_SOLVED = 10_000
"""Tables of more features than this are trained without an exact optimum beside them."""

STREAMED = NoOptimum("rows that are read block by block are solved for squares alone")


@dataclass(frozen=True)
class Reference:
    """The optimum of the training rows in their units, and the conditioning of the loss as trained; None: unknown.

    Of a model that is not linear neither is known: `optimum` is that of the best linear model, which stands beside it.
    """

    optimum: Optimum | None = None
    falls_to: float | None = None
    """What the loss of a linear model falls towards where it has no optimum."""
    conditioning: Conditioning | None = None
    remarks: tuple[str, ...] = ()
    """What is to be known of an optimum that is not unique, or why there is none."""

    @property
    def finite_conditioning(self) -> dict[str, float | None] | None:
        """`conditioning` of result.json; what is infinite has no number."""
        if self.conditioning is None:
            return None
        values = {n: getattr(self.conditioning, n) for n in ("lambda_max", "condition_number", "max_stable_lr")}
        return {name: value if math.isfinite(value) else None for name, value in values.items()}


def reference_solution(data: Prepared, loss: Any, *, bias: bool, linear: bool) -> Reference:
    """Solve the training rows for a linear model; `linear`: whether the run's is one, else it is held beside it."""
    features = len(data.table.features)
    if features > LARGEST_SOLVED:
        log.info("no exact optimum: %d features are more than %d", features, LARGEST_SOLVED)
        return Reference()
    found, conditioning = _solved(data, loss, bias, linear)
    if isinstance(found, NoOptimum):
        why = found.reason if found.reason.startswith("no finite") else f"no exact optimum: {found.reason}"
        return Reference(None, found.falls_to, conditioning if linear else None, (why,) * linear)
    remarks: tuple[str, ...] = ()
    if not found.unique and isinstance(loss, (*SQUARED, CrossEntropy)):
        remarks = (
            f"the optimum is not unique: rank {found.rank} of {features + bias} columns; "
            "the one compared with has the smallest weights",
            *notes(data.squares(bias), data.table.features),
        )
    return Reference(found, None, conditioning if linear else None, remarks * linear)


def _solved(data: Prepared, loss: Any, bias: bool, linear: bool) -> tuple[Optimum | NoOptimum, Conditioning | None]:
    """The optimum in the table's units, and the conditioning where the loss has one."""
    penalty = Penalty(getattr(loss, "l2", 0.0), getattr(loss, "l1", 0.0))
    if isinstance(loss, SQUARED):
        if not penalized(loss):
            return data.optimum(bias), data.conditioning(bias)
        from experiments.exact.penalized import penalized_optimum

        squares = data.squares_as_trained(bias)
        return in_units(penalized_optimum(squares, penalty), data, loss), with_l2(data.conditioning(bias), penalty.l2)
    if isinstance(loss, CrossEntropy):
        return _of_classes(data, loss, bias, linear)
    if data.streamed:
        return STREAMED, None
    if isinstance(loss, L1 | Huber) and not penalized(loss):
        from experiments.exact.robust import absolute_optimum, huber_optimum

        x, y = data.table.x, data.table.y
        if isinstance(loss, L1):
            return absolute_optimum(x, y, bias), None
        assert not isinstance(loss.delta, torch.Tensor)
        return huber_optimum(x, y, loss.delta, bias), None
    return NoOptimum(f"it is not worked out for {type(loss).__name__}{' with a penalty' * penalized(loss)}"), None


def _of_classes(
    data: Prepared, loss: CrossEntropy, bias: bool, linear: bool
) -> tuple[Optimum | NoOptimum, Conditioning | None]:
    """Of rows as trained but for float32's rounding; of many rows, and of streams, only a bound of the curvature."""
    from experiments.exact.logistic import logistic_optimum, too_large
    from experiments.exact.logistic_curvature import logistic_conditioning

    table = data.table
    unknown = STREAMED if data.streamed else too_large(data.rows, len(table.features), table.outputs)
    if unknown is not None:
        top = data.conditioning(bias).lambda_max * (largest_curvature(loss, data) or math.nan) + 2 * loss.l2
        return unknown, Conditioning(np.zeros(0), top, 0)
    x, q = data.scaling.inputs(table.x.to(torch.float64)).numpy(), class_shares(table, loss)
    found = logistic_optimum(x, q, Penalty(loss.l2, loss.l1), bias)
    if not linear:  # the curvature would be that of another model
        return in_units(found, data, loss), None
    known = found if isinstance(found, Optimum) else None
    return in_units(found, data, loss), logistic_conditioning(x, q, known, loss.l2, bias)


def class_shares(table: Dataset, loss: CrossEntropy) -> np.ndarray:
    """What each class of each row counts, see `cross_entropy.shares`."""
    assert table.classes is not None
    return shares(table.y[:, 0].numpy(), len(table.classes), loss.weight, loss.label_smoothing)


def with_l2(squares: Conditioning, l2: float) -> Conditioning:
    """The Hessian of squares with l2 times the sum of the squared weights: each eigenvalue is larger by 2 l2.

    Nearly so for that of the intercept, which has no penalty.
    """
    values = squares.eigenvalues + 2 * l2
    return Conditioning(values, float(values[-1]), squares.rank)


def in_units(found: Optimum | NoOptimum, data: Prepared, loss: Any) -> Optimum | NoOptimum:
    """An optimum of the rows as trained in the table's units; `loss` has its penalty and its degree.

    Targets as they are: only the weights change. Targets scaled by s: the objective in their units is the loss in
    their units plus s^degree times the penalty of each target's weights as trained, which has the same minimiser.
    """
    if isinstance(found, NoOptimum):
        return found
    weight, bias = (t.numpy() for t in data.scaling.original(*map(torch.from_numpy, (found.weight, found.bias))))
    if data.target_scale is None or not isinstance(loss, ResidualLoss):
        return replace(found, weight=weight, bias=bias)
    scale = data.scaling.y_scale.numpy()[:, None] ** loss.degree
    extra = float(np.sum(scale * (loss.l2 * np.square(found.weight) + loss.l1 * np.abs(found.weight))))
    total, rows = 0.0, 0
    for x, y in data.blocks():
        residual = x.to(torch.float64) @ torch.from_numpy(weight).t() + torch.from_numpy(bias) - y
        total, rows = total + float(loss.values(residual).mean(1).sum()), rows + len(y)
    return replace(found, weight=weight, bias=bias, loss=total / rows + extra, data_loss=total / rows)
