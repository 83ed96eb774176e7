"""Two processes of joblib's: the bits of the local engine, also where one is killed."""

from pathlib import Path

import pytest

from experiments.__main__ import main
from tests.support.sent_away import SWEPT, bits, deadly_model

JOBLIB = ["hydra.launcher.engine=joblib", "hydra.launcher.workers=2"]


def test_the_files_and_bits_are_those_of_the_local_engine() -> None:
    for name, engine in {"local": [], "joblib": JOBLIB}.items():
        assert main(["-m", *SWEPT, *engine, f"hydra.sweep.dir={name}"]) == 0
    assert bits("joblib") == bits("local") and len(bits("local")) > 12 * 8


def test_packs_of_a_process_that_was_killed_are_trained_again(monkeypatch: pytest.MonkeyPatch) -> None:
    swept = [*SWEPT, *deadly_model(monkeypatch)]
    assert main(["-m", *swept, "hydra.launcher.workers=1", "hydra.sweep.dir=local"]) == 0
    Path("deadly").touch()
    assert main(["-m", *swept, *JOBLIB, "hydra.sweep.dir=joblib"]) == 0
    assert not Path("deadly").exists() and "SIGKILL" in Path("joblib/sweep.log").read_text()
    assert bits("joblib") == bits("local")
