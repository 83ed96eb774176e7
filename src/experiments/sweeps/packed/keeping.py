"""`sweep.keep`: which jobs of a sweep have folders. The others are rows of its packs."""

from dataclasses import dataclass

from experiments.stored.ranking import default_metric
from experiments.sweeps.results import jobs_table
from experiments.sweeps.results.outcomes import Outcomes
from experiments.tracking import packed

MOST = 2_000
"""Jobs that all have folders where nothing is asked for."""
USUAL = "best:100"
"""What is kept of more."""


@dataclass(frozen=True)
class Keep:
    """The first or the best `count` of the jobs; all of them where it is None."""

    count: int | None = None
    best: bool = False

    @classmethod
    def of(cls, wanted: int | str | None, jobs: int) -> "Keep":
        """What `sweep.keep` asks for in a sweep of so many jobs."""
        wanted = (USUAL if jobs > MOST else "all") if wanted is None else wanted
        if wanted == "all":
            return cls()
        if isinstance(wanted, str):
            return cls(int(wanted.removeprefix("best:")) if wanted != "none" else 0, wanted != "none")
        return cls(wanted)

    @property
    def everything(self) -> bool:
        return self.count is None

    def said(self, jobs: int) -> str:
        """One line for the begin and the end of a sweep."""
        which = f"the {'best' if self.best else 'first'} {self.count}" if self.count else "none"
        return f"folders: {which} of {jobs} jobs; all are in packs/ (compare reads them, unpack makes folders)"

    def unpack(self, outcomes: Outcomes) -> None:
        """Make the folders of those that are to have one. Raises OSError."""
        from experiments.sweeps.packed.unpacking import unpack

        for number in self._chosen(outcomes):
            if (job := packed.job(outcomes.folder, number)) is not None:
                unpack(job, outcomes.folder)

    def _chosen(self, outcomes: Outcomes) -> list[int]:
        if not self.best:
            return list(range(self.count or 0))
        rows = outcomes.table()
        metric = outcomes.objective or default_metric(rows)
        return [row["number"] for row in jobs_table.best(rows, metric, self.count or 0)]
