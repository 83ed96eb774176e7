"""Where runs are: every run below some folders, and the one run that a word on the command line means."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from experiments.errors import UserError, nearest, one_line

OUTPUTS = "outputs"
DEEPEST = 8
"""Levels of folders that are searched."""
NOTHING = ": no runs in it"
"""How the note about a folder without runs ends."""
SKIPPED = {".hydra", "figures", "checkpoint", ".git", ".venv", "__pycache__"}


def find(roots: Iterable[str | Path], notes: list[str]) -> list[str]:
    """The run folders below `roots` (or `roots` themselves), in the order of their names, each once.

    A run is a folder with a config.json. What could be mistaken for one, or could not be read, is said in `notes`.
    Raises UserError for a root that is not there.
    """
    found: dict[str, str] = {}
    for root in roots:
        if not os.path.isdir(root):
            what = "is a file; name the folder it lies in" if os.path.exists(root) else "there is no such folder"
            raise UserError(f"{one_line(root)}: {what}")
        below: dict[str, None] = {}
        said = len(notes)
        _descend(os.fspath(root), DEEPEST, below, notes)
        if not below and len(notes) == said:
            notes.append(f"{one_line(root)}{NOTHING}")
        here = os.fspath(root)
        real = os.path.realpath(here)
        for folder in below:  # links inside are not followed, so that the root's real path is enough
            found.setdefault(os.path.normpath(f"{real}/{folder[len(here) :]}"), folder)
    return list(found.values())


def _descend(folder: str, levels: int, found: dict[str, None], notes: list[str]) -> None:
    try:
        with os.scandir(folder) as entries:
            inside, names = [], set()
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    inside.append(entry.name)
                else:
                    names.add(entry.name)
    except OSError as error:
        notes.append(f"{one_line(folder)}: can't be read ({error.strerror or error}); left out")
        return
    if "config.json" in names:
        found[folder] = None
        return
    if "result.json" in names:
        notes.append(f"{one_line(folder)}: has no config.json; left out")
    elif any(name.startswith("events.out.tfevents.") for name in names):
        notes.append(f"{one_line(folder)}: an event file of something else; left out")
    if levels:
        for name in sorted(inside, key=_by_number):
            if name not in SKIPPED:
                _descend(os.path.join(folder, name), levels - 1, found, notes)


def _by_number(name: str) -> tuple[int, str]:
    """A sweep's jobs in the order of their numbers; other names in their own."""
    number, _, _ = name.partition("_")
    return (int(number), "") if number.isdecimal() and len(number) < 10 else (-1, name)


def resolve(word: str, outputs: str | Path = OUTPUTS) -> Path:
    """The folder of one run: a path, `last`, or a unique prefix of a run's name below outputs/.

    A job of a sweep is `<sweep>/<job>`, or by its own name where only one is called so. Raises UserError.
    """
    if os.path.isdir(word) and os.path.lexists(os.path.join(word, "config.json")):
        return Path(word)
    is_path = os.path.isdir(word)
    runs = find([outputs], []) if os.path.isdir(outputs) else []
    if not runs:
        raise UserError(f"{one_line(word)}: no run's folder, and there are no runs below {outputs}/")
    if word == "last":
        return Path(max(runs, key=_began))
    if not word:
        raise UserError("RUN is empty; give a run's folder, a prefix of its name, or last")
    names = [(f"{os.path.basename(os.path.dirname(r))}/{os.path.basename(r)}", r) for r in runs]
    exact = [r for name, r in names if word in (name, name.rpartition("/")[2])]
    matching = exact or [r for name, r in names if name.startswith(word) or name.rpartition("/")[2].startswith(word)]
    if len(matching) == 1:
        return Path(matching[0])
    if matching:
        raise UserError(f"{one_line(word)}: {len(matching)} runs are called so: {listed(matching)}; give more of one")
    if is_path:
        raise UserError(f"{one_line(word)}: has no config.json, so it is no run's folder")
    last = [os.path.basename(r) for r in runs]
    hint = nearest(word, last) or f"; the last one is {os.path.basename(max(runs, key=_began))}"
    raise UserError(f"{one_line(word)}: no run below {outputs}/ is called so{one_line(hint)}")


def listed(folders: Sequence[str], most: int = 5) -> str:
    """The names of some folders, in one line."""
    words = [one_line(f) for f in folders[:most]]
    return ", ".join(words) + (f" and {len(folders) - most} more" if len(folders) > most else "")


def _began(run: str) -> float:
    """When a run began: config.json is written first, and once."""
    try:
        return os.stat(os.path.join(run, "config.json"), follow_symlinks=False).st_mtime
    except OSError:
        return 0.0
