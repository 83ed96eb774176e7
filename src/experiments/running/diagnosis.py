"""What gradient descent has ahead of it on a table, in words: for `diagnose`, and for the why of a summary."""

import math
from dataclasses import dataclass

from torch import Tensor

from experiments.data.prepared import Prepared
from experiments.exact.solution import Conditioning
from experiments.exact.spectrum import Descent, descent

FACTORS = (10, 2, 1.1)
"""Multiples of the smallest possible loss that the epochs are predicted to."""


@dataclass(frozen=True)
class Diagnosis:
    """The loss as trained, and plain descent on it from a given start; `standardized` is what scaling would give."""

    conditioning: Conditioning
    descent: Descent
    standardized: Conditioning
    standardized_descent: Descent


def diagnosis(
    data: Prepared, weight: Tensor, bias: Tensor | None, lr: float, batch_size: int | None, l2: float = 0.0
) -> Diagnosis:
    """From the spectrum alone; nothing is trained. weight (targets, features), bias (targets,) as trained.

    The penalty is in all but what scaling would give, where it would be another one.
    """
    has_bias = bias is not None
    columns = data.squares_as_trained(has_bias)
    start = (weight.detach(), None if bias is None else bias.detach())
    scaled = columns.conditioning(standardized=True)
    return Diagnosis(
        conditioning=columns.conditioning(l2=l2),
        descent=descent(columns, *start, lr, l2=l2),
        standardized=scaled,
        standardized_descent=descent(columns, *start, best_lr(scaled), standardized=True),
    )


def best_lr(conditioning: Conditioning) -> float:
    """The rate of plain descent at which the slowest direction shrinks fastest: 2 / (lambda_min + lambda_max)."""
    positive = conditioning.eigenvalues[conditioning.eigenvalues > 1e-12 * conditioning.lambda_max]
    return 2 / float(positive[0] + conditioning.lambda_max)


def epochs_in_words(descent: Descent) -> str:
    """`to 10x the smallest loss 31 epochs, to 2x ...`, or that there is no such epoch."""
    if not descent.converges:
        return "never: it diverges"
    if descent.optimum_loss == 0:
        return "the smallest loss is zero: no multiple of it can be aimed at"
    parts = []
    for factor in FACTORS:
        epochs = descent.epochs_to(factor)
        parts.append(f"to {factor:g}x in {'more than 10^18' if epochs is None else f'{epochs:,}'} epochs")
    return ", ".join(parts)


def number(value: float) -> str:
    """Five digits, and infinity as a word."""
    return "infinite" if math.isinf(value) else f"{value:.5g}"
