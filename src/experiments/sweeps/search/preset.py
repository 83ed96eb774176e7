"""The winner of a search as a preset: a file for conf/experiment/."""

import re
from pathlib import Path
from typing import Any

import yaml

from experiments.config.paths import config_folder
from experiments.config.schema import GROUPS
from experiments.config.validation import choice_of
from experiments.errors import UserError
from experiments.stored.lookup import load_run
from experiments.sweeps.compose.overrides import FOLD
from experiments.sweeps.results import stored_sweep
from experiments.tracking import packed
from experiments.tracking.files import read_json, write_atomically


def place(name: str) -> Path:
    """Where a preset is written. Raises UserError for a name that is none or is taken."""
    path = Path("conf") / "experiment" / f"{name}.yaml"
    if not re.fullmatch(r"[A-Za-z_][\w-]*", name):
        raise UserError(f"--save-preset {name}: must be a word, as in experiment={re.sub(r'[^A-Za-z]+', '_', name)}")
    if path.exists():
        raise UserError(f"--save-preset {name}: {path} is there already; choose another name")
    return path


def save(path: Path, sweep: Path) -> None:
    """Write what the winner of a search has set, from its stored config; not the fold of one of its runs.

    Raises OSError.
    """
    found, swept = read_json(sweep / "search.json"), stored_sweep.read(sweep)["swept"]
    plain = load_run(sweep / found["best"]).config
    keys = [override.partition("=")[0].lstrip("+") for override in _overrides(sweep / found["best"])]
    keys = [key for key in keys if key != FOLD or key not in swept]
    groups = {key: choice_of(key, plain[key]) for key in keys if key in GROUPS}
    content: dict[str, Any] = {"defaults": [{f"override /{group}": choice} for group, choice in groups.items()]}
    for key in keys:
        section, _, name = key.partition(".")
        if name and section not in ("sweep", "search", "hydra", "tracking") and name in plain.get(section, {}):
            content.setdefault(section, {})[name] = plain[section][name]
    text = yaml.safe_dump({name: part for name, part in content.items() if part}, sort_keys=False)
    head = f"# @package _global_\n# Trial {found['trial']} of the search in {sweep}: {found['found']}\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, (head + text).encode())
    own = "" if Path("conf").resolve() == Path(config_folder()).resolve() else "--config-dir conf "
    print(f"preset: {path}, as {own}experiment={path.stem}")


def _overrides(folder: Path) -> list[str]:
    if (job := packed.of_folder(folder)) is not None:
        return job.overrides
    return yaml.safe_load((folder / ".hydra" / "overrides.yaml").read_text())
