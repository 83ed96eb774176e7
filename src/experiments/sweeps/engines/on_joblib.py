"""`engine=joblib`: processes of joblib's loky, on systems where forking is not safe, too."""

import os
import pickle
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from typing import TYPE_CHECKING, Any

from experiments.errors import Failure, one_line
from experiments.sweeps.engines.driving import ENDED, Lost, drive
from experiments.sweeps.engines.parcel import Parcel, Report, work_on

if TYPE_CHECKING:
    from experiments.sweeps.job_folders import Folders
    from experiments.sweeps.stacked.packs import Done, Pack
    from experiments.sweeps.workers import Crashed

AHEAD = 2
"""Parcels for each process: the next one is there when one is done."""


class Joblib:
    """Each process is an executor of its own: of one that is killed we know what it was at."""

    parts, seconds, shared, processes = 4, 1.0, True, 1

    def __init__(self, workers: int) -> None:
        """Raises ModuleNotFoundError where joblib is not installed."""
        from joblib.externals import loky

        self._loky: Any = loky
        self.workers, self.slots = workers, AHEAD * workers
        self._executors: list[Any] = [None] * workers
        self._futures: dict[Future[bytes], tuple[int, int]] = {}
        """The number of the parcel, and of the process."""

    def run(self, packs: Iterator["Pack"], folders: "Folders", done: "Done", crashed: "Crashed", jobs: int) -> None:
        drive(self, packs, folders, done, crashed, jobs)

    def send(self, parcel: Parcel) -> None:
        busy = [at for _, at in self._futures.values()]
        at = min(range(self.workers), key=busy.count)
        if self._executors[at] is None:
            self._executors[at] = self._loky.ProcessPoolExecutor(1, initializer=_begin, initargs=(os.getpid(),))
        future = self._executors[at].submit(work_on, pickle.dumps(parcel, pickle.HIGHEST_PROTOCOL))
        self._futures[future] = parcel.number, at

    def receive(self) -> Iterator[tuple[int, Report | Lost]]:
        ended, _ = wait(self._futures, timeout=1.0, return_when=FIRST_COMPLETED)
        broken: set[int] = set()
        for future in sorted(ended, key=self._futures.__getitem__):
            number, at = self._futures.pop(future)
            try:
                yield number, pickle.loads(future.result())
                yield number, ENDED
            except BrokenExecutor as error:
                yield number, Lost(one_line(error), begun=at not in broken)  # it works on the first of its parcels
                broken.add(at)
                self._executors[at] = None
            except Exception as error:
                raise Failure(f"worker: {one_line(f'{type(error).__name__}: {error}')}") from error

    def cancel(self) -> None:
        self._futures.clear()
        self.close()

    def close(self) -> None:
        for executor in self._executors:
            if executor is not None:
                executor.shutdown(wait=True, kill_workers=True)
        self._executors = [None] * self.workers


def _begin(parent: int) -> None:
    """What a process begins with: Ctrl-C is for the sweep to answer, whose end is its end."""
    import signal
    import sys

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        from experiments.sweeps.workers import end_with

        end_with(parent)
