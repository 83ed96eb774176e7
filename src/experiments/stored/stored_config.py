"""The config of a stored run, typed: as it began, or with overrides as on the command line.

Nothing in it is resolved, imported or built here; what it may name is decided by the environment and never by the
folder, which may be a stranger's.
"""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.config.schema import GROUPS, Config
from experiments.config.validation import config_hash, validate
from experiments.errors import UserError, one_line
from experiments.stored import run_files
from experiments.stored.stored_run import Run
from experiments.tracking import packed


def stored_config(folder: Path) -> Config:
    """The typed config of a run. Raises UserError for a folder without one, or with one that no run wrote."""
    path = folder / "config.json"
    if not folder.is_dir() and packed.of_folder(folder) is None:
        raise UserError(f"{one_line(folder)}: there is no such folder")
    try:
        content = run_files.read_json(folder, "config.json")
        config = validate(plain(content))
    except FileNotFoundError:
        raise UserError(f"{one_line(folder)}: no run's folder, since it has no config.json") from None
    except UserError as error:
        raise UserError(f"{one_line(path)}: {error}") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{one_line(path)}: can't be read: {one_line(error)}") from None
    if config_hash(plain(content)) != content.get("config_hash"):
        raise UserError(f"{one_line(path)}: was changed after the run began (its config_hash differs)")
    return config


def untouched(run: Run) -> bool:
    """Whether a run's config is the one that it began with and that its result is of, as far as the hashes tell."""
    digest = config_hash(plain(run.config))
    return digest == run.config.get("config_hash") and (run.result or {}).get("config_hash", digest) == digest


def plain(content: Mapping[str, Any]) -> dict[str, Any]:
    """What config.json holds besides its hash."""
    return {k: v for k, v in content.items() if k != "config_hash"}


def changed(stored: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """A copy of `stored` with `overrides`, group choices first. Raises UserError; the keys are not yet validated."""
    found = copy.deepcopy(plain(stored))
    parsed = [_parsed(word) for word in overrides]
    for override in parsed:
        key = override.key_or_group
        if key == "experiment":
            raise UserError(
                "experiment: a preset sets several groups at once; start from it with experiments experiment=..."
            )
        if key in GROUPS:
            found[key] = _chosen(key, str(override.value()))
    for override in parsed:
        if override.key_or_group not in GROUPS:
            _set(found, override.key_or_group, override.value(), override.input_line or "")
    return found


def _parsed(word: str) -> Any:
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    from experiments.config.quoting import quoted

    if "=" not in word:
        raise UserError(f"{one_line(word)}: not an override; write key=value")
    try:
        override = OverridesParser.create().parse_override(quoted(word))
    except HydraException as error:
        raise UserError(f"{one_line(word)}: not an override: {one_line(error)}") from None
    if override.is_sweep_override():
        raise UserError(f"{one_line(word)}: several values; rerun trains one run")
    if override.is_delete():
        raise UserError(f"{one_line(word)}: nothing can be deleted from a stored config; give the key another value")
    return override


def _chosen(group: str, choice: str) -> Any:
    """The group's node as the command line composes it."""
    from experiments.config.composition import compose
    from experiments.config.validation import plain_config

    return plain_config(compose([f"{group}={choice}"]))[group]


def _set(config: dict[str, Any], key: str, value: Any, word: str) -> None:
    from omegaconf import OmegaConf

    node = config
    *sections, name = key.split(".")
    for section in sections:
        node = node.setdefault(section, {})
        if not isinstance(node, dict):
            raise UserError(f"{one_line(word)}: {section} is no section of keys")
    if isinstance(value, str) or not isinstance(value, Mapping | list):
        node[name] = value
    else:
        node[name] = OmegaConf.to_container(OmegaConf.create(value), resolve=True)  # type: ignore[arg-type]  # it takes any Mapping
