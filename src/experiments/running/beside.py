"""A process that trains beside the first of torchrun's: the same steps on its own share of the rows, nothing written.

Only where the first process is gone does it write: the checkpoint that the run can go on from.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from experiments.config.schema import Config
from experiments.config.validation import config_hash, plain_config
from experiments.errors import UserError
from experiments.running import assembly
from experiments.running.runner import begun, steady
from experiments.running.under_way import Run
from experiments.tracking.checkpoint import Checkpoint, Checkpoints
from experiments.tracking.files import read_bytes
from experiments.tracking.lock import hold
from experiments.tracking.tracker import Tracker

PATIENCE = 1.0
"""Seconds in which the lock of a process that was killed becomes free."""
LAST_LINES = 2**20


def train(config: Config, folder: Path, resumed: bool) -> None:
    """Train to the end of the run that the first process has in `folder`. Raises what `runner.run` raises."""
    began = time.perf_counter()
    with steady(config):
        experiment, about = begun(config)
        tracker = Bystander(folder, config, resumed)
        with assembly.seeded(config):
            for _ in Run(experiment, tracker, about, began, single=True).epochs():
                pass


class Bystander(Tracker):
    """The face of a Tracker whose folder another process writes."""

    writes = False

    def __init__(self, folder: Path, config: Config, resumed: bool) -> None:
        self.folder, self.resumed, self.events = folder, resumed, None
        self.plain = plain_config(config)
        self.config_hash = config_hash(self.plain)
        self.checkpoints = LastCheckpoint(folder)

    def encoding(self, content: Mapping[str, Any]) -> None:
        pass

    def sync(self) -> int:
        path = self.folder / "metrics.jsonl"
        return path.stat().st_size if path.exists() else 0

    def rewind(self, offset: int) -> None:
        pass

    def record(self, epoch: int, step: int, values: Mapping[str, float]) -> None:
        self.checkpoints.recorded = epoch

    def flush(self) -> None:
        pass


class LastCheckpoint(Checkpoints):
    """The checkpoints of a run, written where its first process is gone: then the folder's lock is free."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "checkpoint")
        self.recorded = 0
        """The last epoch whose line metrics.jsonl must have."""

    def save(self, checkpoint: Checkpoint, step: int) -> None:
        try:
            lock = hold(self.folder.parent, patience=PATIENCE)
        except (UserError, FileNotFoundError):  # the first process writes one, or the run has ended
            return
        try:
            there = any(path.name.startswith(f"{step:012d}-") for path in self.folder.iterdir())
            if not there and self._told():
                super().save(checkpoint, step)
        finally:
            lock.release()

    def _told(self) -> bool:
        """Whether metrics.jsonl has the last line that it should: the first process may have gone just before."""
        if not self.recorded:
            return True
        lines = read_bytes(self.folder.parent / "metrics.jsonl", 2**40, last=LAST_LINES).splitlines()
        return bool(lines) and orjson.loads(lines[-1])["epoch"] >= self.recorded
