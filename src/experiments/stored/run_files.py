"""The only door to what a run's folder holds: regular files of known names, of bounded size, in the folder itself.

A folder may come from anybody. Nothing that it names is imported or run, no link in it is followed, and no
pickle is read.
"""

import math
from pathlib import Path
from typing import Any

import orjson

from experiments.tracking import packed
from experiments.tracking.files import read_bytes

LIMITS = {
    "config.json": 2**20,
    "result.json": 64 * 2**20,
    "metrics.jsonl": 256 * 2**20,
    "model.safetensors": 2**31,
}
"""The files that are read, with the most bytes each may have."""
DEEPEST = 32
"""Lists and mappings inside each other in a config, which is walked through."""


def read(folder: str | Path, name: str, last: int | None = None) -> bytes:
    """The bytes of one of a run's files, or only its `last` ones.

    Of a job without a folder they come from its sweep's packs. Raises OSError as it comes, ValueError (one line) for
    what is a link, no regular file, or too large.
    """
    try:
        return read_bytes(f"{folder}/{name}", LIMITS[name], last)
    except FileNotFoundError:
        if (job := packed.of_folder(folder)) is None:
            raise
        content = job.file(name)
        return content if last is None else content[-last:]


def read_json(folder: str | Path, name: str) -> dict[str, Any]:
    """The object in one of a run's JSON files. Raises OSError, or ValueError in one line."""
    try:
        content = orjson.loads(read(folder, name))
    except orjson.JSONDecodeError as error:
        raise ValueError(f"{name} is not whole or not JSON: {error}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{name} holds no object")
    if name == "config.json" and _deeper(content, DEEPEST):
        raise ValueError(f"{name} has lists and mappings more than {DEEPEST} deep, which no run's config has")
    return content


def _deeper(content: Any, depth: int) -> bool:
    """Whether lists and mappings are nested more than `depth` deep."""
    level = [content]
    while level and depth:
        inner = [v.values() if isinstance(v, dict) else v for v in level]
        level = [v for values in inner for v in values if isinstance(v, dict | list)]
        depth -= 1
    return bool(level)


def finite(value: Any) -> float | None:
    """`value` as a float, None for what is no finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
