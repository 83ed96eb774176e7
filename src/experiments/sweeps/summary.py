"""What a sweep shows at its end: the best ten, the spread over seeds, the failures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from experiments.errors import one_line
from experiments.stored.ranking import default_metric
from experiments.sweeps import results
from experiments.sweeps.compose.jobs import Job
from experiments.sweeps.outcomes import Outcomes

BEST = 10


PIPED_WIDTH = 200
"""Columns of a table that is read by a program or from a file."""


class Terminal(Console):
    """A console that leaves it to the entry what to do when its reader, `head` say, has gone; rich's own exits."""

    def __init__(self) -> None:
        super().__init__(highlight=False)
        if not self.is_terminal:
            self.width = PIPED_WIDTH

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def show(outcomes: Outcomes, folder: Path) -> None:
    """Print the summary of the jobs that have ended."""
    rows = outcomes.table()
    if not rows:
        return
    console = Terminal()
    metric = outcomes.objective or default_metric(rows)
    counts = {s: sum(r["status"] == s for r in rows) for s in dict.fromkeys(r["status"] for r in rows)}
    console.print(f"{len(rows)} jobs: " + ", ".join(f"{n} {s.replace('_', ' ')}" for s, n in counts.items()))
    best = results.best(rows, metric, BEST)
    if best:
        columns = ["number", *outcomes.varied, "train_loss", metric, "epochs"]
        _table(console, f"best {len(best)} by {metric}", dict.fromkeys(columns), best)
    if best and "seed" in outcomes.varied:
        summary = results.over_seeds(rows, outcomes.varied, metric)
        others = [v for v in outcomes.varied if v != "seed"]
        columns = [*others, "seeds", "without", "mean", "std", "min", "max"]
        _table(console, f"{metric} over seeds", dict.fromkeys(columns), summary[:BEST])
        if len(summary) > BEST:
            console.print(f"... and {len(summary) - BEST} settings more, in results.csv")
    for job, reason in outcomes.failures:
        said = one_line(f"failed: job {job.number} ({' '.join(job.overrides)}): {reason}")
        console.print(said, markup=False, soft_wrap=True)
    console.print(f"folder: {folder}", soft_wrap=True)
    console.print(f"look:   experiments board {folder}", soft_wrap=True)


def not_run(jobs: Sequence[Job]) -> None:
    """List the jobs that were not run."""
    if jobs:
        numbers = ", ".join(str(job.number) for job in jobs[:20]) + (", ..." if len(jobs) > 20 else "")
        Terminal().print(f"not run: {len(jobs)} jobs ({numbers})", soft_wrap=True)


def _table(console: Console, title: str, columns: dict[str, Any], rows: Sequence[results.Row]) -> None:
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(escape(column), justify="right", overflow="fold")
    for row in rows:
        table.add_row(*(escape(_text(row.get(c))) for c in columns))
    console.print(table)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else one_line(value)
