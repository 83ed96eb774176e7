"""`experiments compare [FOLDER...]`: the runs below some folders as a table, a file, a picture or a page."""

import argparse
import sys
from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.cli.commands.arguments import Parser
from experiments.errors import UserError, one_line
from experiments.stored.folders import OUTPUTS
from experiments.stored.lookup import FOLDER, resolve

if TYPE_CHECKING:
    import polars

    from experiments.comparison.choosing import Choice
    from experiments.comparison.runs_table import Runs

NOTES_SHOWN = 10
STATISTICS = ("mean", "iqm", "median")
BANDS = {"std": "standard deviation", "sem": "standard error", "interval": "95 %"}
WRITTEN = {
    "csv": "the table", "parquet": "the table", "json": "the table", "png": "a picture",
    "html": "one page that works without network",
}  # fmt: skip
"""What is written into files, by their endings."""
DRAWN = {"png", "html"}


def parser() -> Parser:
    made = Parser("compare", description="Runs and sweeps' jobs below the folders, best first.")
    made.add_argument("folders", nargs="*", metavar="FOLDER", help=FOLDER)
    add_choice(made)
    made.add_argument(
        "--group-by",
        metavar="KEYS",
        help="a row for each value of the keys a,b; in pictures their mean curves, of searches the best of n",
    )
    made.add_argument(
        "--band",
        choices=tuple(BANDS),
        help="around the mean of each group, or of each setting over its seeds: "
        + ", ".join(f"{name} ({what})" for name, what in BANDS.items()),
    )
    made.add_argument(
        "--against", metavar="KEY=VALUE|RUN", help="what the others are held against: better, worse or undecided"
    )
    made.add_argument(
        "--statistic", choices=STATISTICS, help="of the seeds (default: mean), for --against, --group-by and --band"
    )
    made.add_argument("--columns", metavar="NAMES", help="columns to show, as lr,seed,gap; --columns help lists all")
    for kind, what in WRITTEN.items():
        made.add_argument(f"--{kind}", metavar="FILE", help=f"{what}, as .{kind}")
    return made


def add_choice(made: argparse.ArgumentParser) -> None:
    """The flags that say which runs, and in which order."""
    made.add_argument(
        "--sort", metavar="COLUMN", help="what to rank by, the best first (default: validation_loss, gap or train_loss)"
    )
    made.add_argument("--reverse", action="store_true", help="worst first")
    made.add_argument("--top", type=int, metavar="N", help="only the first N (on a terminal: 50; 0: all)")
    made.add_argument("--where", metavar="SQL", help="a condition, as \"optimizer.lr < 0.1 and status = 'completed'\"")


def main(arguments: Sequence[str]) -> int:
    """Print or write the comparison; exit status 0 also when some runs had to be left out."""
    asked = parser().read(arguments)
    files = {kind: Path(name) for kind in WRITTEN if (name := getattr(asked, kind)) is not None}
    grouping = asked.group_by is not None or asked.band is not None
    _require_sense(asked, files, grouping)
    from experiments.comparison import choosing, large
    from experiments.comparison.runs_table import collect

    folders, choice = [resolve(word, many=True) for word in asked.folders] or [_outputs()], chosen(asked)
    whole = grouping or asked.against is not None
    runs = large.every_run(folders) if whole else collect(folders, partial(large.jobs, choice))
    _tell(runs.notes)
    if asked.columns == "help":
        print("\n".join(runs.table.columns))
        return 0
    drawn: dict[str, bytes] = {}
    if grouping:
        shown, drawn = _grouped(runs, choice, asked, files)
        of = _counted(shown, "group")
    else:
        table = choice.of(runs.table) if asked.against is None else choice.filtered(runs.table)
        of = _counted(table, "run")
        if asked.against is not None:
            from experiments.comparison.against import against

            found = against(runs, table, asked.against, asked.sort, asked.statistic or "mean")
            shown = replace(choice, sort=None).of_groups(found)
        else:
            shown = table if asked.columns is not None else choosing.default_columns(runs, table)
            if files.keys() & DRAWN:
                every = choice.filtered(large.every_run(folders).table) if large.of(folders) else None
                drawn = _drawn(runs, table, every, files)
    shown = shown if asked.columns is None else choosing.columns(shown, asked.columns)
    _hand_out(files, shown, drawn, of, everything=asked.top is not None)
    return 0


def _require_sense(asked: argparse.Namespace, files: dict[str, Path], grouping: bool) -> None:
    """Raises UserError for files of other endings, and for flags that don't go together."""
    for kind, path in files.items():
        if path.suffix.lower() != f".{kind}":
            raise UserError(f"--{kind} {one_line(path)}: must end in .{kind}")
    if asked.against is not None and (grouping or files.keys() & DRAWN):
        raise UserError("--against: gives a table, and goes with neither --group-by nor --band nor --png nor --html")
    if asked.statistic is not None and asked.against is None and not grouping:
        raise UserError(f"--statistic {asked.statistic}: of which runs? It goes with --against, --group-by or --band")


def _drawn(
    runs: "Runs", table: "polars.DataFrame", every: "polars.DataFrame | None", files: Collection[str]
) -> dict[str, bytes]:
    """The pictures that are asked for, by their endings; `every`: the runs that means are of, where they are more."""
    from experiments.comparison.curves import gather

    plots, notes = gather(runs, table, whole=every)
    _tell(notes)
    found = {}
    if "png" in files:
        from experiments.comparison.picture import figure, png

        found["png"] = png(figure(plots))
    if "html" in files:
        from experiments.comparison.page import page

        found["html"] = page(plots, runs.notes[:NOTES_SHOWN])
    return found


def _grouped(
    runs: "Runs", choice: "Choice", asked: argparse.Namespace, files: Collection[str]
) -> tuple["polars.DataFrame", dict[str, bytes]]:
    """--group-by and --band: a row for each group, and the pictures that are asked for. Raises UserError."""
    from experiments.comparison.groups import table as groups

    by = groups.grouping(runs, asked.group_by, asked.statistic or "mean", asked.band)
    kept = choice.filtered(runs.table)
    shown = groups.grouped(runs, kept, by)
    if asked.group_by is None and asked.sort is None:
        shown = groups.best_first(kept, shown, by)
    shown, found = choice.of_groups(shown, by.statistic), {}
    if DRAWN.isdisjoint(files):
        return shown, found
    from experiments.comparison.groups.gathered import gather

    kinds, notes = gather(runs, kept, shown, by)
    _tell(notes)
    if "png" in files:
        from experiments.comparison.groups.picture import figure
        from experiments.comparison.picture import png

        found["png"] = png(figure(kinds))
    if "html" in files:
        from experiments.comparison.groups.page import page

        found["html"] = page(kinds, shown, kept.height)
    return shown, found


def chosen(asked: argparse.Namespace) -> "Choice":
    """What the flags of `add_choice` ask for. Raises UserError."""
    from experiments.comparison.choosing import Choice

    return Choice(asked.where, asked.sort, asked.reverse, asked.top)


def _outputs() -> str:
    if not Path(OUTPUTS).is_dir():
        raise UserError(f"{OUTPUTS}: there is no such folder here; name the folder with the runs")
    return OUTPUTS


def _tell(notes: Sequence[str]) -> None:
    for note in notes[:NOTES_SHOWN]:
        print(f"note: {one_line(note)}", file=sys.stderr)
    if len(notes) > NOTES_SHOWN:
        print(f"note: and {len(notes) - NOTES_SHOWN} more that were left out", file=sys.stderr)


def _hand_out(
    files: dict[str, Path], shown: "polars.DataFrame", drawn: dict[str, bytes], of: str, *, everything: bool
) -> None:
    """Write the files that were asked for, a line for each, or print the table."""
    from experiments.comparison.printing import content, show
    from experiments.tracking.files import write_atomically

    if not files:
        show(shown, everything=everything)
    for kind, path in files.items():
        try:
            write_atomically(path, drawn[kind] if kind in drawn else content(shown, kind))
        except OSError as error:
            raise UserError(f"--{kind} {one_line(path)}: can't be written ({error.strerror})") from None
        print(f"{of if kind in drawn else _counted(shown, 'row')}: {path}")


def _counted(table: "polars.DataFrame", noun: str) -> str:
    return f"{table.height} {noun}{'s' * (table.height != 1)}"
