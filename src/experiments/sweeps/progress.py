"""One bar for a whole sweep: finished, failed, rate. Nothing when piped."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

Advance = Callable[[bool], None]
"""To be called for each job that has ended, with whether it failed."""


@contextmanager
def bar(jobs: int) -> Iterator[Advance]:
    """A bar on standard error for so many jobs."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda failed: None
        return
    columns = TextColumn("sweep"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[failed]} failed")
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress:
        task = progress.add_task("", total=jobs, failed=0)
        failures = 0

        def advance(failed: bool) -> None:
            nonlocal failures
            failures += failed
            progress.update(task, advance=1, failed=failures)

        yield advance
