"""`experiments unpack SWEEP/123 ...`: the folders of jobs that a sweep kept as rows of its packs."""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from experiments.cli.commands.arguments import Parser
from experiments.cli.commands.compare import add_choice, chosen
from experiments.errors import UserError, one_line
from experiments.stored.folders import pointers
from experiments.stored.lookup import resolve
from experiments.tracking import packed

NAMED = 3
"""Folders that are listed by themselves."""


def main(arguments: Sequence[str]) -> int:
    """Make the folders, as training with `sweep.keep=all` would have written them; exit status 0."""
    parser = Parser("unpack", description="Folders for jobs that have none, so that TensorBoard shows them.")
    parser.add_argument("jobs", nargs="+", metavar="SWEEP/123", help="jobs; or sweeps, with --where or --top")
    add_choice(parser)
    asked = parser.read(arguments)
    folders = list(dict.fromkeys(folder for word in asked.jobs for folder in _meant(word, asked)))
    made = [folder for folder in folders if (job := packed.of_folder(folder)) is not None and _made(job, folder)]
    print(f"made {len(made)} folders" + (f"; {there} were there" if (there := len(folders) - len(made)) else ""))
    for folder in made[:NAMED]:
        print(f"folder: {folder}")
    for line in pointers(Path(made[-1]), Path(made[-1]).parent)[1:] if made else ():
        print(line)
    return 0


def _made(job: packed.PackedJob, folder: str) -> Path:
    from experiments.sweeps.packed.unpacking import unpack

    try:
        return unpack(job, Path(folder).parent.absolute())
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{one_line(folder)}: can't be unpacked: {one_line(reason)}") from None


def _meant(word: str, asked: argparse.Namespace) -> list[str]:
    """The folders of a job, or of a sweep's chosen ones. Raises UserError."""
    place = resolve(word, many=True)
    if packed.of_folder(place) is not None:
        return [str(place)]
    if not packed.packs(place):
        job = (place / "config.json").exists()
        raise UserError(f"{one_line(word)}: {'has its folder' if job else 'no sweep whose jobs have no folders'}")
    if asked.where is None and asked.top is None:
        raise UserError(f"{one_line(word)}: a sweep; name jobs, as {one_line(word)}/0, or add --top N or --where SQL")
    from experiments.comparison import large
    from experiments.comparison.runs_table import collect

    choice = chosen(asked)
    return choice.of(collect([place], partial(large.jobs, choice)).table)["folder"].to_list()
