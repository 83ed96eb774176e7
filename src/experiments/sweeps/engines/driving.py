"""The part that is the same for all workers: packs into parcels, reports into results, losses into tries."""

import itertools
import logging
import math
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from experiments.errors import UserError
from experiments.sweeps.engines.parcel import Origin, Parcel, Report
from experiments.sweeps.job_folders import Folders
from experiments.sweeps.workers import WorkerKilled
from experiments.tracking import pack_files
from experiments.tracking.pack_files import PACKS

if TYPE_CHECKING:
    from experiments.sweeps.stacked.packs import Done, Pack
    from experiments.sweeps.workers import Crashed

log = logging.getLogger("experiments")
LOSSES = 4
"""Workers lost in a row, for each slot, until what they were at is not tried again."""


@dataclass(frozen=True)
class Lost:
    """No further report will come of a parcel; `begun`: a worker was at it."""

    reason: str
    begun: bool = True


ENDED = Lost("it ended without its results")
"""The last report of a parcel has come; a loss only where jobs are left."""


class Workers(Protocol):
    """Where parcels go."""

    slots: int
    """Parcels that are under way at once."""
    parts: int
    """Into how many parcels what is left is divided for each slot: the more, the more evenly workers end."""
    seconds: float
    """What a parcel takes at most, as far as can be told from the packs that have ended."""
    shared: bool
    processes: int
    """That each worker trains with."""

    def send(self, parcel: Parcel) -> None:
        """Have a worker do it, sooner or later."""
        ...

    def receive(self) -> Iterable[tuple[int, Report | Lost]]:
        """What has come after a wait of a moment, by the number of the parcel."""
        ...

    def cancel(self) -> None:
        """End what was sent and has not ended."""
        ...


def drive(
    workers: Workers, packs: Iterator["Pack"], folders: Folders, done: "Done", crashed: "Crashed", jobs: int
) -> None:
    """`Engine.run` with parcels; packs are taken as there is room. Raises as it does."""
    under_way = _Drive(workers, packs, folders, done, crashed, jobs)
    try:
        under_way.run()
    except BaseException:
        workers.cancel()
        raise


class _Sent:
    """A parcel under way."""

    def __init__(self, parcel: Parcel) -> None:
        self.parcel = parcel
        self.jobs = {job.number: job for pack in parcel.packs for job in pack.jobs}
        """Those that have not ended."""

    def left(self) -> list["Pack"]:
        """Its packs with the jobs that have not ended; with all where halving compares them with one another."""
        found = []
        for pack in self.parcel.packs:
            jobs = [job for job in pack.jobs if job.number in self.jobs]
            found += [pack.of(pack.jobs if pack.halving else jobs)] if jobs else []
        return found

    def forget(self, pack: "Pack") -> None:
        for job in pack.jobs:
            self.jobs.pop(job.number, None)


class _Drive:
    def __init__(
        self, workers: Workers, packs: Iterator["Pack"], folders: Folders, done: "Done", crashed: "Crashed", jobs: int
    ) -> None:
        self.workers, self.packs, self.folders, self.done, self.crashed = workers, packs, folders, done, crashed
        self.again: deque[Pack] = deque()
        """Packs that are sent once more, before the next of `packs`."""
        self.jobs = jobs
        """At most so many jobs are left in `packs`."""
        self.sent: dict[int, _Sent] = {}
        self.numbers, self.origin = itertools.count(), Origin()
        self.ended, self.seconds = 0, 0.0
        """Jobs that have ended, and the seconds that workers spent on them."""
        self.losses = 0
        """Workers lost since a job ended."""

    def run(self) -> None:
        while True:
            while len(self.sent) < self.workers.slots and (packs := self._group()):
                self._send(packs)
            if not self.sent:
                return
            for number, message in self.workers.receive():
                if isinstance(message, Report):
                    self._take(self.sent[number], message)
                else:
                    self._lose(self.sent.pop(number), message)

    def _group(self) -> list["Pack"]:
        """The packs of the next parcel; none where none are left."""
        workers = self.workers
        left = self.jobs + sum(len(pack.jobs) for pack in self.again)
        size = left / (workers.parts * workers.slots)
        if workers.seconds < math.inf:
            size = min(size, workers.seconds * self.ended / self.seconds if self.ended else 1)
        packs: list[Pack] = []
        taken = 0
        while (not packs or taken < size) and (pack := self._next()) is not None:
            packs.append(pack)
            taken += len(pack.jobs)
        return packs

    def _next(self) -> "Pack | None":
        if self.again:
            return self.again.popleft()
        if (pack := next(self.packs, None)) is None:
            self.jobs = 0
            return None
        self.jobs = max(0, self.jobs - len(pack.jobs))
        return pack.without_tables()

    def _send(self, packs: list["Pack"]) -> None:
        workers = self.workers
        begun = {job.number for pack in packs for job in pack.jobs} & self.folders.begun if workers.shared else set()
        parcel = Parcel(
            next(self.numbers), packs, self.folders.root, begun, self.origin, workers.shared, workers.processes,
            self.folders.as_rows, self.folders.varied,
        )  # fmt: skip
        self.folders.begun -= begun  # what stands there from now on is the worker's
        self.sent[parcel.number] = _Sent(parcel)
        workers.send(parcel)

    def _take(self, its: _Sent, report: Report) -> None:
        if report.files:
            self._write(its, report)
        for number, result in report.results:
            self.done(its.jobs.pop(number), result)
        if report.stopped is not None:
            raise report.stopped
        for at, error in report.failed:
            pack = its.parcel.packs[at]
            its.forget(pack)
            self.again.extendleft(self.crashed(pack, error))
        if report.results:
            self.ended, self.seconds = self.ended + len(report.results), self.seconds + report.seconds
            self.losses = 0

    def _lose(self, its: _Sent, lost: Lost) -> None:
        """Send again what a lost worker had left; the pack that it was at may be why, and goes back to the sweep."""
        left = its.left()
        if not left:
            return
        if its.parcel.shared:
            self.folders.begun |= its.jobs.keys()
        if not lost.begun:
            self.again.extendleft(reversed(left))
            return
        self.losses += 1
        if self.losses > LOSSES * self.workers.slots:
            for pack in left:
                self.crashed(
                    pack, UserError(f"{self.losses} workers were lost one after another, the last: {lost.reason}")
                )
            return
        at, *others = left
        self.again.extendleft(reversed([*self.crashed(at, WorkerKilled(lost.reason)), *others]))

    def _write(self, its: _Sent, report: Report) -> None:
        """Write what a worker sent back: of jobs that have ended, and what belongs to no job."""
        from experiments.sweeps.stacked.writing import write_whole

        told = {number for number, _ in report.results}
        of_name = {job.name: job for job in its.jobs.values()}
        begun = set()
        pack_files.put_files(self.folders.root, report.files)
        for path in sorted(report.files, key=lambda path: path.endswith("result.json")):
            name = path.rpartition("/")[0]
            place = self.folders.root / path
            if path.startswith(f"{PACKS}/"):
                continue
            if (job := of_name.get(name)) is None:
                place.parent.mkdir(parents=True, exist_ok=True)
            elif job.number not in told:
                continue
            elif name not in begun:
                begun.add(name)
                self.folders.begin(job, str(place.parent))
            write_whole(str(place), report.files[path])
