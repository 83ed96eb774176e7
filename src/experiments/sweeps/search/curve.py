"""The run `study` in TensorBoard: the best value so far against trials, and against the time."""

import math
from collections.abc import Iterable
from pathlib import Path

from experiments.sweeps.search.storage import Direction
from experiments.sweeps.search.study import Setting
from experiments.tracking.events import EventFile

FOLDER = "study"


class Curve:
    """`best/value` after each trial that ran to its end; nothing unless it is `on`."""

    def __init__(self, direction: Direction, on: bool) -> None:
        self.on, self._best = on, math.inf
        self._sign = -1 if direction == "maximize" else 1
        self._file: EventFile | None = None

    def begin(self, folder: Path) -> None:
        """Begin the file; that of an earlier session goes, whose trials are told again. Raises OSError."""
        if not self.on:
            return
        (folder / FOLDER).mkdir(exist_ok=True)
        for left in (folder / FOLDER).glob("events.out.tfevents.*"):
            left.unlink()
        self._file = EventFile(folder / FOLDER)

    def add(self, settings: Iterable[Setting]) -> None:
        """Add trials, in the order of their numbers."""
        for setting in settings:
            if setting.values is not None and setting.pruned is None:
                self._best = min(self._best, self._sign * setting.values[0])
            if self._file is not None and math.isfinite(self._best):
                self._file.scalars(setting.number + 1, {"best/value": self._sign * self._best})

    def close(self) -> None:
        """End the file."""
        if self._file is not None:
            self._file.close()
