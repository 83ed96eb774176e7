"""One bar for a whole sweep: finished, failed, rate. Nothing when piped."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from experiments.sweeps import in_notebook

Advance = Callable[[bool], None]
"""To be called for each job that has ended, with whether it failed."""


@contextmanager
def bar(jobs: int) -> Iterator[Advance]:
    """A bar for so many jobs: on standard error, or in a notebook."""
    if in_notebook.front_end():
        with _line(jobs) as ended:
            yield ended
        return
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


@contextmanager
def _line(jobs: int) -> Iterator[Advance]:
    line, failures = in_notebook.Line("jobs", jobs), 0

    def advance(failed: bool) -> None:
        nonlocal failures
        failures += failed
        line.shown(line.done + 1, f"{failures} failed" if failures else "")

    try:
        yield advance
    finally:
        line.end()
