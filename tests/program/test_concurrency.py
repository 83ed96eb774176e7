"""Many processes at once, and the same bits twice."""

from pathlib import Path

import pytest
import torch

from experiments.config import folder_names
from experiments.running import runner
from tests.support.killing import differences, ended, forked, make_config, session

CONFIG = make_config("analytic", "manual_sgd", training={"epochs": 1}, tracking={"tensorboard": False})


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # a fork beside torch's threads
def test_sixty_processes_get_sixty_folders(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    processes = [forked(lambda: session(CONFIG, tmp_path / folder_names.run_name(["seed=1"]))) for _ in range(60)]
    assert [ended(pid) for pid in processes] == [0] * 60
    assert len(list(tmp_path.glob("*/result.json"))) == 60


@pytest.mark.parametrize("optimizer", ["sgd", "manual_adam"])
def test_one_seed_gives_the_same_bits_on_one_and_two_threads(optimizer: str, tmp_path: Path) -> None:
    config = make_config(optimizer=optimizer, training={"epochs": 5})
    for name, threads in (("once", 1), ("twice", 1), ("two", 2)):
        torch.set_num_threads(threads)
        runner.run(config, tmp_path / name)
    torch.set_num_threads(1)
    assert differences(tmp_path / "twice", tmp_path / "once") == []
    assert differences(tmp_path / "two", tmp_path / "once") == []  # so small a product is not split between threads
