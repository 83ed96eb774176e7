"""SIGKILL of a sweep's parent and workers; benchmarks/kill_sweeps.py does the same by the hundred."""

import random
from pathlib import Path

import pytest
import torch

from tests.support.killing_sweeps import trial, undisturbed

MIXED = [
    "seed=1,2,3",
    "training.batch_size=5,3",
    "optimizer.lr=1e-5,-1",
    "training.epochs=4",
    "hydra.launcher.workers=2",
]


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # a fork beside torch's threads
def test_killed_sweeps_end_with_the_same_bits(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    seconds = undisturbed(MIXED, tmp_path / "reference")
    dice = random.Random(1)
    kills = 0
    for number in range(3):
        count, *problems = trial(MIXED, tmp_path / str(number), tmp_path / "reference", seconds, 2, dice)
        kills += int(count)
        assert problems == []
    assert kills >= 3
