"""Ray clusters of two workers: one of `ray start`, and one of the sweep's own. Run where Ray is installed."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from experiments.__main__ import main
from tests.support.sent_away import SWEPT, bits, deadly_model
from tests.support.serving import free

pytest.importorskip("ray")
pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # Ray's own
    pytest.mark.timeout(600),
]
RAY = "hydra.launcher.engine=ray"


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of a cluster that a shell command started."""
    ray, port = str(Path(sys.executable).with_name("ray")), free()
    start = [ray, "start", "--head", f"--port={port}", "--num-cpus=2", "--include-dashboard=false"]
    subprocess.run(start, check=True, capture_output=True)
    yield f"127.0.0.1:{port}"
    subprocess.run([ray, "stop", "--force"], check=True, capture_output=True)


@pytest.mark.parametrize(
    ("address", "shared"), [("local", "true"), ("local", "false"), ("cluster", "true"), ("auto", "false")]
)
def test_packs_of_a_worker_that_was_killed_are_trained_again_to_the_same_bits(
    address: str, shared: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    if address != "local":
        started = request.getfixturevalue("cluster")
        address = started if address == "cluster" else address
    swept = [*SWEPT, *deadly_model(monkeypatch)]
    assert main(["-m", *swept, "hydra.launcher.workers=1", "hydra.sweep.dir=local"]) == 0
    Path("deadly").touch()
    words = [RAY, f"hydra.launcher.address={address}", "hydra.launcher.workers=2", f"hydra.launcher.shared={shared}"]
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
