"""`experiments compare [FOLDER...]`: the runs below some folders as a table, a file, a picture or a page."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.cli.commands.arguments import Parser
from experiments.errors import UserError, one_line
from experiments.stored.folders import OUTPUTS
from experiments.stored.lookup import FOLDER, resolve

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars

    from experiments.comparison.runs_table import Runs

NOTES_SHOWN = 10
WRITTEN = {
    "csv": "the table", "parquet": "the table", "json": "the table", "png": "a picture",
    "html": "one page that works without network",
}  # fmt: skip
"""What is written into files, by their endings."""


def parser() -> Parser:
    made = Parser("compare", description="Runs and sweeps' jobs below the folders, best first.")
    made.add_argument("folders", nargs="*", metavar="FOLDER", help=FOLDER)
    add_choice(made)
    made.add_argument("--group-by", metavar="KEYS", help="a row for each value of the keys a,b: mean, std, min, max")
    made.add_argument(
        "--against", metavar="KEY=VALUE|RUN", help="what the others are held against: better, worse or undecided"
    )
    made.add_argument(
        "--statistic", choices=("mean", "iqm", "median"), default="mean", help="of the seeds, for --against"
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
    for kind, path in files.items():
        if path.suffix.lower() != f".{kind}":
            raise UserError(f"--{kind} {one_line(path)}: must end in .{kind}")
    if asked.group_by is not None and files.keys() & {"png", "html"}:
        raise UserError("--group-by: goes with the table and not with --png or --html")
    if asked.against is not None and (asked.group_by is not None or files.keys() & {"png", "html"}):
        raise UserError("--against: gives a table, and goes with neither --group-by nor --png nor --html")
    from experiments.comparison import choosing, large
    from experiments.comparison.printing import show
    from experiments.comparison.runs_table import collect

    folders = [resolve(word, many=True) for word in asked.folders] or [_outputs()]
    if (asked.group_by or asked.against) and (sweeps := large.of(folders)):
        return _over_all(sweeps, folders, asked)
    runs = collect(folders, chooser(asked))
    _tell(runs.notes)
    if asked.columns == "help":
        print("\n".join(runs.table.columns))
        return 0
    table = chosen(runs.table, asked)
    if asked.against is not None:
        from experiments.comparison.against import against

        shown = against(runs, table, asked.against, asked.sort, asked.statistic)
    else:
        shown = table if asked.group_by is not None else choosing.columns(runs, table, asked.columns)
    if files:
        _write(files, runs, table, shown)
    else:
        show(shown, everything=asked.top is not None)
    return 0


def chooser(asked: argparse.Namespace) -> "Callable[[str, list[str]], list[str]]":
    """What chooses among the jobs of a sweep too large to be read whole."""
    from experiments.comparison.large import Choice

    return Choice(asked.where, asked.sort, asked.reverse, asked.top).jobs


def _over_all(sweeps: Sequence[str], folders: Sequence[str | Path], asked: argparse.Namespace) -> int:
    """--group-by over all jobs of the one large sweep. Raises UserError."""
    from experiments.comparison import large
    from experiments.comparison.printing import show

    if asked.against is not None:
        raise UserError(f"--against: {one_line(sweeps[0])} has too many jobs for it; results.parquet has them all")
    if others := large.beside(sweeps[0], folders):
        raise UserError(f"--group-by: {one_line(sweeps[0])} has too many jobs to be grouped together with "
                        f"{one_line(others)}; name it alone")  # fmt: skip
    table = chosen(large.whole(sweeps[0]), asked)
    files = {kind: Path(name) for kind in WRITTEN if (name := getattr(asked, kind)) is not None}
    if files:
        _write(files, None, table, table)
    else:
        show(table, everything=asked.top is not None)
    return 0


def _outputs() -> str:
    if not Path(OUTPUTS).is_dir():
        raise UserError(f"{OUTPUTS}: there is no such folder here; name the folder with the runs")
    return OUTPUTS


def chosen(table: "polars.DataFrame", asked: argparse.Namespace) -> "polars.DataFrame":
    """The rows that --where, --group-by, --sort and --top ask for, in their order. Raises UserError."""
    from experiments.comparison import choosing

    if asked.top is not None and asked.top < 0:
        raise UserError(f"--top {asked.top}: must be at least 0")
    together = getattr(asked, "group_by", None)
    if asked.where is not None:
        count, table = table.height, choosing.where(table, asked.where)
        if not table.height:
            raise UserError(f"--where {one_line(asked.where)}: holds for none of the {count} runs")
    if together is not None:
        table = choosing.grouped(table, [k.strip() for k in together.split(",")])
    if together is None or asked.sort is not None:
        table = choosing.ordered(table, asked.sort, reverse=asked.reverse)
    if asked.top:
        apart = asked.sort is None and together is None
        table = choosing.first(table, asked.top) if apart else table.head(asked.top)
    return table


def _tell(notes: Sequence[str]) -> None:
    for note in notes[:NOTES_SHOWN]:
        print(f"note: {one_line(note)}", file=sys.stderr)
    if len(notes) > NOTES_SHOWN:
        print(f"note: and {len(notes) - NOTES_SHOWN} more that were left out", file=sys.stderr)


def _write(files: dict[str, Path], runs: "Runs | None", table: "polars.DataFrame", shown: "polars.DataFrame") -> None:
    """Write the files that were asked for; a line for each."""
    from experiments.comparison.printing import content
    from experiments.tracking.files import write_atomically

    plots = []
    if runs is not None and files.keys() & {"png", "html"}:
        from experiments.comparison.curves import gather

        plots, notes = gather(runs, table)
        _tell(notes)
    for kind, path in files.items():
        if kind == "png":
            from experiments.comparison.picture import draw

            made = draw(plots)
        elif kind == "html":
            from experiments.comparison.page import page

            made = page(plots)
        else:
            made = content(shown, kind)
        try:
            write_atomically(path, made)
        except OSError as error:
            raise UserError(f"--{kind} {one_line(path)}: can't be written ({error.strerror})") from None
        print(f"{table.height} {'runs' if kind in ('png', 'html') else 'rows'}: {path}")
