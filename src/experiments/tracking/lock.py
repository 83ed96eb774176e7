"""One process at a time in a run's folder: the run itself, or one `resume`.

The lock is the system's own on `checkpoint/lock`, so it ends with the process that held it, however that died.
Who holds it stands beside it in `checkpoint/holder.json`, since filelock empties the file it locks.
"""

import contextlib
import os
import shutil
import socket
from pathlib import Path

from filelock import FileLock, Timeout

from experiments.errors import UserError, one_line
from experiments.tracking.files import json_bytes, read_json, write_atomically


def hold(folder: Path) -> FileLock:
    """Lock a run's folder until `release()`. Raises UserError that says who holds it, OSError as it comes."""
    place = folder / "checkpoint"
    if place.is_symlink():
        raise UserError(f"{one_line(place)}: is a link; a run's folder holds only files of its own")
    place.mkdir(exist_ok=True)
    lock = FileLock(place / "lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise UserError(f"{folder}: {_holder(place)} is at work in this folder; wait until it has ended") from None
    try:
        who = {"pid": os.getpid(), "host": socket.gethostname()}
        write_atomically(place / "holder.json", json_bytes(who), durable=False)
    except BaseException:
        lock.release()
        raise
    return lock


def clear(folder: Path) -> None:
    """Remove `checkpoint/` of a run that has ended, where it was killed just before it did so itself."""
    if (folder / "checkpoint").is_dir():
        with contextlib.suppress(OSError, UserError), hold(folder):
            shutil.rmtree(folder / "checkpoint", ignore_errors=True)


def _holder(place: Path) -> str:
    try:
        who = read_json(place / "holder.json", limit=10_000)
        return f"process {int(who['pid'])} on {one_line(who['host'])}"
    except (OSError, ValueError, KeyError, TypeError):  # it has just begun, or just ended
        return "another process"
