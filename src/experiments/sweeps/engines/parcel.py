"""What travels: packs without their tables to a worker, and what they came to back; and the worker's part.

A worker composes nothing and decides nothing. It reads the tables at their paths, trains and writes as the local
engine does, and says what failed: what is trained again, and how, is the sweep's own to decide.
"""

import os
import pickle
import shutil
import socket
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.config.locate import TRUSTED
from experiments.errors import DataChanged, UserError, one_line
from experiments.sweeps.job_folders import Folders
from experiments.sweeps.workers import WorkerKilled, run_packs
from experiments.tracking import environment
from experiments.tracking.result import Result

if TYPE_CHECKING:
    from experiments.sweeps.compose.jobs import Job
    from experiments.sweeps.stacked.packs import AsRows, Pack
    from experiments.sweeps.stacked.table_cache import TableCache

COMPARED = ("torch", "experiments")
"""Packages that must have the same version everywhere, or bits would depend on where a job was trained."""


@dataclass(frozen=True)
class Origin:
    """Of the process that sends: where its modules and relative paths are, whom it trusts, versions, and command."""

    folder: str = field(default_factory=os.getcwd)
    path: tuple[str, ...] = field(default_factory=lambda: tuple(sys.path))
    trusted: str = field(default_factory=lambda: os.environ.get(TRUSTED, ""))
    versions: dict[str, str] = field(default_factory=environment.versions)
    command: tuple[str, ...] = field(default_factory=lambda: tuple(sys.argv))


@dataclass
class Parcel:
    """A group of packs; `begun` are those of their jobs whose folder holds an attempt that did not end."""

    number: int
    packs: Sequence["Pack"]
    root: Path
    begun: set[int]
    origin: Origin
    shared: bool = True
    """Whether the worker writes into the sweep's folder, else it sends back what it would have written."""
    processes: int = 1
    as_rows: "AsRows | None" = None
    """How jobs without folders are kept, as in `Folders`."""
    varied: Sequence[str] = ()


@dataclass
class Report:
    """What a worker tells: results by the number of the job, packs that failed by their place in the parcel."""

    results: list[tuple[int, Result | str]] = field(default_factory=list)
    failed: list[tuple[int, Exception]] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    """Contents by their path in the sweep's folder, where the worker can not write there."""
    stopped: Exception | None = None
    """The error that every other pack would meet there, too: a full disk, other versions."""
    seconds: float = 0.0
    """Spent on its results."""


class _Bare(Folders):
    """Folders that hold only what training adds: the rest is made where they are to lie."""

    def begin(self, job: "Job", folder: str) -> None:
        os.makedirs(folder)


Tell = Callable[[Report], None]
AT_ONCE = 256
"""Results in a report that is sent while other jobs are still trained."""


def work_on(content: bytes) -> bytes:
    """A pickled parcel to its one pickled report, for engines whose workers answer once."""
    reports: list[Report] = []
    work(pickle.loads(content), reports.append)
    whole = Report(seconds=sum(r.seconds for r in reports))
    for report in reports:
        whole.results += report.results
        whole.failed += report.failed
        whole.files |= report.files
        whole.stopped = whole.stopped or report.stopped
    return pickle.dumps(whole, pickle.HIGHEST_PROTOCOL)


def work(parcel: Parcel, tell: Tell) -> None:
    """Train and write the packs of a parcel, and tell of each as it ends."""
    began, report = time.monotonic(), Report()
    root = parcel.root if parcel.shared else Path(tempfile.mkdtemp(prefix="experiments-"))
    folders, places = Folders(root) if parcel.shared else _Bare(root), {}
    folders.begun, folders.as_rows, folders.varied = set(parcel.begun), parcel.as_rows, parcel.varied

    def done(job: "Job", result: Result | str) -> None:
        report.results.append((job.number, result))
        if parcel.shared and len(report.results) >= AT_ONCE:
            hand_over()

    def crashed(pack: "Pack", error: Exception) -> list["Pack"]:
        if not isinstance(error, UserError | WorkerKilled):
            error = RuntimeError(f"{type(error).__name__}: {error}")  # another class may not be known there
        report.failed.append((places[pack.jobs[0].number], error))
        return []

    def supplied() -> Iterator["Pack"]:
        for pack in parcel.packs:
            if parcel.shared and report.results:
                hand_over()
            yield pack.with_tables(_tables())

    def hand_over() -> None:
        nonlocal report, began
        now = time.monotonic()
        report.seconds, began = now - began, now
        told, report = report, Report()
        tell(told)

    try:
        _settle(parcel)
        for at, pack in enumerate(parcel.packs):
            places |= {job.number: at for job in pack.jobs}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what the sweep's own process has told already
            run_packs(supplied(), folders, done, crashed, parcel.processes)
    except OSError as error:
        place = f"{error.filename or root} (worker {socket.gethostname()})"
        report.stopped = OSError(error.errno or 0, error.strerror or str(error), place)
    except (UserError, DataChanged) as error:
        report.stopped = DataChanged(f"worker {socket.gethostname()}: {one_line(error)}")
    finally:
        if not parcel.shared:
            report.files = {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}
            shutil.rmtree(root, ignore_errors=True)
    hand_over()


def _settle(parcel: Parcel) -> None:
    """Make this process like the one that sent the parcel. Raises UserError where the two differ."""
    import numpy as np

    origin, here = parcel.origin, environment.versions()
    for name in COMPARED:
        if origin.versions.get(name) != here.get(name):
            there = origin.versions.get(name)
            raise UserError(f"{name} is {here.get(name)} there and {there} here; bits would differ: install {there}")
    if parcel.shared and not (parcel.root / "sweep.log").exists():
        raise UserError(f"cannot see the sweep's folder {parcel.root}; put it where all machines see it")
    sys.path += [place for place in origin.path if place not in sys.path]
    os.environ[TRUSTED] = origin.trusted
    sys.argv = list(origin.command)  # result.json has it
    if os.path.isdir(origin.folder):
        os.chdir(origin.folder)
    np.seterr(all="ignore")  # as in `runner.run`


@cache
def _tables() -> "TableCache":
    """This process's, for all parcels."""
    from experiments.sweeps.stacked.table_cache import TableCache

    return TableCache()
