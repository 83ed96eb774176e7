"""`experiments diff RUN RUN`: two runs side by side, what differs marked with *."""

import sys
from collections.abc import Sequence

from experiments.cli.commands.arguments import Parser
from experiments.errors import one_line
from experiments.stored import differences
from experiments.stored.cells import cell
from experiments.stored.differences import Pair
from experiments.stored.lookup import MEANING, load_run
from experiments.stored.stored_config import untouched


def main(arguments: Sequence[str]) -> int:
    """Print configs, results and environments of both; exit status 0."""
    parser = Parser("diff", description="Two runs side by side; * marks what differs.")
    parser.add_argument("left", metavar="RUN", help=MEANING)
    parser.add_argument("right", metavar="RUN")
    parser.add_argument("--changed", action="store_true", help="only what differs")
    asked = parser.read(arguments)
    left, right = load_run(asked.left), load_run(asked.right)
    for run in (left, right):
        if not untouched(run):
            print(f"note: {one_line(run.folder)}: config.json was changed after the run began", file=sys.stderr)
    sections = {
        "config": differences.configs(left, right),
        "result": differences.results(left, right),
        "environment": differences.environments(left, right),
    }
    _print([one_line(run.folder.name) for run in (left, right)], sections, asked.changed)
    return 0


def _print(names: Sequence[str], sections: dict[str, list[Pair]], only_changed: bool) -> None:
    """A table on a terminal, tab-separated lines in a pipe: section, mark, key, left, right."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    if not console.is_terminal:
        print("\t".join(["section", "", "key", *names]))
        for section, pairs in sections.items():
            for pair in pairs:
                if pair.differs or not only_changed:
                    print("\t".join([section, "*" * pair.differs, *_words(pair)]))
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("", "", *names):
        table.add_column(Text(heading), overflow="fold")
    for section, pairs in sections.items():
        shown = [p for p in pairs if p.differs or not only_changed]
        changed = sum(p.differs for p in pairs)
        table.add_row("", Text(f"{section}: {changed} of {len(pairs)} differ", style="bold"))
        for pair in shown:
            style = "bold yellow" if pair.differs else "dim"
            table.add_row("*" * pair.differs, *(Text(word, style=style) for word in _words(pair)))
    console.print(table)


def _words(pair: Pair) -> list[str]:
    return [cell(pair.key), *pair.words()]
