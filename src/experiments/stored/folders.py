"""Where runs and sweeps are: every one below some folders."""

import os
import re
import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from experiments.errors import UserError, one_line
from experiments.tracking import packed
from experiments.tracking.pack_files import PACKS

OUTPUTS = "outputs"
DEEPEST = 8
"""Levels of folders that are searched."""
NOTHING = ": no runs in it"
"""How the note about a folder without runs ends."""
SKIPPED = {".hydra", "figures", "checkpoint", PACKS, ".git", ".venv", "__pycache__"}
REMOVED = ".removed_"
"""How the name of a folder begins that is being removed."""
JOB = re.compile(r"(\d+)(_|$)")
"""The name of a sweep's job; that of a single run begins with a date."""


@dataclass
class Found:
    """`runs`: each run's folder, and the sweep that it is a job of. `sweeps`: every sweep, also one without jobs."""

    runs: dict[str, str | None] = field(default_factory=dict)
    sweeps: dict[str, None] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def newest(self) -> list[str]:
        """The single runs and the sweeps, the one that was last begun first."""
        began = {sweep: written(sweep, "sweep.yaml") for sweep in self.sweeps}
        for run, sweep in self.runs.items():
            began[sweep or run] = max(began.get(sweep or run, 0.0), written(run, "config.json"))
        return sorted(began, key=lambda folder: -began[folder])


def find(
    roots: Iterable[str | Path], notes: list[str], packed_jobs: Callable[[str], list[str]] = packed.folders
) -> list[str]:
    """The run folders below `roots` (or `roots` themselves), in the order of their names, each once.

    A run is a folder with a config.json, or a job in a sweep's packs, whose folder it would be. What could be
    mistaken for one, or could not be read, is said in `notes`. `packed_jobs` gives those of a sweep's packs.

    Raises UserError for a root that is not there.
    """
    found: dict[str, str] = {}
    for root in roots:
        if packed.of_folder(root) is not None:
            found[os.path.abspath(root)] = os.fspath(root)
            continue
        require_folder(root)
        here = os.fspath(root)
        below = everything(here)
        sweeps = () if here in below.runs else below.sweeps  # that of a single job has others
        runs = [*below.runs, *(folder for sweep in sweeps for folder in packed_jobs(sweep))]
        notes += below.notes or ([] if runs else [f"{one_line(root)}{NOTHING}"])
        real = os.path.realpath(here)
        for folder in runs:  # links inside are not followed, so that the root's real path is enough
            found.setdefault(os.path.normpath(f"{real}/{folder[len(here) :]}"), folder)
    return list(found.values())


def require_folder(root: str | Path) -> None:
    """Raise UserError for what is no folder."""
    if not os.path.isdir(root):
        what = "is a file; name the folder it lies in" if os.path.exists(root) else "there is no such folder"
        raise UserError(f"{one_line(root)}: {what}")


def everything(root: str) -> Found:
    """What is below a folder that is there, or the run that it is itself."""
    found = Found()
    _descend(root, DEEPEST, None, found)
    return found


def _descend(folder: str, levels: int, sweep: str | None, found: Found) -> None:
    try:
        with os.scandir(folder) as entries:
            inside, names = [], set()
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    inside.append(entry.name)
                else:
                    names.add(entry.name)
    except OSError as error:
        found.notes.append(f"{one_line(folder)}: can't be read ({error.strerror or error}); left out")
        return
    if "config.json" in names:
        parent, name = os.path.split(folder)
        found.runs[folder] = sweep = sweep or (parent if JOB.match(name) else None)
        if sweep is not None:
            found.sweeps[sweep] = None
        return
    if "sweep.yaml" in names:
        found.sweeps[folder], sweep = None, folder
    if "result.json" in names:
        found.notes.append(f"{one_line(folder)}: has no config.json; left out")
    elif any(name.startswith("events.out.tfevents.") for name in names):
        found.notes.append(f"{one_line(folder)}: an event file of something else; left out")
    if levels:
        for name in sorted(inside, key=_by_number):
            if name not in SKIPPED and not name.startswith(REMOVED) and (name != "study" or "sweep.yaml" not in names):
                _descend(os.path.join(folder, name), levels - 1, sweep, found)


def _by_number(name: str) -> tuple[int, str]:
    """A sweep's jobs in the order of their numbers; other names in their own."""
    number, _, _ = name.partition("_")
    return (int(number), "") if number.isdecimal() and len(number) < 10 else (-1, name)


def written(folder: str, name: str) -> float:
    """When a file that is written first, and once, was written; 0 where there is none."""
    try:
        return os.stat(os.path.join(folder, name), follow_symlinks=False).st_mtime
    except OSError:
        return 0.0


def pointers(folder: Path, above: Path) -> list[str]:
    """The last lines of a run's and a sweep's summary: the folder, and the command that shows what `above` means."""
    return [f"folder: {folder}", f"look:   experiments board {shlex.quote(str(above))}"]
