"""The config of a run's folder, which may be a stranger's: plain JSON, bounded, checked against the schema.

Only config.json is read. Nothing in it is resolved, imported or built here; what it may name is decided by
`targets.py`, by the environment and never by the folder.
"""

from pathlib import Path
from typing import Any

from experiments.config.schema import Config
from experiments.config.validation import config_hash, validate
from experiments.errors import UserError, one_line
from experiments.tracking.files import read_json

LARGEST = 2**20
"""Bytes of a config."""
DEEPEST = 32
"""Lists and mappings inside each other."""


def stored_config(folder: Path) -> Config:
    """The typed config of a run. Raises UserError for a folder without one, or with one that no run wrote."""
    path = folder / "config.json"
    if not folder.is_dir():
        raise UserError(f"{one_line(folder)}: there is no such folder")
    try:
        content = read_json(path, LARGEST)
    except FileNotFoundError:
        raise UserError(f"{one_line(folder)}: no run's folder, since it has no config.json") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{one_line(path)}: can't be read: {one_line(error)}") from None
    if not isinstance(content, dict) or _deeper(content, DEEPEST):
        raise UserError(f"{one_line(path)}: is no run's config")
    digest = content.pop("config_hash", None)
    try:
        config = validate(content)
    except UserError as error:
        raise UserError(f"{one_line(path)}: {error}") from None
    if config_hash(content) != digest:
        raise UserError(f"{one_line(path)}: was changed after the run began (its config_hash differs)")
    return config


def _deeper(content: Any, depth: int) -> bool:
    """Whether lists and mappings are nested more than `depth` deep."""
    level = [content]
    for _ in range(depth):
        inner = [list(v.values()) if isinstance(v, dict) else v for v in level if isinstance(v, dict | list)]
        level = [v for values in inner for v in values]
    return any(isinstance(v, dict | list) for v in level)
