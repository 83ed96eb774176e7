"""Successive halving inside a pack: at each rung the best settings go on in the same tensors, the others end.

Jamieson and Talwalkar, Non-stochastic Best Arm Identification and Hyperparameter Optimization (2016).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

TAGS = {"train_loss": "loss/train", "validation_loss": "loss/validation", "gap": "loss/gap", "gap_relative": "loss/gap"}
"""Where the objectives are looked at; any other is judged by the loss that patience is judged by."""
BEFORE = 3
"""A rung compares where losses are going: from what they were after a third of its epochs to what they are."""
STEEPEST = 3.0
"""Of the power of the epochs with which a loss is taken to fall on, at most."""


@dataclass(frozen=True)
class Halving:
    """How the runs of a pack are compared, which lie as settings x `seeds`."""

    rungs: tuple[int, ...]
    """After which epochs."""
    eta: int
    """One of so many settings goes on from each rung to the next."""
    seeds: int = 1
    average: str = "mean"
    objective: str | None = None
    sign: int = 1
    """-1 where larger is better."""

    def scores(self, looked: Mapping[str, np.ndarray]) -> np.ndarray:
        """What the runs that were looked at are worth, less is better; infinite where that is not finite."""
        tag = TAGS.get(self.objective or "", "")
        usual = "loss/validation" if "loss/validation" in looked else "loss/train"
        values = self.sign * looked[tag if tag in looked else usual]
        return np.where(np.isfinite(values), values, np.inf)

    @property
    def looks(self) -> frozenset[int]:
        """After which epochs, besides those of the rungs, runs are looked at."""
        return frozenset(rung // BEFORE for rung in self.rungs)

    def projected(self, scores: np.ndarray, before: np.ndarray, epoch: int, epochs: np.ndarray) -> np.ndarray:
        """Scores as they will be after `epochs` (A,), if they fall on as the power of the epochs that they fell with.

        `before` (A,) are those after a third of `epoch`; what rose since, or is no loss, is taken to stay. Learning
        curves are power laws for long (Hestness et al., arXiv 1712.00409), and small rates, behind at
        first, are often best.
        """
        if epoch < BEFORE or self.sign < 0:
            return scores
        fell = np.isfinite(scores) & np.isfinite(before) & (before > scores) & (scores > 0)
        ratio = np.divide(scores, before, out=np.ones_like(scores), where=fell)
        power = np.log(ratio) / math.log(epoch / (epoch // BEFORE))
        return scores * (epochs / epoch) ** np.maximum(power, -STEEPEST)

    def survivors(self, rung: int, scores: np.ndarray, alive: np.ndarray) -> np.ndarray:
        """Whether each of the runs `alive` goes on from rung number `rung`, (A,) bool.

        `scores` (R,) are those of all runs: also of the ones that have ended, with which they make up a setting.
        """
        average = np.mean if self.average == "mean" else np.median
        with np.errstate(invalid="ignore"):  # inf - inf within a median
            values = average(scores.reshape(-1, self.seeds), axis=1)
        under_way = np.unique(alive // self.seeds)
        under_way = under_way[np.isfinite(values[under_way])]
        count = max(1, len(values) // self.eta ** (rung + 1))
        best = under_way[np.argsort(values[under_way], kind="stable")[:count]]
        return np.isin(alive // self.seeds, best)


def rungs(first: int, eta: int, epochs: int) -> tuple[int, ...]:
    """`first` epochs, eta times as many, and so on, below `epochs`."""
    found = []
    while first < epochs:
        found.append(first)
        first *= eta
    return tuple(found)
