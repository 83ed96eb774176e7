"""Who trains the packs of a sweep: this machine's forks; sweeps/engines has those that reach further."""

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

from experiments.sweeps.workers import most_workers, run_packs

if TYPE_CHECKING:
    from experiments.sweeps.job_folders import Folders
    from experiments.sweeps.stacked.packs import Done, Pack
    from experiments.sweeps.workers import Crashed


class Submitted(Exception):
    """The packs are on their way and nobody waits for them; the text says how to get at what they come to."""


class Engine(Protocol):
    """Trains and writes packs; the bits do not depend on which engine does."""

    workers: int
    """Packs that train at once."""

    def run(self, packs: Iterator["Pack"], folders: "Folders", done: "Done", crashed: "Crashed", jobs: int) -> None:
        """Train packs of `jobs` jobs or fewer, write them, and call `done` for each job that has ended.

        An error of a pack goes to `crashed`, which says what to train in its place. Raises OSError, KeyboardInterrupt,
        Failure for what the next pack would meet too, after which nothing goes on that was begun, and Submitted.
        """
        ...

    def close(self) -> None:
        """Let go of what was kept for the next call of `run`."""
        ...


class Local:
    """Forked processes of this one."""

    def __init__(self, workers: int | None = None) -> None:
        """`workers`: by default one a processor. Raises UserError."""
        self.workers = most_workers(workers)

    def run(self, packs: Iterator["Pack"], folders: "Folders", done: "Done", crashed: "Crashed", jobs: int) -> None:
        whole = folders.as_rows is None or folders.as_rows.results
        ahead = list(itertools.islice(packs, 2)) if whole else []
        workers = 1 if len(ahead) == 1 else self.workers
        run_packs(itertools.chain(ahead, packs), folders, done, crashed, workers)

    def close(self) -> None:
        """There is nothing to let go of."""
