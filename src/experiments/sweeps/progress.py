"""One bar for a whole sweep: finished, failed, rate. Nothing when piped."""

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

SECONDS_BETWEEN_UPDATES = 0.1


class Bar:
    """A context manager; `advance` for each job."""

    def __init__(self, jobs: int) -> None:
        self.console = Console(stderr=True)
        self.shown = self.console.is_terminal
        self._progress = Progress(
            TextColumn("sweep"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[note]}"),
            TimeRemainingColumn(), console=self.console, transient=True, disable=not self.shown,
        )  # fmt: skip
        self._task = self._progress.add_task("", total=jobs, note="")
        self._finished = self._failed = 0
        self._began = time.monotonic()
        self._updated = 0.0

    def advance(self, failed: bool = False) -> None:
        """One more job has ended."""
        self._finished += 1
        self._failed += failed
        now = time.monotonic()
        if self.shown and now - self._updated > SECONDS_BETWEEN_UPDATES:
            self._updated = now
            rate = self._finished / max(now - self._began, 1e-9)
            note = f"{self._failed} failed, {rate:,.0f} jobs/s"
            self._progress.update(self._task, completed=self._finished, note=note)

    def __enter__(self) -> "Bar":
        if self.shown:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.shown:  # older rich ends a bar that was never shown with an empty line
            self._progress.stop()
