"""compare, diff, predict, rerun and load_run on a folder of somebody who means harm: refused in one line, or harmless.

What resume does with such a folder is tested in tests/test_untrusted.py.
"""

import contextlib
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from experiments import load_run
from experiments.__main__ import main
from experiments.errors import UserError
from experiments.running import runner
from tests.support import hostile, hostile_results
from tests.support.hostile import Canary
from tests.support.killing import make_config

BUILDERS = hostile.BUILDERS | hostile_results.BUILDERS
COMMANDS = {
    "compare": ["compare", ".", "../good"],
    "compare --json": ["compare", ".", "../good", "--json", "../out.json", "--csv", "../out.csv"],
    "compare --columns": ["compare", ".", "../good", "--columns", "help"],
    "diff": ["diff", "../good", "."],
    "predict": ["predict", ".", "75,63,44"],
    "rerun": ["rerun", "."],
}
UNTRAINED = ("checkpoint", "holder", "log", "figures", "config: an embedding of gigabytes")
"""What rerun is not tried with: files that it does not read, and a model that it would train as asked."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run's folder in which the checkpoint of a session that was cut off is left."""
    torch.set_num_threads(1)
    place = tmp_path_factory.mktemp("good")
    config, seen = make_config(optimizer="adam", training={"epochs": 8, "checkpoint_every": 2}), []

    def watch(look: Any) -> None:
        seen.append(look)
        if len(seen) == 6:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        runner.run(config, place / "cut", watch=watch)
    runner.run(config, place / "good")
    shutil.copytree(place / "cut" / "checkpoint", place / "good" / "checkpoint")
    (place / "good" / ".hydra").mkdir()
    return place / "good"


@pytest.mark.filterwarnings("ignore:.*outside the training data")
@pytest.mark.parametrize("name", BUILDERS)
def test_harmless(
    name: str, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, canary = tmp_path / "run", Canary(tmp_path)
    shutil.copytree(finished, tmp_path / "good")
    shutil.copytree(finished, folder)
    BUILDERS[name](folder, canary)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    before = set(sys.modules)
    for words in COMMANDS.values():
        if words[0] == "rerun" and name.startswith(UNTRAINED):
            continue
        status = main(words)
        said = capsys.readouterr()
        assert status in (0, 2) or (words[0] == "rerun" and status == 1), (words, said.err)
        assert not {"\x1b", "\x07", "\u202e"} & set(said.out + said.err), words
        assert len(said.err) < 5_000 and ("Error: " not in said.err or status == 1), words
        if status:
            assert words[0] != "compare", said.err  # the good run is compared
            assert said.err.splitlines()[-1].startswith("error: "), words
        else:
            assert all(line.startswith(("note: ", "warning: ")) for line in said.err.splitlines()), words
    with contextlib.suppress(UserError):
        run = load_run(".")
        assert run.metrics.height >= 0
        assert run.predict([75, 63, 44]).shape == (len(run.model.targets),)
    assert canary.harm() == []
    assert "payload" not in set(sys.modules) - before


def test_the_good_folder_is_taken_so_that_the_builders_start_from_something(
    finished: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(finished)
    for words in COMMANDS.values():
        if "--json" not in words:
            assert main(words) == 0, words
    assert capsys.readouterr().err == ""
