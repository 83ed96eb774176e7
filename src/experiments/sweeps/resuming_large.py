"""Going on with a sweep of which only a part is composed at a time: the jobs that no pack and no folder has."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from experiments.errors import UserError, one_line
from experiments.sweeps import resuming
from experiments.sweeps.compose.jobs import Job
from experiments.sweeps.launching import Sweep
from experiments.tracking import packed
from experiments.tracking.pack_files import RESULTS


def left(session: Sweep, parts: Iterable[list[Job]]) -> Iterator[list[Job]]:
    """From each part the jobs that have not ended; those that have are noted.

    A job is known by the hash of its config. One that is not keeps its number where that is free. Raises UserError.
    """
    outcomes, folder = session.outcomes, session.folder
    known: Counter[str] = Counter()
    for number, digest, status in _stored(folder):
        known[digest] += 1
        outcomes.statuses[number] = status
    found = resuming.scan(folder, packs=False)
    for job, result in found.ended.values():
        if job.number not in outcomes.statuses:
            known[job.digest] += 1
            outcomes.enter(job, result)
    session.folders.begun = found.numbers - found.ended.keys()
    taken = set(outcomes.statuses)
    free = max(taken, default=-1) + 1
    for part in parts:
        waiting = []
        for job in part:
            if known[job.digest]:
                known[job.digest] -= 1
                continue
            waiting.append(job)
            if job.number in taken:
                job.number = free = max(free, part[-1].number + 1)
                job.name = outcomes.name_of(job)
                free += 1
        if waiting:
            yield waiting


def _stored(folder: Path) -> Iterator[tuple[int, str, str]]:
    """Number, hash and status of every job in the packs."""
    import polars as pl

    for pack in packed.packs(folder):
        try:
            rows = pl.read_parquet(pack / RESULTS, columns=["number", "config_hash", "status"])
        except (OSError, pl.exceptions.PolarsError) as error:
            raise UserError(f"{pack}: can't be read: {one_line(error)}; remove it, and its jobs run again") from None
        yield from rows.iter_rows()
