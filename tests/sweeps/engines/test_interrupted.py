"""Ctrl-C while another engine trains, and a search over one: joblib, submitit's local tasks, a cluster of Ray."""

import csv
import importlib.util
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from experiments.__main__ import main
from experiments.sweeps.engines.driving import _Drive
from tests.support.sent_away import SWEPT, bits

ENGINES = [
    pytest.param(["hydra.launcher.engine=joblib", "hydra.launcher.workers=2"], "LokyProcess", id="joblib"),
    pytest.param(
        ["hydra.launcher.engine=submitit", "hydra.launcher.cluster=local", "hydra.launcher.workers=2"],
        "submitit", id="submitit",
    ),
    pytest.param(
        ["hydra.launcher.engine=ray", "hydra.launcher.address=local", "hydra.launcher.workers=2"],
        "ray::", id="ray",
        marks=[
            pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs ray"),
            pytest.mark.filterwarnings("ignore"),  # Ray's own
        ],
    ),
]  # fmt: skip


def processes(word: str) -> list[str]:
    """Command lines with a word of the processes below this one."""
    table = subprocess.run(["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in table.splitlines()[1:]]
    family = {str(os.getpid())}
    for _ in range(4):
        family |= {pid for pid, parent, _ in rows if parent in family}
    return [line for pid, _, line in rows if pid in family and word in line]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # submitit's Popen of a cancelled task
@pytest.mark.parametrize(("engine", "word"), ENGINES)
def test_ctrl_c_ends_what_was_sent_and_resume_goes_on_to_the_same_bits(
    engine: list[str], word: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    swept = [*SWEPT, "training.epochs=100"]
    assert main(["-m", *swept, "hydra.sweep.dir=local"]) == 0
    take = _Drive._take

    def take_one(self: _Drive, *what: Any) -> None:
        take(self, *what)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(_Drive, "_take", take_one)
        assert main(["-m", *swept, *engine, "hydra.sweep.dir=sent"]) == 130
    assert not processes(word)
    done = len(list(Path("sent").rglob("result.json")))
    assert 0 < done <= 12  # on a busy machine all may have ended before the first was read
    assert "resume" in capsys.readouterr().err
    assert main(["resume", "sent"]) == 0
    assert {k: v for k, v in bits("sent").items() if ".submitit" not in k} == bits("local")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("engine", "word"), ENGINES[:1])
def test_the_generations_of_a_search_come_back_as_those_of_the_local_engine(engine: list[str], word: str) -> None:
    asked = [
        "-m", "hydra/sweeper=search", "training.epochs=3", "search.confirm=0", "search.trials=12", "search.batch=8",
        "optimizer.lr=tag(log,interval(1e-7,1e-3))", "training.batch_size=choice(3,5)",
    ]  # fmt: skip
    assert main([*asked, "hydra.sweep.dir=local"]) == 0
    assert main([*asked, *engine, "hydra.sweep.dir=sent"]) == 0
    local, sent = ([[row[k] for k in ("number", "optimizer.lr", "training.batch_size", "gap")] for row in rows(place)]
                   for place in ("local", "sent"))  # fmt: skip
    assert sent == local and len(local) == 12


def rows(place: str) -> list[dict[str, str]]:
    with (Path(place) / "results.csv").open() as file:
        return list(csv.DictReader(file))
