"""The processes that torchrun has started, and the store of its agent, which outlives them.

Started again after one was lost (`--max-restarts`), they find in the store the folder of the run that they had begun.
"""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from experiments.data.workers import WorkerLost
from experiments.errors import one_line
from experiments.running.interruption import ended_by_sigterm

LONGEST = timedelta(days=365)
"""A process that is gone is noticed at once; one that works may take its time."""
SECONDS_TO_SPEAK = 0.5
"""What the others give the first process to tell what has happened."""


class Processes:
    """This one's rank, and what it may tell the others and those after them."""

    def __init__(self) -> None:
        self.rank, self._attempt = int(os.environ["RANK"]), os.environ["TORCHELASTIC_RESTART_COUNT"]
        address = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
        self._store: Any = dist.TCPStore(*address, is_master=False)  # type: ignore[reportPrivateImportUsage]  # documented

    @contextmanager
    def joined(self) -> Iterator[None]:
        """Inside, the processes are one group, and SIGTERM ends this one; afterwards it is ignored.

        torchrun sends it when a process is lost, and there is something to be told then.
        """
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        backend, size = "gloo", int(os.environ["WORLD_SIZE"])
        if torch.cuda.is_available():  # untested on hardware
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
            backend = "cpu:gloo,cuda:nccl"
        # a part of the store for each attempt: the addresses of the last one are still there
        store = dist.PrefixStore(f"experiments/{self._attempt}", self._store)  # type: ignore[reportPrivateImportUsage]  # documented
        with ended_by_sigterm():
            dist.init_process_group(backend, store=store, rank=self.rank, world_size=size, timeout=LONGEST)
            try:
                yield
            finally:
                dist.destroy_process_group()

    @property
    def folder(self) -> Path | None:
        """The folder of the run that was begun by these processes, or by those before them."""
        noted = self._noted("folder")
        return Path(noted) if noted and (Path(noted) / "config.json").exists() else None

    def begin(self, folder: Path) -> Path:
        """The run's folder, which the first process names for all; noted in the store."""
        named: list[str | None] = [str(folder)]
        dist.broadcast_object_list(named, src=0)
        self._store.set("experiments/folder", str(named[0]))
        return Path(str(named[0]))

    def to_tell(self, error: BaseException, words: str) -> BaseException | None:
        """The error that this process is to tell of; None where another process does. `words`: the error in a line."""
        lost = isinstance(error, WorkerLost)
        if isinstance(error, Exception) and not lost:
            self._store.set(f"experiments/error/{self._attempt}", f"process {self.rank}: {words}")
        if self.rank and not lost:
            return None
        if self.rank:
            time.sleep(SECONDS_TO_SPEAK)
        if self._store.add(f"experiments/speaker/{self._attempt}", 1) > 1:
            return None
        if not lost:
            return error
        told, reason = one_line(error), self._noted(f"error/{self._attempt}")
        if "; go on with" not in told and (folder := self.folder):
            told += f"; go on with: experiments resume {folder}"
        return WorkerLost(f"{reason}; {told}" if reason else told)

    def _noted(self, key: str) -> str | None:
        key = f"experiments/{key}"
        return self._store.get(key).decode() if self._store.check([key]) else None
