"""Several packs at a time, each in a process of its own.

A worker is a fork, so it has jobs and tables without copying them. It makes the folders of its pack, trains, writes,
and sends each result; a worker that is killed loses its own pack and nothing else. Workers end with the process that
started them. Packs train one after another in this process where forking is not safe (other systems than Linux,
tables on a GPU) or where there is only one.
"""

import ctypes
import multiprocessing
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any

from experiments.errors import UserError

if TYPE_CHECKING:
    from experiments.sweeps.job_folders import Folders
    from experiments.sweeps.stacked.packs import Done, Pack
    from experiments.tracking.pack_files import Contents
    from experiments.tracking.result import Result

    Crashed = Callable[[Pack, Exception], list[Pack]]
    """What to train in place of a pack that could not be finished."""

PDEATHSIG = 1
"""prctl's option "the signal that I get when my parent ends", see <sys/prctl.h>."""


class WorkerKilled(Exception):
    """A worker ended before it had sent all its results."""


def most_workers(wanted: int | None) -> int:
    """How many packs train at once: `wanted`, or one for each processor of this process. Raises UserError."""
    if wanted is not None and wanted < 1:
        raise UserError(f"hydra.launcher.workers={wanted}: must be at least 1; null takes one a processor")
    if sys.platform != "linux":
        return 1
    return wanted or len(os.sched_getaffinity(0))


def run_packs(packs: Iterator["Pack"], folders: "Folders", done: "Done", crashed: "Crashed", workers: int) -> None:
    """Train and write packs, `workers` at a time; `done` is called for each job that has ended.

    Packs of jobs that get no folders are stored by this process: polars, which writes tables, stands still in a fork.
    An error of a pack goes to `crashed`, except OSError: the next pack would meet the same disk. OSError and
    KeyboardInterrupt end all workers and are raised; what these had written by then may not have come to `done`.
    """
    active: dict[Any, _Worker] = {}
    again: list[Pack] = []
    try:
        while (pack := again.pop() if again else next(packs, None)) or active:
            if pack is None:
                again += _listen(active, folders, done, crashed)
            elif workers == 1 or not pack.on_cpu:
                again += _run_here(pack, folders, done, crashed)
            else:
                while len(active) >= workers:
                    again += _listen(active, folders, done, crashed)
                worker = _Worker(pack, folders)
                active[worker.receiver] = worker
    finally:
        for worker in active.values():
            worker.process.terminate()
            worker.process.join()


def _run_here(pack: "Pack", folders: "Folders", done: "Done", crashed: "Crashed") -> list["Pack"]:
    numbered = {job.number: job for job in pack.jobs}
    try:
        for message in trained(pack, folders):
            for number, result in stored(message, folders):
                done(numbered[number], result)
    except OSError:
        raise
    except Exception as error:
        return crashed(pack, error)
    return []


def trained(
    pack: "Pack", folders: "Folders"
) -> Iterator["list[tuple[int, Result | str]] | tuple[Contents, list[tuple[int, Result | str]]]"]:
    """Train a pack; the results of its jobs by their numbers, as they are written, or with what is to be stored."""
    as_rows = folders.as_rows
    pack.begin(lambda job: str(folders.of(job)), folders.begin, packed=as_rows is not None)
    pack.train()
    if as_rows is None:
        for part in pack.parts():
            yield [(job.number, result) for job, result in pack.finish(part)]
    else:
        from experiments.sweeps.packed.laying import lay_down

        yield lay_down(pack, as_rows)


def stored(message: Any, folders: "Folders") -> "list[tuple[int, Result | str]]":
    """The results in a message of `trained`, after its pack was stored."""
    if isinstance(message, tuple):
        contents, message = message
        folders.store(contents)
    return message


class _Worker:
    """The process of one pack, and the end of the pipe from which its results come."""

    def __init__(self, pack: "Pack", folders: "Folders") -> None:
        fork = multiprocessing.get_context("fork")
        self.pack = pack
        self.jobs = {job.number: job for job in pack.jobs}
        """Those that have not ended."""
        self.receiver, sender = fork.Pipe(duplex=False)
        self.process = fork.Process(target=_work, args=(pack, folders, sender, os.getpid()))
        with warnings.catch_warnings():  # Python warns of threads in this process; they are BLAS's, unused in the fork
            warnings.simplefilter("ignore", DeprecationWarning)
            self.process.start()
        sender.close()


def _listen(active: dict[Any, _Worker], folders: "Folders", done: "Done", crashed: "Crashed") -> list["Pack"]:
    """Wait until a worker sends something; what is to be trained in place of packs that crashed."""
    again: list[Pack] = []
    for receiver in wait(list(active)):
        worker = active[receiver]
        try:
            message = worker.receiver.recv()
        except EOFError:
            message = None
        if isinstance(message, list | tuple):
            for number, result in stored(message, folders):
                done(worker.jobs.pop(number), result)
            continue
        del active[receiver]
        worker.process.join()
        if message is None and worker.jobs:
            message = WorkerKilled(f"its process {_ended(worker.process.exitcode)}")
        if isinstance(message, OSError):
            raise message
        if message is not None:
            again += crashed(worker.pack, message)
    return again


def _ended(status: int | None) -> str:
    """How a process ended, in words."""
    if status is None or status >= 0:
        return f"ended with status {status}"
    known = {s.value: s.name for s in signal.Signals}
    memory = "; is there memory enough?" if -status == signal.SIGKILL else ""
    return f"was ended by {known.get(-status, -status)}{memory}"


def _work(pack: "Pack", folders: "Folders", sender: Any, parent: int) -> None:
    """What a worker does. It leaves by os._exit: what it inherited is not its own to flush or release."""
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        for preempted in (signal.SIGUSR1, signal.SIGUSR2):  # the parent's to answer, too, where it is a cluster's task
            signal.signal(preempted, signal.SIG_IGN)
        end_with(parent)
        for message in trained(pack, folders):
            sender.send(message)
    except (OSError, UserError) as error:
        sender.send(error)
    except Exception as error:
        plain = RuntimeError(f"{type(error).__name__}: {error}")  # another class may not go through a pipe
        plain.add_note(traceback.format_exc())
        sender.send(plain)
    finally:
        sender.close()
        os._exit(0)


def end_with(parent: int) -> None:
    """Have the kernel kill this process when its parent ends, however that ends."""
    ctypes.CDLL(None).prctl(PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it has ended already
        os._exit(0)
