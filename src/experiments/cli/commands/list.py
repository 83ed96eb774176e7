"""`experiments list [FOLDER]`: the runs and sweeps that are kept, with their age and size, the newest first."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from experiments.cli.commands.arguments import Parser
from experiments.errors import one_line
from experiments.stored.folders import OUTPUTS
from experiments.stored.lookup import FOLDER, resolve

if TYPE_CHECKING:
    from experiments.comparison.kept import Kept


def main(arguments: Sequence[str]) -> int:
    """Print the list; exit status 0."""
    parser = Parser("list", description="Runs and sweeps, the one that was written last first.")
    parser.add_argument("folder", nargs="?", default=OUTPUTS, metavar="FOLDER", help=FOLDER)
    add_choice(parser)
    asked = parser.read(arguments)
    from experiments.comparison.kept import below, chosen

    show(chosen(below(str(resolve(asked.folder, many=True))), asked.where, asked.older_than))
    return 0


def add_choice(parser: Parser) -> None:
    """The flags that choose among what is kept."""
    parser.add_argument(
        "--where", metavar="SQL", help="only where it holds, as in compare; of a sweep, for all its jobs"
    )
    parser.add_argument("--older-than", metavar="AGE", help="only what was last written so long ago: 90m, 12h, 7d, 2w")


def show(kept: "Sequence[Kept]") -> None:
    """A table of them on standard output."""
    import polars as pl

    from experiments.comparison import printing

    now = time.time()
    rows = {
        "folder": [one_line(one.folder) for one in kept],
        "jobs": pl.Series([one.jobs for one in kept], dtype=pl.Int64),
        "status": [one.status for one in kept],
        "days": [round((now - one.written) / 86_400, 2) for one in kept],
        "MB": [round(one.size / 1e6, 3) for one in kept],
    }
    printing.show(pl.DataFrame(rows), everything=True)
