"""What a classifier's outputs say: the probability of each class, and the most likely label."""

from collections.abc import Sequence

import numpy as np

Array = np.ndarray


def probabilities(outputs: Array) -> Array:
    """The probability of each class, (n, k), from logits (n, k); of two classes from the second's logit (n, 1)."""
    if outputs.shape[1] == 1:
        outputs = np.concatenate([np.zeros_like(outputs), outputs], axis=1)
    chances = np.exp(outputs - outputs.max(1, keepdims=True))
    return chances / chances.sum(1, keepdims=True)


def labels(outputs: Array, classes: Sequence[str | int | bool]) -> Array:
    """The most likely label of each row (n,), from its outputs as `probabilities` takes them."""
    return np.array(classes)[probabilities(outputs).argmax(1)]
