"""`experiments compare [FOLDER...]`: the runs below some folders as a table, a file, a picture or a page."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.cli.commands.arguments import Parser
from experiments.errors import UserError, one_line
from experiments.stored.folders import OUTPUTS
from experiments.stored.lookup import FOLDER, resolve

NOTES_SHOWN = 10
SUFFIXES = {"csv": ".csv", "parquet": ".parquet", "json": ".json", "png": ".png", "html": ".html"}


def parser() -> Parser:
    made = Parser("compare", description="Runs and sweeps' jobs below the folders, best first.")
    made.add_argument("folders", nargs="*", metavar="FOLDER", help=FOLDER)
    made.add_argument("--sort", metavar="COLUMN", help="least first (default: gap)")
    made.add_argument("--reverse", action="store_true", help="largest first")
    made.add_argument("--top", type=int, metavar="N", help="only the first N (on a terminal: 50; 0: all)")
    made.add_argument("--where", metavar="SQL", help="a condition, as \"optimizer.lr < 0.1 and status = 'completed'\"")
    made.add_argument("--group-by", metavar="KEYS", help="mean, std, min, max for each value of the keys, a,b")
    made.add_argument("--columns", metavar="NAMES", help="columns to show, a,b; all that there are: --columns help")
    for kind, suffix in SUFFIXES.items():
        what = (
            "a picture" if kind == "png" else "one page that works without network" if kind == "html" else "the table"
        )
        made.add_argument(f"--{kind}", metavar="FILE", help=f"{what}, as {suffix}")
    return made


def main(arguments: Sequence[str]) -> int:
    """Print or write the comparison; exit status 0 also when some runs had to be left out."""
    asked = parser().read(arguments)
    if asked.top is not None and asked.top < 0:
        raise UserError(f"--top {asked.top}: must be at least 0")
    for kind, suffix in SUFFIXES.items():
        name = getattr(asked, kind)
        if name is not None and Path(name).suffix.lower() != suffix:
            raise UserError(f"--{kind} {one_line(name)}: must end in {suffix}")
    from experiments.comparison import choosing
    from experiments.comparison.runs_table import collect

    runs = collect([resolve(word, many=True) for word in asked.folders] or [_outputs()])
    _tell(runs.notes)
    table = runs.table
    if asked.columns == "help":
        print("\n".join(table.columns))
        return 0
    if asked.where is not None:
        table = choosing.where(table, asked.where)
        if not table.height:
            raise UserError(f"--where {one_line(asked.where)}: holds for none of the {runs.table.height} runs")
    pictures = asked.png or asked.html
    if asked.group_by is not None:
        if pictures:
            raise UserError("--group-by: goes with the table and not with --png or --html")
        table = choosing.grouped(table, [k.strip() for k in asked.group_by.split(",")])
        if asked.sort is not None:
            table = choosing.ordered(table, asked.sort, reverse=asked.reverse)
        shown = table
    else:
        table = choosing.ordered(table, asked.sort, reverse=asked.reverse)
        if asked.top:
            table = table.head(asked.top)
        shown = choosing.columns(runs, table, asked.columns)
    if asked.top:
        shown = shown.head(asked.top)
    written = _write(shown, asked)
    if pictures:
        written += _draw(runs, table, asked)
    for line in written:
        print(line)
    if not written:
        from experiments.comparison.printing import show

        show(shown, everything=asked.top is not None)
    return 0


def _outputs() -> str:
    if not Path(OUTPUTS).is_dir():
        raise UserError(f"{OUTPUTS}: there is no such folder here; name the folder with the runs")
    return OUTPUTS


def _tell(notes: Sequence[str]) -> None:
    for note in notes[:NOTES_SHOWN]:
        print(f"note: {one_line(note)}", file=sys.stderr)
    if len(notes) > NOTES_SHOWN:
        print(f"note: and {len(notes) - NOTES_SHOWN} more that were left out", file=sys.stderr)


def _write(table, asked: argparse.Namespace) -> list[str]:
    """The files of the table itself; a line for each."""
    from experiments.comparison.printing import content
    from experiments.tracking.files import write_atomically

    said = []
    for kind in ("csv", "parquet", "json"):
        if name := getattr(asked, kind):
            try:
                write_atomically(Path(name), content(table, kind))
            except OSError as error:
                raise UserError(f"--{kind} {one_line(name)}: can't be written ({error.strerror})") from None
            said.append(f"{table.height} rows: {name}")
    return said


def _draw(runs, table, asked: argparse.Namespace) -> list[str]:
    """The picture and the page; a line for each."""
    from experiments.comparison.curves import gather
    from experiments.tracking.files import write_atomically

    material = gather(runs, table)
    _tell(material.notes)
    said = []
    for kind in ("png", "html"):
        if name := getattr(asked, kind):
            if kind == "png":
                from experiments.comparison.picture import draw as make
            else:
                from experiments.comparison.page import page as make
            try:
                write_atomically(Path(name), make(material))
            except OSError as error:
                raise UserError(f"--{kind} {one_line(name)}: can't be written ({error.strerror})") from None
            said.append(f"{table.height} runs: {name}")
    return said
