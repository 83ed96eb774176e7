import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from experiments.sweeps.compose.jobs import Job
from experiments.sweeps.early import EarlyFolders


def jobs(count: int) -> list[Job]:
    return [Job(number, (f"seed={number}",), str(number)) for number in range(count)]


def until(true, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.002)


def test_it_makes_folders_in_order_until_it_is_stopped_and_tells_how_far_it_came(tmp_path: Path) -> None:
    def make(job: Job) -> None:
        (tmp_path / job.name).mkdir()
        time.sleep(0.005)

    early = EarlyFolders(jobs(100_000), make)
    until((tmp_path / "3").exists)
    whole, begun = early.stop()
    made = sorted(int(p.name) for p in tmp_path.iterdir())
    assert made == [job.number for job in whole] == list(range(len(made)))
    assert [job.number for job in begun] == [len(made)]
    assert len(made) >= 4


def test_it_may_come_to_the_end(tmp_path: Path) -> None:
    early = EarlyFolders(jobs(3), lambda job: (tmp_path / job.name).mkdir())
    until((tmp_path / "2").exists)
    early._process.join()
    whole, begun = early.stop()
    assert [job.number for job in whole] == [0, 1, 2]
    assert not begun


def test_a_folder_that_could_not_be_made_is_not_called_whole(tmp_path: Path) -> None:
    def make(job: Job) -> None:
        (tmp_path / job.name).mkdir()
        if job.number == 2:
            raise OSError(28, "No space left on device")

    early = EarlyFolders(jobs(5), make)
    early._process.join()
    whole, begun = early.stop()
    assert [job.number for job in whole] == [0, 1]
    assert [job.number for job in begun] == [2]


def test_of_a_killed_one_every_folder_is_in_doubt(tmp_path: Path) -> None:
    def make(job: Job) -> None:
        (tmp_path / job.name).mkdir()
        if job.number == 1:
            os.kill(os.getpid(), signal.SIGKILL)

    early = EarlyFolders(jobs(4), make)
    early._process.join()
    whole, begun = early.stop()
    assert not whole
    assert [job.number for job in begun] == [0, 1, 2, 3]


CUT_OFF = """
import os, pathlib, signal, sys
from experiments.sweeps import early, workers
from experiments.__main__ import main

whole, made = workers._work, []

def cut_off(pack, folder, begin, sender, parent):
    if not os.path.exists("killed"):
        open("killed", "w").close()
        pack.begin(folder, begin)
        for job in pack.jobs:
            pathlib.Path(folder(job), "events.out.tfevents.1.of.a.killed.worker").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    whole(pack, folder, begin, sender, parent)

def stop(self):
    self._process.join()  # all folders stand, however fast torch is imported
    made.append(told := of_the_class(self))
    return told

workers._work, of_the_class, early.EarlyFolders.stop = cut_off, early.EarlyFolders.stop, stop
status = main(["-m", "seed=1,2", "training.batch_size=5,3", "training.epochs=2", "hydra.launcher.workers=2",
               "hydra.sweep.dir=here"])
assert [len(jobs) for jobs in made[0]] == [4, 0]
sys.exit(status)
"""


def test_a_folder_made_early_is_made_anew_when_its_worker_was_killed(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", CUT_OFF], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    folders = [p for p in (tmp_path / "here").iterdir() if p.is_dir()]
    assert len(folders) == 4
    for folder in folders:
        assert json.loads((folder / "result.json").read_text())["status"] == "completed"
        assert len(list(folder.glob("events.*"))) == 1
