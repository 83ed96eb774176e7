"""What a sweep shows at its end: the best ten, the spread over seeds, the failures."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from experiments.config.folder_names import STAMP
from experiments.errors import Failure, one_line
from experiments.stored.comparable import groups, remarks
from experiments.stored.folders import OUTPUTS, pointers
from experiments.stored.ranking import default_metric
from experiments.sweeps.compose.jobs import Job
from experiments.sweeps.results import jobs_table
from experiments.sweeps.results.outcomes import Outcomes

BEST = 10
MOST_GROUPS = 4
"""Groups of jobs whose losses compare that are shown, each by itself."""
LISTED = 20
"""Numbers of jobs in one line at most."""
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


def require_success(outcomes: Outcomes) -> None:
    """Raise Failure, with their number, when jobs failed."""
    if failed := sum(result.status == "failed" for result in outcomes.results.values()):
        raise Failure(f"{failed} of {len(outcomes.statuses)} jobs failed")


def show(outcomes: Outcomes, rows: Sequence[jobs_table.Row]) -> None:
    """Print the summary of the jobs that have ended; `rows` are those of their table."""
    if not rows:
        return
    console = Terminal()
    counts = Counter(r["status"] for r in rows)
    console.print(f"{len(rows)} jobs: " + ", ".join(f"{n} {s.replace('_', ' ')}" for s, n in counts.items()))
    labels, notes = _apart(outcomes, rows)
    for note in notes:
        console.print(f"note: {one_line(note)}", markup=False, soft_wrap=True)
    for label, _ in Counter(labels).most_common(MOST_GROUPS) if outcomes.ranked else ():
        alone = len(set(labels)) == 1  # then there is no need to hold them all
        _ranked(
            console, outcomes, label, rows if alone else [r for r, of in zip(rows, labels, strict=True) if of == label]
        )
    for line in failures(outcomes):
        console.print(one_line(line), markup=False, soft_wrap=True)
    for line in [outcomes.note] * bool(outcomes.note) + pointers(outcomes.folder, _word(outcomes.folder)):
        console.print(line, markup=False, soft_wrap=True)


def _word(folder: Path) -> Path:
    """`last`, where that is what means the sweep: it lies in outputs/, and no name there begins with a later time."""
    outputs = Path(OUTPUTS).absolute()
    if folder.parent.parent != outputs:
        return folder
    newest = max((found.name for found in outputs.glob("*/*") if STAMP.match(found.name)), default="")
    return Path("last") if folder.name == newest else folder


def _apart(outcomes: Outcomes, rows: Sequence[jobs_table.Row]) -> tuple[list[str], list[str]]:
    """What tells each job's loss and data from the others', and the notes on that, see `comparable`.

    Each distinct config is looked at once: ten thousand seeds are one. A job that failed before it had a config goes
    with the most.
    """
    if outcomes.apart:
        measured = [name for name in outcomes.varied if name.partition(".")[0] in ("loss", "data")]
        if not measured:
            return [""] * len(rows), []
        settings = [{name: r[name] for name in measured} for r in rows]
        hashes: list[Any] = [None] * len(rows)
    else:
        settings = [outcomes.jobs[r["number"]].measured() for r in rows]
        hashes = [outcomes.results[r["number"]].environment.get("data_hash") for r in rows]
    keys = [(repr(own), digest) for own, digest in zip(settings, hashes, strict=True)]
    distinct = {key: own for key, own in zip(keys, settings, strict=True) if own}
    label_of = dict(zip(distinct, groups(list(distinct.values()), [digest for _, digest in distinct]), strict=True))
    usual = next((label_of[key] for key, _ in Counter(keys).most_common() if key in label_of), "")
    labels = [label_of.get(key, usual) for key in keys]
    return labels, remarks(labels, settings)


def _ranked(console: Console, outcomes: Outcomes, label: str, rows: Sequence[jobs_table.Row]) -> None:
    """The best of the jobs that compare, and the spread over seeds."""
    metric = outcomes.objective or default_metric(rows)
    of = f" of {label}" if label else ""
    best = jobs_table.best(rows, metric, BEST)
    word = jobs_table.counted(outcomes.varied)
    if best and word in ("", "seeds"):  # the best of the folds has the easiest rows
        accuracy = [name for name in ("accuracy", "validation_accuracy") if best[0].get(name) is not None]
        columns = ["number", *outcomes.varied, "train_loss", metric, *accuracy, "epochs"]
        table(console, f"best {len(best)}{of} by {metric}", list(dict.fromkeys(columns)), best)
    if best and word:
        summary = jobs_table.over_seeds(rows, outcomes.varied, metric)
        over = "seeds and folds" if word == "runs" else word
        table(console, f"{metric}{of} over {over}", list(summary[0]), summary[:BEST])
        if len(summary) > BEST:
            console.print(f"... and {len(summary) - BEST} settings more, in results.csv")
        first = outcomes.first if outcomes.apart else outcomes.jobs[rows[0]["number"]]
        folds = first.measured().get("data.folds") if first else None
        if said := jobs_table.surest(rows, outcomes.varied, metric, folds):
            console.print(one_line(said), markup=False, soft_wrap=True)


def failures(outcomes: Outcomes) -> list[str]:
    """A line for each reason for which jobs failed, the most frequent first."""
    jobs: dict[str, list[Job]] = {}
    for number, result in sorted(outcomes.results.items()):
        if result.status == "failed":
            jobs.setdefault((result.error or {})["message"], []).append(outcomes.jobs[number])
    lines = []
    for reason, failed in sorted(jobs.items(), key=lambda item: -len(item[1])):
        which = f"job {failed[0].number} ({' '.join(failed[0].overrides)})"
        if len(failed) > 1:
            which = f"{len(failed)} jobs ({_numbers(failed)})"
        lines.append(f"failed: {which}: {reason}")
    return lines


def not_run(jobs: Sequence[Job]) -> None:
    """List the jobs that were not run."""
    if jobs:
        Terminal().print(f"not run: {len(jobs)} jobs ({_numbers(jobs)})", soft_wrap=True)


def _numbers(jobs: Sequence[Job]) -> str:
    return ", ".join(str(job.number) for job in jobs[:LISTED]) + (", ..." if len(jobs) > LISTED else "")


def table(console: Console, title: str, columns: Iterable[str], rows: Sequence[jobs_table.Row]) -> None:
    """Print rows as a table, without a value where a row has none."""
    shown = Table(title=escape(title), title_justify="left")
    for column in columns:
        shown.add_column(escape(column), justify="right", overflow="fold")
    for row in rows:
        shown.add_row(*(escape(_text(row.get(c))) for c in columns))
    console.print(shown)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else one_line(value)
