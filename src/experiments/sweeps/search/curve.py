"""The run `study` in TensorBoard: the best value so far against trials, and against the time."""

import math
from collections.abc import Iterable
from pathlib import Path

from experiments.sweeps.search.study import Setting
from experiments.tracking.events import EventFile

FOLDER = "study"


class BestSoFar:
    """`best/value` after each trial that ran to its end."""

    def __init__(self, sweep: Path, sign: int) -> None:
        """Begins the file; that of an earlier session goes, whose trials are told again. Raises OSError.

        `sign`: -1 where more is better.
        """
        self._sign, self._best = sign, math.inf
        folder = sweep / FOLDER
        folder.mkdir(exist_ok=True)
        for left in folder.glob("events.out.tfevents.*"):
            left.unlink()
        self._file = EventFile(folder)
        self.close = self._file.close

    def add(self, settings: Iterable[Setting]) -> None:
        """Add trials, in the order of their numbers."""
        for setting in settings:
            if setting.values is not None and setting.pruned is None:
                self._best = min(self._best, self._sign * setting.values[0])
            if math.isfinite(self._best):
                self._file.scalars(setting.number + 1, {"best/value": self._sign * self._best})
