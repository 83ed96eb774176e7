"""One process at a time in a run's folder, or in a sweep's.

The lock is the system's own on a file, so it ends with the process that has it, however that ends. It lies in
`checkpoint/` of a run and in `.session/` of a sweep, beside `holder.json`, which says whose it is. Both folders go
when the work has ended: filelock takes no lock on a file that was removed after it was opened.
"""

import contextlib
import os
import shutil
import socket
from pathlib import Path

from filelock import FileLock, Timeout

from experiments.errors import UserError, one_line
from experiments.tracking.files import json_bytes, read_json, write_atomically

RUN, SWEEP = "checkpoint", ".session"
"""Where the lock lies in a run's folder, and in a sweep's."""


def hold(folder: Path, name: str = RUN, patience: float = 0) -> FileLock:
    """Lock a folder until `release()`; wait `patience` seconds for it to become free.

    Raises UserError that says who holds it, OSError as it comes.
    """
    place = folder / name
    if place.is_symlink():
        raise UserError(f"{one_line(place)}: is a link; a run's folder holds only files of its own")
    place.mkdir(exist_ok=True)
    lock = FileLock(place / "lock", timeout=patience)
    try:
        lock.acquire()
        who = {"pid": os.getpid(), "host": socket.gethostname()}
        write_atomically(place / "holder.json", json_bytes(who), durable=False)
    except Timeout:
        raise UserError(f"{folder}: {_holder(place)} is at work in this folder; wait until it has ended") from None
    except BaseException:
        lock.release()
        raise
    return lock


def at_work(folder: Path, name: str = RUN) -> str | None:
    """Who holds a folder at this moment, as `process 12 on host`; nothing is written for the answer."""
    place = folder / name
    if not (place / "lock").is_file() or place.is_symlink():
        return None
    try:
        with FileLock(place / "lock", timeout=0):
            return None
    except Timeout:
        return _holder(place)
    except OSError:  # it ended just now, and its lock with it
        return None


def let_go(folder: Path, lock: FileLock, name: str) -> None:
    """Remove what `hold` made, then release; in this order, so that nobody's else is removed."""
    shutil.rmtree(folder / name, ignore_errors=True)
    lock.release()


def clear(folder: Path) -> None:
    """Remove `checkpoint/` of a run that has ended, where it was killed just before it did so itself."""
    if (folder / RUN).is_dir():
        with contextlib.suppress(OSError, UserError):
            let_go(folder, hold(folder), RUN)


def _holder(place: Path) -> str:
    try:
        who = read_json(place / "holder.json", limit=10_000)
        return f"process {int(who['pid'])} on {one_line(who['host'])}"
    except (OSError, ValueError, KeyError, TypeError):  # it has just begun, or just ended
        return "another process"
