"""Tasks of submitit's local executor for real; of SLURM what it would be handed."""

import re
from pathlib import Path

import pytest

from experiments.__main__ import main
from experiments.sweeps.engines.on_submitit import FOLDER, TASKS, _Run, _Task
from experiments.sweeps.stacked import packs
from tests.support.sent_away import SWEPT, bits, deadly_model

pytest.importorskip("submitit")
LOCAL = ["hydra.launcher.engine=submitit", "hydra.launcher.cluster=local", "hydra.launcher.workers=2"]


def test_packs_of_a_task_that_was_killed_are_trained_again_to_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    swept = [*SWEPT, *deadly_model(monkeypatch)]
    assert main(["-m", *swept, "hydra.launcher.workers=1", "hydra.sweep.dir=local"]) == 0
    Path("deadly").touch()
    assert main(["-m", *swept, *LOCAL, "hydra.sweep.dir=sent"]) == 0
    assert not Path("deadly").exists() and re.search(r"task \d+ was ended", Path("sent/sweep.log").read_text())
    assert not [p for p in (Path("sent") / FOLDER).iterdir() if "_log." not in p.name]
    assert {k: v for k, v in bits("sent").items() if FOLDER not in k} == bits("local")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Popen's, of the tasks that are left
def test_tasks_are_left_alone_and_resume_collects(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-m", *SWEPT, *LOCAL, "hydra.launcher.wait=false", "hydra.sweep.dir=left"]) == 0
    assert re.search(r"submitted: tasks .*\(2\); `experiments resume \S+left` collects", capsys.readouterr().out)
    assert main(["resume", "left"]) == 0
    said = capsys.readouterr().out
    assert "waiting for tasks of local" in said and "12 jobs: 12 completed" in said
    assert not (Path("left") / FOLDER / TASKS).exists()
    assert not re.search(r"trained again|jobs that train stacked: \d+.*\n.*stacked", Path("left/sweep.log").read_text())


def test_a_task_that_had_to_make_room_goes_on_with_what_it_has_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[_Task] = []

    def kept(self, run, tasks):
        found.extend(tasks)
        raise OSError("not today")

    monkeypatch.setattr("submitit.AutoExecutor.map_array", kept)
    assert main(["-m", *SWEPT, *LOCAL[:2], "hydra.launcher.wait=false", "hydra.sweep.dir=cut"]) == 1
    (task,) = found
    whole, calls = packs.train, []

    def preempted(*parts):
        calls.append(parts)
        if len(calls) == 3:
            raise SystemExit
        return whole(*parts)

    monkeypatch.setattr(packs, "train", preempted)
    with pytest.raises(SystemExit):
        _Run()(task)
    again = _Run().checkpoint(task)
    again.function(*again.args)
    assert len(calls) == 4  # two packs before, one begun twice
    assert main(["resume", "cut"]) == 0
    assert main(["-m", *SWEPT, "hydra.sweep.dir=local"]) == 0
    assert {k: v for k, v in bits("cut").items() if FOLDER not in k} == bits("local")


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs that take a script as SLURM's do, and run nothing."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in {"sbatch": "cp $1 ../script; echo Submitted batch job 4711", "srun": "exit 1"}.items():
        (programs / name).write_text(f"#!/bin/sh\ncd {programs}\n{text}\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")


@pytest.mark.usefixtures("slurm")
def test_tasks_share_the_jobs_that_an_earlier_session_has_left(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-m", *SWEPT, "hydra.sweep.dir=s"]) == 0
    for path in Path("s").glob("*seed=[01]*/result.json"):
        path.unlink()
    words = [f"hydra.launcher.{word}" for word in ["engine=submitit", "cluster=slurm", "workers=2", "wait=false"]]
    assert main(["resume", "s", *words]) == 0
    assert "4711_0, 4711_1 (2)" in capsys.readouterr().out


@pytest.mark.usefixtures("slurm")
def test_slurm_gets_an_array_with_what_was_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["partition=short", "timeout_min=7", "cpus_per_task=4", "array_parallelism=1", "workers=2", "wait=false"]
    words = [f"hydra.launcher.{word}" for word in ["engine=submitit", *asked, "setup=[module load python]"]]
    assert main(["-m", *SWEPT, *words, f"hydra.sweep.dir={tmp_path}/sweep"]) == 0
    assert "4711_0, 4711_1 (2)" in capsys.readouterr().out
    script = (tmp_path / "script").read_text()
    for line in ("--array=0-1%1", "--partition=short", "--time=7", "--cpus-per-task=4", "--job-name=experiments"):
        assert f"#SBATCH {line}" in script
    assert "\nmodule load python\n" in script and "submitit.core._submit" in script


def test_without_slurm_it_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert main(["-m", *SWEPT, "hydra.launcher.engine=submitit"]) == 2
    assert re.fullmatch(r"error: hydra\.launcher\.cluster=slurm: .*srun.*\n", capsys.readouterr().err)
