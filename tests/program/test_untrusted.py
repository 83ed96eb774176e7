"""resume in a folder of somebody who means harm: refused in one line or used as far as it is harmless."""

import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from experiments.__main__ import main
from experiments.running import runner
from tests.support.hostile import BUILDERS, Canary
from tests.support.killing import make_config


@pytest.fixture(scope="module")
def unfinished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A good run's folder, cut off in its seventh epoch."""
    torch.set_num_threads(1)
    folder, seen = tmp_path_factory.mktemp("good") / "run", []

    def watch(look: Any) -> None:
        seen.append(look)
        if len(seen) == 6:
            signal.raise_signal(signal.SIGINT)

    config = make_config(optimizer="adam", training={"epochs": 10, "checkpoint_every": 2})
    with pytest.raises(KeyboardInterrupt):
        runner.run(config, folder, watch=watch)
    (folder / ".hydra").mkdir()
    return folder


@pytest.mark.parametrize("name", BUILDERS)
def test_resume(
    name: str, unfinished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, canary = tmp_path / "run", Canary(tmp_path)
    shutil.copytree(unfinished, folder)
    BUILDERS[name](folder, canary)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    before = set(sys.modules)
    status = main(["resume", "."])
    said = capsys.readouterr()
    assert canary.harm() == []
    assert "payload" not in set(sys.modules) - before
    assert "\x1b" not in said.out + said.err and "\x07" not in said.out + said.err
    if status:
        assert status in (1, 2)
        assert said.err.startswith("error: ") and said.err.count("\n") == 1 and len(said.err) < 5_000
        assert not (folder / "result.json").exists() or name.startswith("result")
    else:
        assert all(line.startswith("warning: ") for line in said.err.splitlines())


def test_good_folder_is_resumed_so_that_the_builders_start_from_something(unfinished: Path, tmp_path: Path) -> None:
    shutil.copytree(unfinished, tmp_path / "run")
    assert main(["resume", str(tmp_path / "run")]) == 0
    assert "going on after epoch 6" in (tmp_path / "run/run.log").read_text()
