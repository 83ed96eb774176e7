"""The packs of a sweep, several at a time: each in a forked process of its own that inherits jobs and tables.

A worker begins the folders of its pack, trains, writes, and tells what each job came to; it owns nothing else, so
one that is killed loses no more than its pack. Workers die with the process that started them. Where forking is
not safe (not Linux, or tables on a GPU) or would not pay, the packs run one after another in this process.
"""

import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from experiments.errors import UserError

if TYPE_CHECKING:
    from experiments.sweeps.stacked.packs import Begin, Done, Folder, Pack

    Crashed = Callable[[Pack, Exception], list[Pack]]
    """What to train again in place of a pack that could not be finished."""

PDEATHSIG = 1
"""prctl's option "the signal that I get when my parent ends", see <sys/prctl.h>."""


class WorkerKilled(Exception):
    """A worker ended before it had told of all its jobs."""


def most_workers(wanted: int | None) -> int:
    """How many packs train at once: `wanted`, or one a processor that this process may use. Raises UserError."""
    if wanted is not None and wanted < 1:
        raise UserError(f"hydra.launcher.workers={wanted}: must be at least 1; null takes one a processor")
    if sys.platform != "linux":
        return 1
    return wanted or len(os.sched_getaffinity(0))


def run_packs(
    packs: Iterator["Pack"], folder: "Folder", begin: "Begin", done: "Done", crashed: "Crashed", workers: int
) -> None:
    """Train and write packs, `workers` at a time; `done` is called for each job whose result.json is there.

    A pack that can't be trained goes to `crashed`, unless the disk is at fault: OSError is raised, as is
    KeyboardInterrupt; workers then end, and `done` has been called for what they had told before.
    """
    active: dict[Any, _Worker] = {}
    again: list[Pack] = []
    try:
        for pack in _and_then(packs, again, active, lambda: _listen(active, done, again, crashed)):
            if workers == 1 or not pack.on_cpu:
                _run_here(pack, folder, begin, done, again, crashed)
                continue
            while len(active) >= workers:
                _listen(active, done, again, crashed)
            worker = _Worker(pack, folder, begin)
            active[worker.receiver] = worker
    except BaseException:
        for worker in active.values():
            worker.process.terminate()
        for worker in active.values():
            worker.drain(done)
        raise


def _and_then(
    packs: Iterator["Pack"], again: list["Pack"], active: dict[Any, "_Worker"], listen: Callable[[], None]
) -> Iterator["Pack"]:
    """The packs, then those that are to be trained again, until no worker is left that could ask for more."""
    yield from packs
    while again or active:
        if again:
            yield again.pop()
        else:
            listen()


def _run_here(
    pack: "Pack", folder: "Folder", begin: "Begin", done: "Done", again: list["Pack"], crashed: "Crashed"
) -> None:
    try:
        pack.begin(folder, begin)
        pack.train()
        for part in pack.parts():
            for job, result in pack.finish(part):
                done(job, result)
    except OSError:
        raise
    except Exception as error:
        again += crashed(pack, error)


class _Worker:
    """The process of one pack, and the end of the pipe at which it tells of its jobs."""

    def __init__(self, pack: "Pack", folder: "Folder", begin: "Begin") -> None:
        fork = multiprocessing.get_context("fork")
        self.pack = pack
        self.receiver, sender = fork.Pipe(duplex=False)
        self.process = fork.Process(target=_work, args=(pack, folder, begin, sender, os.getpid()))
        fork_quietly(self.process)
        sender.close()
        self.jobs = {job.number: job for job in pack.jobs}

    def told(self, message: Any, done: "Done") -> None:
        """Hand on what the worker sent: jobs that have ended."""
        for number, result in message:
            done(self.jobs.pop(number), result)

    def drain(self, done: "Done") -> None:
        """Hand on what the worker had sent before it was ended."""
        try:
            while True:
                message = self.receiver.recv()
                if not isinstance(message, Exception):
                    self.told(message, done)
        except (EOFError, OSError):
            self.process.join()


def _listen(active: dict[Any, _Worker], done: "Done", again: list["Pack"], crashed: "Crashed") -> None:
    """Wait for word of any worker, and hand it on."""
    for receiver in multiprocessing.connection.wait(list(active)):
        worker = active[receiver]
        try:
            message = worker.receiver.recv()
        except EOFError:
            del active[receiver]
            worker.process.join()
            if worker.jobs:
                again += crashed(worker.pack, WorkerKilled(f"its process {_ended(worker.process.exitcode)}"))
            continue
        if not isinstance(message, Exception):
            worker.told(message, done)
            continue
        del active[receiver]
        worker.process.join()
        if isinstance(message, OSError):
            raise message
        again += crashed(worker.pack, message)


def _ended(status: int | None) -> str:
    """How a process ended, in words."""
    if status is None or status >= 0:
        return f"ended with status {status}"
    known = {s.value: s.name for s in signal.Signals}
    memory = "; is there memory enough?" if -status == signal.SIGKILL else ""
    return f"was ended by {known.get(-status, -status)}{memory}"


def _work(pack: "Pack", folder: "Folder", begin: "Begin", sender: Any, parent: int) -> None:
    """A worker's life. It leaves by os._exit: what this process inherited is not its own to flush or release."""
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        die_with(parent)
        pack.begin(folder, begin)
        pack.train()
        for part in pack.parts():
            sender.send([(job.number, result) for job, result in pack.finish(part)])
    except Exception as error:
        if not isinstance(error, OSError):
            error.add_note(traceback.format_exc())  # for the log: a traceback does not go through a pipe
        sender.send(_portable(error))
    finally:
        sender.close()
        os._exit(0)


def fork_quietly(process: Any) -> None:
    """Start a forked process. Python warns of threads in this one: they are BLAS's, and the new process uses none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        process.start()


def die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent ends, however it ends."""
    import ctypes

    ctypes.CDLL(None).prctl(PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it has ended already
        os._exit(0)


def _portable(error: Exception) -> Exception:
    """The error if it can be sent, else one with its text."""
    import pickle

    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
