"""A Ray cluster of two workers, started for the sweep; run where Ray is installed."""

import os
from pathlib import Path

import pytest

from experiments.__main__ import main
from tests.support.sent_away import SWEPT, bits, deadly_model

pytest.importorskip("ray")
pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # Ray's own
    pytest.mark.timeout(600),
]
RAY = "hydra.launcher.engine=ray"


@pytest.mark.parametrize("shared", ["true", "false"])
def test_packs_of_a_worker_that_was_killed_are_trained_again_to_the_same_bits(
    shared: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    swept = [*SWEPT, *deadly_model(monkeypatch)]
    assert main(["-m", *swept, "hydra.launcher.workers=1", "hydra.sweep.dir=local"]) == 0
    Path("deadly").touch()
    words = [RAY, "hydra.launcher.address=local", "hydra.launcher.workers=2", f"hydra.launcher.shared={shared}"]
    assert main(["-m", *swept, *words, "hydra.sweep.dir=sent"]) == 0
    assert not Path("deadly").exists() and "was cut off" in Path("sent/sweep.log").read_text()
    assert bits("sent") == bits("local")


@pytest.mark.parametrize(
    ("address", "said"), [("127.0.0.1:1", "does not answer, "), ("somewhere", "must be auto, local, HOST:PORT")]
)
def test_an_address_without_a_cluster_is_told_in_one_line(
    address: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["-m", *SWEPT, RAY, f"hydra.launcher.address={address}", "hydra.sweep.dir=none"]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: hydra.launcher.address={address}: {said}") and error.count("\n") == 1
    assert os.listdir("none")
