"""Successive halving inside a pack: at each rung the best settings go on in the same tensors, the others end.

Jamieson and Talwalkar, Non-stochastic Best Arm Identification and Hyperparameter Optimization (2016).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

TAGS = {"train_loss": "loss/train", "validation_loss": "loss/validation", "gap": "loss/gap", "gap_relative": "loss/gap"}
"""Where the objectives are looked at; any other is judged by the loss that patience is judged by."""


@dataclass(frozen=True)
class Halving:
    """How runs that lie as settings x `seeds` are compared."""

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
