"""What TAB offers: commands, stored runs and sweeps, files after a command's flag, and Hydra's groups and keys.

The scripts that `experiments --shell-completion install=bash` (or fish) prints are Hydra's own, and zsh takes the one
for bash. They call `experiments -sc query=bash` with the line typed so far in COMP_LINE.
"""

import contextlib
import glob
import io
import os
from pathlib import Path

from hydra.plugins.completion_plugin import DefaultCompletionPlugin

from experiments.cli import COMMANDS
from experiments.config import command_line
from experiments.config.composition import hydra_for
from experiments.stored.folders import OUTPUTS


def answer(shell: str) -> str:
    """The words that may go on the line in COMP_LINE, as this shell takes them: nothing where something is wrong.

    A word on standard error would land in the middle of what is being typed.
    """
    found: list[str] = []
    with contextlib.suppress(Exception, SystemExit), contextlib.redirect_stderr(io.StringIO()):
        found = candidates(os.environ.get("COMP_LINE", ""))
    return ("\n" if shell == "fish" else " ").join(found)


def candidates(line: str) -> list[str]:
    """The words that the last one of `line` may become; all that may follow where it ends in a blank."""
    words = line.split()[1:]
    typed = words.pop() if words and not line[-1].isspace() else ""
    command = words[0] if words and words[0] in COMMANDS else ""
    before = {"": 0, "diagnose": 1, "rerun": 2}.get(command, len(words) + 1)  # words that are no overrides
    if len(words) < before:
        return _files(typed) if words[-1].startswith("--") else _stored(typed)
    commands = [] if words else [name for name in COMMANDS if name.startswith(typed)]
    return commands + _overrides(words[before:], typed)


def _stored(typed: str) -> list[str]:
    """Runs and sweeps below outputs/ by name, a sweep's jobs as SWEEP/NUMBER_..., and what any other path leads to."""
    sweep, inside, _ = typed.rpartition("/")
    jobs = Path(OUTPUTS, "sweeps", sweep)
    if typed.startswith(".") or (inside and not jobs.is_dir()):
        return _files(typed)
    if inside:
        names = [f"{sweep}/{job.name}" for job in jobs.iterdir() if job.is_dir()]
    else:
        names = ["best", "last", *(folder.name for folder in Path(OUTPUTS).glob("*/*") if folder.is_dir())]
    return sorted(name for name in names if name.startswith(typed))


def _files(typed: str) -> list[str]:
    return sorted(path + "/" * os.path.isdir(path) for path in glob.glob(glob.escape(typed) + "*"))


def _overrides(words: list[str], typed: str) -> list[str]:
    """What Hydra offers after these words; with --config-dir among them also the groups there."""
    given = words.index("--config-dir") if "--config-dir" in words else len(words)
    asked = command_line.read(words[given : given + 2])
    with hydra_for(asked) as hydra:
        line = " ".join([*words[:given], *words[given + 2 :], *asked.overrides, typed])
        return DefaultCompletionPlugin(hydra.config_loader)._query(config_name="config", line=line)
