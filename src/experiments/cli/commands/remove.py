"""`experiments remove RUN|SWEEP ...`, or by --where and --older-than: asks first, and leaves what is running alone."""

import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.cli.commands.arguments import Parser
from experiments.cli.commands.list import add_choice, show
from experiments.errors import UserError, one_line
from experiments.stored.folders import OUTPUTS
from experiments.stored.lookup import MEANING, resolve


def main(arguments: Sequence[str]) -> int:
    """Remove what is named or chosen; exit status 0 also when the answer is no."""
    parser = Parser("remove", description="Remove runs and whole sweeps for good. It shows them and asks first.")
    parser.add_argument("names", nargs="*", metavar="RUN", help=MEANING)
    add_choice(parser)
    parser.add_argument("--yes", action="store_true", help="do not ask")
    asked = parser.read(arguments)
    if not asked.names and asked.where is None and asked.older_than is None:
        raise UserError(f"remove: name runs or sweeps, or choose with --where or --older-than; all: remove {OUTPUTS}")
    from experiments.comparison import kept

    places = [resolve(name, many=True) for name in asked.names] or [Path(OUTPUTS)]
    for place in places:
        if (place.absolute().parent / "sweep.yaml").exists():
            raise UserError(f"{one_line(place)}: a job of a sweep, which goes as a whole: remove {place.parent}")
    found = {one.folder: one for place in places for one in kept.below(str(place))}
    wanted = kept.chosen(list(found.values()), asked.where, asked.older_than)
    for one in (one for one in wanted if one.running):
        print(f"left alone: {one_line(one.folder)}: {one.status}", file=sys.stderr)
    wanted = [one for one in wanted if not one.running]
    if not wanted:
        print("nothing to remove")
        return 0
    show(wanted)
    if not asked.yes and not _agreed(f"Remove these {len(wanted)} for good"):
        print("nothing was removed")
        return 0
    print(f"removed: {sum(map(kept.remove, wanted))}")
    return 0


def _agreed(question: str) -> bool:
    """Whether the person at the terminal says yes. Raises UserError when there is none to ask."""
    if not sys.stdin.isatty():
        raise UserError("remove: asks before it removes, and there is no terminal to ask at; add --yes")
    print(f"{question}? [y/N] ", end="", flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
