"""The folders of a sweep's jobs: made before training, cleared of an attempt that did not end, finished ones kept."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from experiments.sweeps.compose.jobs import Job


class Folders:
    """The folders below `root`, and which of them stand already."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.begun: set[int] = set()
        """Jobs whose folder holds an attempt that did not end, or failed."""
        self.ready: set[int] = set()
        """Jobs whose folder stands as `writing.begin` makes it."""

    def of(self, job: Job) -> Path:
        return self.root / job.name

    def begin(self, job: Job, folder: str) -> None:
        """Make the folder of a job that is about to be trained, if it does not stand yet."""
        if job.number not in self.ready:
            self.make(job)

    def make(self, job: Job) -> None:
        """Make the folder of a job, with what stands in it before training."""
        from experiments.sweeps.stacked import writing

        writing.begin(job, str(self.cleared(job)))

    def cleared(self, job: Job) -> Path:
        """The folder of a job, emptied once of what an attempt left; what is not known here is never touched."""
        folder = self.of(job)
        known = job.number in self.begun or job.number in self.ready
        if known and folder.is_dir() and not folder.is_symlink():
            shutil.rmtree(folder)
        self.begun.discard(job.number)  # what stands there from now on is this attempt's
        self.ready.discard(job.number)
        return folder

    def cut_off(self, jobs: Iterable[Job]) -> None:
        """Note that the training of these jobs did not come to its end: their folders are to be made anew."""
        self.begun |= {job.number for job in jobs}
        self.ready -= self.begun
