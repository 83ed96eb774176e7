"""The first folders of a sweep, made by another process while this one imports torch.

The import takes a second of one processor; a folder with what stands in it before training a tenth of a millisecond.
"""

import contextlib
import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from experiments.sweeps.workers import die_with, fork_quietly

if TYPE_CHECKING:
    from experiments.sweeps.compose.jobs import Job


class EarlyFolders:
    """Makes the folders of `jobs`, one after the other, until it is stopped."""

    def __init__(self, jobs: "Sequence[Job]", make: "Callable[[Job], None]") -> None:
        """`make` makes the folder of one job; what it raises ends the work and is not told."""
        self._jobs = jobs
        fork = multiprocessing.get_context("fork")
        self._pipe, other = fork.Pipe()
        self._process = fork.Process(target=_work, args=(jobs, make, other, os.getpid()), daemon=True)
        fork_quietly(self._process)
        other.close()

    def stop(self) -> "tuple[Sequence[Job], Sequence[Job]]":
        """The jobs whose folders stand, and those of which a part may stand. To be called once."""
        with contextlib.suppress(OSError):  # it may have come to the end of its work
            self._pipe.send(None)
        try:
            count = self._pipe.recv()
        except (EOFError, OSError):  # it was killed: how far it came is not known
            return (), self._jobs
        finally:
            self._process.join()
            self._pipe.close()
        return self._jobs[:count], self._jobs[count : count + 1]


def _work(jobs: "Sequence[Job]", make: "Callable[[Job], None]", pipe: Any, parent: int) -> None:
    count = 0
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        die_with(parent)
        for job in jobs:
            if pipe.poll():
                break
            make(job)
            count += 1
    finally:
        pipe.send(count)
        os._exit(0)
