"""What an outputs folder keeps: its single runs and its sweeps, each with its size and age; and their removal."""

import contextlib
import os
import re
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.comparison.choosing import where
from experiments.comparison.runs_table import collect
from experiments.errors import UserError, one_line
from experiments.stored.folders import REMOVED, everything, require_folder
from experiments.stored.run_files import read_json
from experiments.tracking import packed
from experiments.tracking.lock import RUN, SWEEP, at_work, hold

UNITS = {"m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
AGE = re.compile(r"(\d+(?:\.\d+)?)([mhdw])")


@dataclass(frozen=True)
class Kept:
    """A single run or a whole sweep. `written`: when its newest file was, in seconds since 1970; `size` in bytes."""

    folder: str
    jobs: int | None
    """Of a sweep: its jobs that have a folder or are in a pack."""
    status: str
    written: float
    size: int

    @property
    def running(self) -> bool:
        return self.status.startswith("running")


def below(root: str) -> list[Kept]:
    """All that is kept below a folder, or in it, the one that was last written first. Raises UserError.

    What vanishes meanwhile, since a sweep is at work or somebody removes it, is left out.
    """
    require_folder(root)
    found = everything(root)
    jobs: dict[str, list[str]] = {sweep: [] for sweep in found.sweeps}
    for run, sweep in found.runs.items():
        if sweep is not None:
            jobs[sweep].append(run)
    kept = [_kept(run, None) for run, sweep in found.runs.items() if sweep is None]
    kept += [_kept(sweep, runs) for sweep, runs in jobs.items()]
    return sorted((one for one in kept if os.path.isdir(one.folder)), key=lambda one: -one.written)


def _kept(folder: str, jobs: Sequence[str] | None) -> Kept:
    written, size = 0.0, 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                about = os.lstat(os.path.join(place, name))
                written, size = max(written, about.st_mtime), size + about.st_size
    if jobs is None:
        status, count = _status(folder), None
    else:
        alone, inside = [job for job in jobs if not packed.has(folder, job)], packed.count(folder)
        ended = sum(os.path.exists(f"{job}/result.json") for job in alone)
        status = "all ended" if ended == len(alone) else f"{ended + inside} ended"
        count = len(alone) + inside
    if who := at_work(Path(folder), RUN if jobs is None else SWEEP):
        status = f"running ({who})"
    return Kept(folder, count, status, written, size)


def _status(run: str) -> str:
    try:
        return one_line(read_json(run, "result.json").get("status"))
    except FileNotFoundError:
        return "unfinished"
    except (OSError, ValueError):
        return "unreadable"


def chosen(kept: Sequence[Kept], condition: str | None, older_than: str | None) -> list[Kept]:
    """Those that are older than `7d` (or `90m`, `12h`, `2w`), and for which an SQL condition holds, of a sweep for all
    of its jobs, where these are given. Raises UserError.
    """
    found = list(kept)
    if older_than is not None:
        if (match := AGE.fullmatch(older_than)) is None:
            raise UserError(f"--older-than {one_line(older_than)}: must be a number with m, h, d or w behind it, as 7d")
        limit = time.time() - float(match[1]) * UNITS[match[2]]
        found = [one for one in found if one.written < limit]
    if condition is not None and (found := [one for one in found if os.path.isdir(one.folder)]):
        table = collect([one.folder for one in found]).table
        holds = set(where(table, condition)["folder"])
        fails = [folder for folder in table["folder"] if folder not in holds]
        found = [one for one in found if not any(f"{folder}/".startswith(f"{one.folder}/") for folder in fails)]
    return found


def remove(kept: Kept) -> bool:
    """Remove a run's or a sweep's folder: at one stroke out of sight, then file by file. False where it has gone.

    Raises UserError when somebody is at work in it, OSError as it comes; what is left is removed the next time.
    """
    folder = Path(kept.folder)
    try:
        lock = hold(folder, RUN if kept.jobs is None else SWEEP)
        try:
            folder.rename(folder.with_name(REMOVED + folder.name))
        finally:
            lock.release()
    except FileNotFoundError:
        return False
    for left in folder.parent.glob(f"{REMOVED}*"):
        while left.exists():  # somebody else may be removing it, too
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(left)
    return True
