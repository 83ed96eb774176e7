"""One seed, one config: the same bits twice, on one and two threads, in a sweep twice, resumed and rerun."""

import shutil
from pathlib import Path

import pytest

from experiments.__main__ import main

SHORT = ["training.epochs=4", "tracking.figures=false"]


def bits(folder: Path) -> tuple[bytes, bytes]:
    return (folder / "model.safetensors").read_bytes(), (folder / "metrics.jsonl").read_bytes()


@pytest.mark.parametrize("keys", [[], ["optimizer=adam", "data=synthetic", "data.n_rows=200"], ["model=analytic"]])
def test_a_run_twice_on_one_and_two_threads_and_rerun(keys: list[str]) -> None:
    for name, threads in (("once", 1), ("twice", 1), ("two", 2)):
        assert main([*keys, *SHORT, f"device.threads={threads}", f"hydra.run.dir={name}"]) == 0
    assert bits(Path("once"))[0] == bits(Path("twice"))[0] == bits(Path("two"))[0]
    assert bits(Path("once"))[1] == bits(Path("twice"))[1] == bits(Path("two"))[1]
    assert main(["rerun", "once"]) == 0
    (again,) = Path("outputs/runs").iterdir()
    assert bits(again) == bits(Path("once"))


def test_a_stacked_job_twice_resumed_and_rerun() -> None:
    for name in ("a", "b"):
        assert main(["-m", "seed=range(0,5)", *SHORT[:1], f"hydra.sweep.dir={name}"]) == 0
    shutil.rmtree("b/2_seed=2")
    assert main(["resume", "b"]) == 0
    for number in range(5):
        assert bits(Path(f"a/{number}_seed={number}")) == bits(Path(f"b/{number}_seed={number}"))
    assert main(["rerun", "a/3_seed=3"]) == 0
    (again,) = Path("outputs/runs").iterdir()
    assert bits(again) == bits(Path("a/3_seed=3"))
