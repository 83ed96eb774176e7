"""SIGKILL at random moments and inside writes; benchmarks/kill.py does the same by the hundred."""

import random
from pathlib import Path

import pytest
import torch

from tests.support.killing import counted, ended, forked, killed_at_call, make_config, session, trial

CONFIG = make_config(optimizer="adam", schedule="cosine", training={"epochs": 10, "checkpoint_every": 2})


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # a fork beside torch's threads
def test_killed_runs_end_with_the_same_bits(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    session(CONFIG, tmp_path / "reference")
    calls = counted(lambda: session(CONFIG, tmp_path / "counted"))
    dice, kills = random.Random(0), 0
    for number in range(8):
        count, *problems = trial(CONFIG, tmp_path / str(number), tmp_path / "reference", calls, 0.1, dice)
        kills += int(count)
        assert problems == []
    assert kills >= 4  # one that comes after the end of a quick session counts for nothing


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_run_killed_between_its_config_and_everything_else(tmp_path: Path) -> None:
    session(CONFIG, tmp_path / "reference")
    number = 1
    while not (tmp_path / "run/config.json").exists():  # die one call later each time until the config is there
        assert killed_at_call(CONFIG, tmp_path / "run", number, 0.5)
        number += 1
    assert not (tmp_path / "run/metrics.jsonl").exists()
    assert ended(forked(lambda: session(CONFIG, tmp_path / "run"))) == 0
