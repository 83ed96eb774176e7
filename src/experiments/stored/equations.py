"""A linear model spelled out, equal terms below each other."""

import math
from collections.abc import Sequence
from typing import Any

MOST_NAMED = 12
"""Features, and targets, of the largest model that is spelled out."""


def outputs(targets: Sequence[str], classes: Sequence[Any] | None) -> list[str]:
    """What a model's outputs are called: of two classes the logarithm of the second's odds, of more each logit."""
    if not classes:
        return list(targets)
    odds = len(classes) == 2
    return [f"{'log odds' if odds else 'logit'} of {label}" for label in classes[odds:]]


def spelled(names: Sequence[str], features: Sequence[str], weight: Any, bias: Any) -> list[str]:
    """`yield_apple = 0.3000 * temp + ...`, a line an output; weight (outputs, features), bias (outputs,)."""
    lines = [f"{name:{max(map(len, names))}} = " for name in names]
    weights = [[*row, constant] for row, constant in zip(weight, bias, strict=True)]
    labels = [*(f" * {name}" for name in features), ""]
    for number, (label, column) in enumerate(zip(labels, zip(*weights, strict=True), strict=True)):
        if not label and not any(column):
            break  # no intercept
        texts = aligned(column if number == 0 else [abs(v) for v in column])
        for row, (value, text) in enumerate(zip(column, texts, strict=True)):
            sign = "" if number == 0 else " - " if value < 0 else " + "
            lines[row] += sign + text + label
    return lines


def aligned(values: Sequence[float]) -> list[str]:
    """Numbers of one width and as many decimals as show four digits of the smallest that is not zero."""
    sizes = [abs(v) for v in values if v]
    decimals = max(3 - math.floor(math.log10(min(sizes))), 0) if sizes else 4
    plain = decimals <= 7 and max(sizes, default=0) < 1e8
    texts = [f"{v:.{decimals}f}" if plain else f"{v:.3e}" for v in values]
    return [text.rjust(max(map(len, texts))) for text in texts]
