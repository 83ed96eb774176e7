"""Sweeps without folders in processes of their own that are killed with SIGKILL, the parent or a worker.

A sweep that is gone on with must leave the jobs that the undisturbed one left, bit for bit, times aside.
"""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from experiments.tracking import packed
from tests.support.killing_sweeps import TIMES, children

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def begun(arguments: list[str], folder: Path) -> subprocess.Popen[bytes]:
    """The sweep, begun or gone on with, whichever the folder asks for."""
    words = ["-m", *arguments, "sweep.keep=none", f"hydra.sweep.dir={folder}"]
    words = ["resume", str(folder)] if (folder / "sweep.yaml").exists() else words
    quiet = subprocess.DEVNULL
    return subprocess.Popen([sys.executable, "-m", "experiments", *words], stdout=quiet, stderr=quiet, env=ENVIRONMENT)


def killed(arguments: list[str], folder: Path, seconds: float, dice: random.Random) -> bool:
    """One session of which the parent or a worker is killed; whether it was still running."""
    process = begun(arguments, folder)
    time.sleep(dice.uniform(0.5, 1.0) * seconds)
    if process.poll() is None:
        os.kill(dice.choice([process.pid, *children(process.pid)]), signal.SIGKILL)
    return process.wait() == -signal.SIGKILL


def jobs(folder: Path) -> dict[int, tuple[object, ...]]:
    """Each job of the packs with all that it holds, without times. A number that is there twice is an error."""
    found: dict[int, tuple[object, ...]] = {}
    for pack in packed.packs(folder):
        for job in packed.StoredPack(pack).jobs():
            assert job.number not in found, f"{pack} has job {job.number}, which another pack has"
            result = {name: value for name, value in job.result().items() if name not in TIMES}
            found[job.number] = (job.name, job.config(), result, job.weights())
    return found


def curves(folder: Path) -> list[tuple[object, ...]]:
    """Every row of every curve, in the order of jobs and epochs."""
    tables = [packed.StoredPack(pack).curves for pack in packed.packs(folder)]
    rows = [row for table in tables if table is not None for row in table.rows()]
    return sorted(rows)


def trial(arguments: list[str], folder: Path, reference: Path, seconds: float, kills: int, dice: random.Random) -> int:
    """Kill the sweep up to `kills` times, let it end, compare: how many kills met it running. Raises AssertionError."""
    count = sum(killed(arguments, folder, seconds, dice) for _ in range(kills))
    assert begun(arguments, folder).wait() == 0
    assert jobs(folder) == jobs(reference)
    assert curves(folder) == curves(reference)
    names = sorted(path.name for path in folder.iterdir())
    assert names == sorted(path.name for path in reference.iterdir()), names
    assert not list((folder / "packs").glob(".*"))
    return count
