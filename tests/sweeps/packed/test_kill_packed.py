"""SIGKILL of a sweep whose jobs have no folders; benchmarks/kill_sweeps.py does the same by the dozen."""

import random
import time
from pathlib import Path

from tests.support.killing_packed import begun, trial

SWEPT = ["seed=range(0,700)", "training.batch_size=5,3", "training.epochs=30"]


def test_killed_packs_end_with_the_same_bits(tmp_path: Path) -> None:
    clock = time.perf_counter()
    assert begun(SWEPT, tmp_path / "reference").wait() == 0
    seconds = time.perf_counter() - clock
    dice = random.Random(3)
    trial(SWEPT, tmp_path / "killed", tmp_path / "reference", seconds, 2, dice)
