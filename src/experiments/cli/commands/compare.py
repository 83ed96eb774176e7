"""`experiments compare [FOLDER...]`: the runs below some folders as a table, a file, a picture or a page."""

import argparse
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.cli.commands.arguments import Parser
from experiments.errors import UserError, one_line
from experiments.stored.folders import OUTPUTS
from experiments.stored.lookup import FOLDER, resolve

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars

    from experiments.comparison.curves import PlotData
    from experiments.comparison.groups.gathered import Groups
    from experiments.comparison.runs_table import Runs

NOTES_SHOWN = 10
STATISTICS = ("mean", "iqm", "median")
BANDS = {"std": "standard deviation", "sem": "standard error", "interval": "95 %"}
WRITTEN = {
    "csv": "the table", "parquet": "the table", "json": "the table", "png": "a picture",
    "html": "one page that works without network",
}  # fmt: skip
"""What is written into files, by their endings."""


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
    for kind, path in files.items():
        if path.suffix.lower() != f".{kind}":
            raise UserError(f"--{kind} {one_line(path)}: must end in .{kind}")
    grouping = asked.group_by is not None or asked.band is not None
    if asked.against is not None and (grouping or files.keys() & {"png", "html"}):
        raise UserError("--against: gives a table, and goes with neither --group-by nor --band nor --png nor --html")
    if asked.statistic is not None and asked.against is None and not grouping:
        raise UserError(f"--statistic {asked.statistic}: of which runs? It goes with --against, --group-by or --band")
    from experiments.comparison import choosing, large
    from experiments.comparison.runs_table import collect

    folders = [resolve(word, many=True) for word in asked.folders] or [_outputs()]
    runs = large.every_run(folders) if grouping or asked.against else collect(folders, chooser(asked))
    _tell(runs.notes)
    if asked.columns == "help":
        print("\n".join(runs.table.columns))
        return 0
    if grouping:
        return _grouped(runs, files, asked)
    table = chosen(runs.table, asked)
    if asked.against is not None:
        from experiments.comparison.against import against

        shown = against(runs, table, asked.against, asked.sort, asked.statistic or "mean")
        shown = shown if asked.columns is None else choosing.columns(runs, shown, asked.columns)
    else:
        shown = choosing.columns(runs, table, asked.columns)

    @cache
    def plots() -> "list[PlotData]":
        from experiments.comparison.curves import gather

        whole = filtered(large.every_run(folders).table, asked.where) if large.of(folders) else None
        found, notes = gather(runs, table, whole=whole)
        _tell(notes)
        return found

    def drawn(kind: str) -> bytes:
        if kind == "png":
            from experiments.comparison.picture import draw

            return draw(plots())
        from experiments.comparison.page import page

        return page(plots(), runs.notes[:NOTES_SHOWN])

    _hand_out(files, shown, drawn, f"{table.height} runs", asked)
    return 0


def _grouped(runs: "Runs", files: dict[str, Path], asked: argparse.Namespace) -> int:
    """--group-by and --band: a row for each group. Raises UserError."""
    from experiments.comparison import choosing
    from experiments.comparison.groups import table as groups

    by = groups.grouping(runs, asked.group_by, asked.statistic or "mean", asked.band)
    kept = filtered(runs.table, asked.where)
    shown = groups.grouped(runs, kept, by)
    if asked.group_by is None and asked.sort is None:
        shown = groups.best_first(kept, shown, by)
    shown = sorted_and_cut(shown, asked)

    @cache
    def kinds() -> "list[Groups]":
        from experiments.comparison.groups.gathered import gather

        found, notes = gather(runs, kept, shown, by)
        _tell(notes)
        return found

    def drawn(kind: str) -> bytes:
        if kind == "png":
            from experiments.comparison.groups.picture import draw

            return draw(kinds())
        from experiments.comparison.groups.page import page

        return page(kinds(), shown, kept.height)

    told = shown if asked.columns is None else choosing.columns(runs, shown, asked.columns)
    _hand_out(files, told, drawn, f"{shown.height} groups", asked)
    return 0


def chooser(asked: argparse.Namespace) -> "Callable[[str, list[str]], list[str]]":
    """What chooses among the jobs of a sweep too large to be read whole."""
    from experiments.comparison.large import Choice

    return Choice(asked.where, asked.sort, asked.reverse, asked.top).jobs


def _outputs() -> str:
    if not Path(OUTPUTS).is_dir():
        raise UserError(f"{OUTPUTS}: there is no such folder here; name the folder with the runs")
    return OUTPUTS


def chosen(table: "polars.DataFrame", asked: argparse.Namespace) -> "polars.DataFrame":
    """The rows that --where, --sort and --top ask for, in their order. Raises UserError."""
    from experiments.comparison import choosing

    table = choosing.ordered(filtered(table, asked.where), asked.sort, reverse=asked.reverse)
    if not (top := checked_top(asked.top)):
        return table
    return choosing.first(table, top) if asked.sort is None else table.head(top)


def filtered(table: "polars.DataFrame", condition: str | None) -> "polars.DataFrame":
    """The rows for which a condition holds. Raises UserError where that is none."""
    from experiments.comparison import choosing

    if condition is None:
        return table
    kept = choosing.where(table, condition)
    if not kept.height:
        raise UserError(f"--where {one_line(condition)}: holds for none of the {table.height} runs")
    return kept


def sorted_and_cut(table: "polars.DataFrame", asked: argparse.Namespace) -> "polars.DataFrame":
    """A table of groups, by --sort, where it is given, and --top. Raises UserError."""
    from experiments.comparison import choosing

    top = checked_top(asked.top)
    if asked.sort is not None:
        table = choosing.ordered(table, asked.sort, reverse=asked.reverse)
    return table.head(top) if top else table


def checked_top(top: int | None) -> int | None:
    """--top as it was asked for. Raises UserError."""
    if top is not None and top < 0:
        raise UserError(f"--top {top}: must be at least 0")
    return top


def _tell(notes: Sequence[str]) -> None:
    for note in notes[:NOTES_SHOWN]:
        print(f"note: {one_line(note)}", file=sys.stderr)
    if len(notes) > NOTES_SHOWN:
        print(f"note: and {len(notes) - NOTES_SHOWN} more that were left out", file=sys.stderr)


def _hand_out(
    files: dict[str, Path], shown: "polars.DataFrame", drawn: "Callable[[str], bytes]", of: str,
    asked: argparse.Namespace,
) -> None:  # fmt: skip
    """Write the files that were asked for, a line for each, or print the table."""
    from experiments.comparison.printing import content, show
    from experiments.tracking.files import write_atomically

    if not files:
        show(shown, everything=asked.top is not None)
    for kind, path in files.items():
        pictured = kind in ("png", "html")
        made = drawn(kind) if pictured else content(shown, kind)
        try:
            write_atomically(path, made)
        except OSError as error:
            raise UserError(f"--{kind} {one_line(path)}: can't be written ({error.strerror})") from None
        print(f"{of if pictured else f'{shown.height} rows'}: {path}")
