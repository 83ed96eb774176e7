"""torchrun for real: processes of one thread on small streams, one of them killed, and a run without it beside."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import orjson
import pytest
from safetensors.torch import load_file

from experiments import run
from experiments.__main__ import main
from experiments.cli.torchrun import _resume, _train
from experiments.errors import UserError

ROWS = 4000
LONGEST = 300
"""Seconds, where something hangs."""


@pytest.fixture(scope="module", autouse=True)
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shared")
    random = np.random.default_rng(0)
    x = random.standard_normal((ROWS, 3)).astype(np.float32)
    noise = random.standard_normal(ROWS)
    np.save(folder / "numbers.npy", np.c_[x, x @ [1, -2, 3] + noise].astype(np.float32))
    np.save(folder / "classes.npy", np.c_[x, (x[:, 0] + noise > 0) * 1 + (x[:, 1] > 0)].astype(np.float32))
    return folder


def words(table: str, folder: Path, *more: str) -> list[str]:
    return [
        "data=stream", f"data.path={table}.npy", "data.targets=[c4]", "data.block_rows=300", "data.validation=0.2",
        "training.batch_size=100", "tracking.figures=false", "data.batch_blocks=4", f"hydra.run.dir={folder}", *more,
    ]  # fmt: skip


def torchrun(place: Path, processes: int, arguments: list[str], *flags: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(processes), *flags]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [*command, "-m", "experiments", *arguments],
        cwd=place, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def process(parent: int, rank: int) -> int:
    """The process id of a rank."""
    for name in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
        if f"RANK={rank}\0".encode() in Path(f"/proc/{name}/environ").read_bytes():
            return int(name)
    raise LookupError(rank)


def wait_for(file: Path, words: bytes, times: int) -> None:
    """Until the file has the words so many times."""
    end = time.monotonic() + LONGEST
    while not file.exists() or file.read_bytes().count(words) < times:
        assert time.monotonic() < end, f"{file}: not {times} times {words!r}"
        time.sleep(0.01)


def left(folder: Path) -> tuple[dict, list[dict], dict]:
    """What a run has left, but for times and machines: weights, curves, result."""
    result = orjson.loads((folder / "result.json").read_bytes())
    for name in ("timing", "environment"):
        result.pop(name)
    weights = {name: tensor.tolist() for name, tensor in load_file(folder / "model.safetensors").items()}
    return weights, [orjson.loads(line) for line in (folder / "metrics.jsonl").read_bytes().splitlines()], result


def test_four_processes_and_none_give_a_network_of_classes_the_same_bits(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    more = ["model=mlp", "model.dropout=0.2", "loss=cross_entropy", "loss.weight=[1,2,3]", "optimizer=adam",
            "training.epochs=2", "optimizer.lr=0.01"]  # fmt: skip
    run(*words("classes", place / "none", *more))
    done = torchrun(place, 4, words("classes", place / "four", *more))
    out, error = done.communicate(timeout=LONGEST)
    assert done.returncode == 0, error
    assert out.count("completed after 2 epochs") == 1  # the first alone speaks
    assert left(place / "four") == left(place / "none")


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_a_process_killed_ends_the_others_and_torchrun_or_resume_goes_on_to_the_same_bits(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place)
    more = ["training.epochs=30", "optimizer.lr=0.01", "optimizer.momentum=0.5"]
    run(*words("numbers", place / "whole", *more))
    folder = place / "killed"
    started = torchrun(place, 2, words("numbers", folder, *more), "--max-restarts", "1")
    wait_for(folder / "metrics.jsonl", b"\n", 2)
    os.kill(process(started.pid, 0), signal.SIGKILL)
    wait_for(folder / "run.log", b"going on after epoch", 1)
    os.kill(process(started.pid, 1), signal.SIGKILL)
    _, error = started.communicate(timeout=LONGEST)
    said = [line for line in error.splitlines() if line.startswith("error: ")]
    assert said == [f"error: another process of torchrun has ended; go on with: experiments resume {folder}"] * 2
    assert started.returncode != 0 and list((folder / "checkpoint").glob("*.safetensors"))
    assert main(["resume", str(folder)]) == 0
    assert "completed after 30 epochs" in capsys.readouterr().out
    assert left(folder) == left(place / "whole")


@pytest.mark.parametrize(("asked", "said"), [
    (["data=crops"], "data=crops: torchrun's processes share the rows of data=stream"),
    (["compare"], "torchrun: trains one run, or resumes it; run experiments compare without"),
    (["-m", "seed=1,2"], "--multirun: only overrides"),
])  # fmt: skip
def test_what_can_not_be_shared_is_refused(asked: list[str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        _train(asked, None)  # type: ignore[arg-type]  # it is not asked


def test_a_run_begun_without_the_key_is_not_gone_on_with_together(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    run(*words("numbers", place / "serial", "data.batch_blocks=null", "training.epochs=1"))
    (place / "serial" / "result.json").unlink()
    with pytest.raises(UserError, match=r"was begun without data\.batch_blocks; go on with it without torchrun"):
        _resume([str(place / "serial")], None)  # type: ignore[arg-type]  # it is not asked
