"""Sweeps in forked processes that are killed with SIGKILL, the parent or a worker, at a moment or inside a write.

A sweep that is gone on with until it ends must leave what the undisturbed one left, bit for bit, times aside.
"""

import csv
import json
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

from experiments.__main__ import main
from tests.support.killing import die_at, ended, forked, scalars

TIMES = ("seconds", "timing", "environment")


def sweep(arguments: list[str], folder: Path) -> int:
    """Begin the sweep, or go on with it, whichever the folder asks for; the exit status."""
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115  (this process ends with it)
    if (folder / "sweep.yaml").exists():
        return main(["resume", str(folder)])
    return main(["-m", *arguments, f"hydra.sweep.dir={folder}"])


def undisturbed(arguments: list[str], folder: Path) -> float:
    """The sweep as it should come out; its seconds."""
    began = time.perf_counter()
    ended(forked(lambda: sweep(arguments, folder)))
    return time.perf_counter() - began


def killed(arguments: list[str], folder: Path, seconds: float, dice: random.Random) -> bool:
    """One session that is killed at a random moment or inside a write of its own; whether it was still running."""
    if dice.random() < 0.4:
        number, torn = dice.randint(1, 400), dice.random()

        def work() -> None:
            die_at(number, torn)  # a worker inherits this, and dies in its own write
            sweep(arguments, folder)

        pid = forked(work)
    else:
        pid = forked(lambda: sweep(arguments, folder))
        time.sleep(dice.uniform(0.1, 1.0) * seconds)
        victims = [pid, *children(pid)]
        os.kill(dice.choice(victims), signal.SIGKILL)
    return ended(pid) == -signal.SIGKILL


def children(pid: int) -> list[int]:
    """The processes that a process has started and that have not ended."""
    try:
        return [int(c) for c in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def differences(folder: Path, reference: Path) -> list[str]:
    """What a sweep has different from the undisturbed one."""
    found = []
    names = {p.relative_to(reference).as_posix() for p in reference.rglob("*") if "tfevents" not in p.name}
    here = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if "tfevents" not in p.name}
    if names != here:
        return [f"files {sorted(names ^ here)[:6]}"]
    for name in sorted(names):
        one, other = folder / name, reference / name
        if one.name == "result.json":
            a, b = (_timeless(json.loads(p.read_bytes())) for p in (one, other))
            found += [name] if a != b else []
            if a.get("status") != "failed" and scalars(one.parent) != scalars(other.parent):
                found.append(f"{name}: the event file's scalars")
        elif one.name in ("model.safetensors", "metrics.jsonl", "config.json", "overrides.yaml"):
            found += [name] if one.read_bytes() != other.read_bytes() else []
    if _rows(folder) != _rows(reference):
        found.append("results.csv")
    return found


def _timeless(content: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in content.items() if k not in TIMES}


def _rows(folder: Path) -> list[dict[str, Any]]:
    with (folder / "results.csv").open() as file:
        return [_timeless(row) for row in csv.DictReader(file)]


def trial(
    arguments: list[str], folder: Path, reference: Path, seconds: float, kills: int, dice: random.Random
) -> list[str]:
    """Kill the sweep up to `kills` times, let it end twice, compare: problems, the first entry the kills there were."""
    count, status = 0, 0
    for _ in range(kills):
        count += killed(arguments, folder, seconds, dice)
        for path in folder.rglob("result.json") if folder.exists() else ():
            json.loads(path.read_bytes())  # whole, or not there
    for _ in range(2):  # the second has nothing to do but failed jobs
        status = ended(forked(lambda: os._exit(sweep(arguments, folder))))
    found = differences(folder, reference)
    if status not in (0, 1):
        found.append(f"resuming ended with status {status}")
    return [str(count), *found]
