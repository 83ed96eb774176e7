"""What classifiers are worth, as scikit-learn defines it: accuracy, balanced accuracy, macro F1, log loss, ROC AUC."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from experiments.learning.class_losses import CrossEntropy, logits_of

PLAIN = CrossEntropy()


def class_metrics(
    blocks: Iterable[tuple[Tensor, Tensor, Tensor]], loss: CrossEntropy, classes: int, runs: int
) -> list[dict[str, Any]]:
    """`loss` (weighted and smoothed as trained) and the metrics of each of R models.

    A block is x, the class numbers y (n, 1), and logits (R, k, n), (R, 1, n) for two classes; float64.
    """
    confusion, sums = np.zeros((runs, classes, classes), dtype=np.int64), np.zeros((3, runs))
    scores: list[np.ndarray] = []
    truth: list[np.ndarray] = []
    for _, y, logits in blocks:
        goal = y.t()[None]  # (1, 1, n)
        weighed = loss.values(logits, goal).sum((1, 2)), loss.row_weights(logits, goal).sum().expand(runs)
        sums += torch.stack([*weighed, PLAIN.values(logits, goal).sum((1, 2))]).numpy()
        found = logits_of(logits).argmax(1).numpy()  # (R, n)
        true = y[:, 0].long().numpy()
        for run in range(runs):
            confusion[run] += np.bincount(true * classes + found[run], minlength=classes**2).reshape(classes, classes)
        if classes == 2:
            scores.append(logits[:, 0].numpy())
            truth.append(true)
    total, weights, plain = sums
    areas = roc_auc(np.concatenate(truth), np.concatenate(scores, axis=1)) if classes == 2 else [None] * runs
    return [
        {
            "loss": float(total[run] / weights[run]),
            **of_confusion(confusion[run]),
            "log_loss": finite_or_none(plain[run] / confusion[run].sum()),
            "roc_auc": areas[run] if np.isfinite(total[run]) else None,
            "r2": None,  # of numbers
            "rmse": None,
        }
        for run in range(runs)
    ]


def of_confusion(confusion: np.ndarray) -> dict[str, float]:
    """Accuracy, the mean recall of the classes that occur, and the mean F1 of those that occur or are predicted.

    `confusion` (classes, classes) counts the rows of each true class by the class that was predicted.
    """
    right, true, predicted = confusion.diagonal(), confusion.sum(1), confusion.sum(0)
    occurs, seen = true > 0, true + predicted > 0
    return {
        "accuracy": float(right.sum() / confusion.sum()),
        "balanced_accuracy": float((right[occurs] / true[occurs]).mean()),
        "macro_f1": float((2 * right[seen] / (true + predicted)[seen]).mean()),
    }


def roc_auc(true: np.ndarray, scores: np.ndarray) -> list[float | None]:
    """The share of pairs of rows, one of each class, that `scores` (R, n) put in order; ties count half.

    `true` (n,) is 0 or 1. None where only one class occurs.
    """
    areas: list[float | None] = []
    for row in scores:
        low, high = np.sort(row[true == 0]), row[true == 1]
        if not len(low) * len(high):
            areas.append(None)
            continue
        below = np.searchsorted(low, high, "left") + np.searchsorted(low, high, "right")
        areas.append(float(below.sum() / (2 * len(low) * len(high))))
    return areas


def finite_or_none(value: Any) -> float | None:
    """The number, or None for what is none: JSON has no NaN and no infinity."""
    return float(value) if value is not None and np.isfinite(value) else None
