"""`sweep.dry_run=true`: which jobs, in which packs, how long, how much disk. Nothing is trained or written."""

from collections.abc import Sequence

from rich.console import Console

from experiments.errors import one_line
from experiments.sweeps.compose.halving import Halving
from experiments.sweeps.compose.jobs import Job
from experiments.sweeps.compose.packing import MOST_JOBS, MOST_PACKED, plan
from experiments.sweeps.launching import Sweep
from experiments.sweeps.packed.keeping import Keep

LISTED = 20
FILES = 8
BYTES_AN_EVALUATION = 140 + 100
"""An event record and a line of metrics.jsonl."""
BYTES_A_JOB = 4096 * (FILES + 2) + 14_000
"""Blocks of its files and folders, and what the larger ones hold."""
BYTES_A_PACKED_JOB, BYTES_A_PACKED_EVALUATION = 350, 10
"""Rows of a pack's Parquet, compressed."""
SECONDS_A_STACKED_JOB, SECONDS_A_STACKED_EPOCH = 1e-3, 3e-6
SECONDS_A_SERIAL_JOB, SECONDS_A_SERIAL_EPOCH = 0.1, 1e-3
"""On a slow machine of 2026; an estimate that tells minutes from hours."""


def show(
    session: Sweep, jobs: Sequence[Job], keep: Keep, *, large: bool = False, halving: Halving | None = None
) -> None:
    """Print the plan of a sweep of these jobs, of which `keep` says which are to have folders; `large` as `sweep`'s."""
    console = Console(highlight=False, soft_wrap=True)
    sound = [job for job in jobs if job.error is None]
    planned = plan(sound, halving, MOST_PACKED if large else MOST_JOBS)
    for job in jobs[:LISTED]:
        refused = f"  refused: {job.error}" if job.error else ""
        console.print(one_line(f"job {job.number}: {' '.join(job.overrides)}{refused}"), markup=False)
    if len(jobs) > LISTED:
        console.print(f"... and {len(jobs) - LISTED} more")
    for pack in planned.packs:
        console.print(f"pack of {len(pack)}: jobs {pack[0].number} to {pack[-1].number}")
    alone: dict[str, list[str]] = {}
    for job, reason in planned.serial:
        alone.setdefault(reason, []).append(str(job.number))
    for reason, numbers in alone.items():
        shown = ", ".join(numbers[:LISTED]) + (", ..." if len(numbers) > LISTED else "")
        console.print(f"one by one: {len(numbers)} jobs ({shown}), {reason}", markup=False)
    epochs = {job.number: job.value("training.epochs") for job in sound}
    seconds = 3 + len(planned.serial) * SECONDS_A_SERIAL_JOB
    seconds += sum(epochs[job.number] for job, _ in planned.serial) * SECONDS_A_SERIAL_EPOCH
    stacked = [job for pack in planned.packs for job in pack]
    seconds += seconds_of(stacked) / max(1, min(session.engine.workers, len(planned.packs)))
    refused, size = len(jobs) - len(sound), _bytes(jobs, keep, session.curves)
    console.print(
        f"{len(jobs)} jobs, {refused} refused; about {seconds:.0f} s and {size / 1e6:.1f} MB in {session.folder}; "
        "nothing written"
    )


def _bytes(jobs: Sequence[Job], keep: Keep, curves: str) -> float:
    """An estimate of what jobs take on the disk; `curves`: `sweep.curves`, of the jobs without a folder."""
    looks = [job.value("training.epochs") // job.value("training.log_every") for job in jobs if job.error is None]
    if keep.everything:
        return len(jobs) * BYTES_A_JOB + sum(looks) * BYTES_AN_EVALUATION
    kept = {"all": sum(looks), "last": len(looks), "none": 0}[curves]
    packed = len(jobs) * BYTES_A_PACKED_JOB + kept * BYTES_A_PACKED_EVALUATION
    folders = min(keep.count or 0, len(jobs))
    return packed + folders * (BYTES_A_JOB + kept * BYTES_AN_EVALUATION / max(1, len(looks)))


def seconds_of(jobs: Sequence[Job]) -> float:
    """An estimate of what stacked jobs take, one pack after another."""
    return sum(SECONDS_A_STACKED_JOB + SECONDS_A_STACKED_EPOCH * job.value("training.epochs") for job in jobs)
