"""The confusion matrix: how often each true class was given each label, on the training rows and those held out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.running.figures import canvas

MOST_COUNTED = 30
"""Classes up to which the counts stand in the cells, and labels along an axis."""
ZEROS = 5
"""Classes up to which a count of zero is written too."""


@dataclass(frozen=True)
class Classified:
    """Rows that were classified: the number of each one's class, `true` (n,), and `probability` (n, classes)."""

    true: np.ndarray
    probability: np.ndarray

    @property
    def found(self) -> np.ndarray:
        """The number of the most likely class (n,)."""
        return self.probability.argmax(1)

    @property
    def counts(self) -> np.ndarray:
        """(classes, classes): the rows of each true class by the class that was predicted."""
        classes = self.probability.shape[1]
        return np.bincount(self.true * classes + self.found, minlength=classes**2).reshape(classes, classes)


def confusion(parts: Mapping[str, Classified], labels: Sequence[str]) -> canvas.Picture:
    """A panel for each of the parts, by name: counts, coloured by the share of the true class's rows."""
    if not all(canvas.sane(part.probability) for part in parts.values()):
        return canvas.diverged("Confusion matrix", "predictions")
    side = min(max(4.2, 0.42 * len(labels)), 10) + 1
    figure = canvas.blank(side * len(parts), side + 0.6)
    for k, (name, part) in enumerate(parts.items()):
        _draw(figure.add_subplot(1, len(parts), k + 1), name, part, [canvas.word(label, 16) for label in labels])
    return canvas.png(figure, "Confusion matrix")


def _draw(axes: Any, name: str, part: Classified, labels: Sequence[str]) -> None:
    from matplotlib.colors import PowerNorm

    counts, classes = part.counts, len(labels)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", norm=PowerNorm(0.5, 0, 1))  # by the root: few mistakes are seen too
    if classes <= MOST_COUNTED:
        for i, j in np.argwhere(np.full_like(counts, classes <= ZEROS) | counts):
            colour = "white" if shares[i, j] > 0.4 else "black"
            axes.text(j, i, f"{counts[i, j]:,}", ha="center", va="center", color=colour, fontsize=9)
    shown = range(0, classes, -(-classes // MOST_COUNTED))
    long = max(map(len, labels)) > 2
    axes.set_xticks(shown, [labels[k] for k in shown], rotation=45 if long else 0, ha="right" if long else "center")
    axes.set_yticks(shown, [labels[k] for k in shown])
    axes.tick_params(length=0, labelsize=9)
    said = f"{name}: {counts.trace():,} of {counts.sum():,} right ({counts.trace() / counts.sum():.4g})"
    if never := [labels[k] for k in np.flatnonzero(counts.sum(0) == 0).tolist()]:
        said += f"\nnever predicted: {', '.join(never[:4])}{f' and {len(never) - 4} more' if len(never) > 4 else ''}"
    axes.set_title(said, fontsize=10.5)
    axes.set(xlabel="predicted", ylabel="true")
