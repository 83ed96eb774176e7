"""The only door to what a run's folder holds: regular files of known names, of bounded size, in the folder itself.

A folder may come from anybody. Nothing that it names is imported or run, no link in it is followed, and no
pickle is read.
"""

import os
import stat
from pathlib import Path
from typing import Any

import orjson

LIMITS = {
    "config.json": 2**20,
    "result.json": 64 * 2**20,
    "encoding.json": 64 * 2**20,
    "metrics.jsonl": 256 * 2**20,
    "model.safetensors": 2**31,
}
"""The files that are read, with the most bytes each may have."""
FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def read(folder: str | Path, name: str, last: int | None = None) -> bytes:
    """The bytes of one of a run's files, or only its `last` ones.

    Raises OSError as it comes, ValueError (one line) for what is a link, no regular file, or too large.
    """
    limit = LIMITS[name]
    path = f"{folder}/{name}"
    try:
        handle = os.open(path, FLAGS)
    except OSError:
        if os.path.islink(path):
            raise ValueError(f"{name} is a link, which is not followed") from None
        raise
    try:
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode):
            raise ValueError(f"{name} is no regular file")
        if about.st_size > limit:
            raise ValueError(f"{name} is larger than {limit // 2**20} MB")
        if last is not None and about.st_size > last:
            os.lseek(handle, -last, os.SEEK_END)
        parts = []
        while part := os.read(handle, about.st_size + 1):
            parts.append(part)
        return b"".join(parts)
    finally:
        os.close(handle)


def read_json(folder: str | Path, name: str) -> dict[str, Any]:
    """The object in one of a run's JSON files. Raises OSError, or ValueError in one line."""
    try:
        content = orjson.loads(read(folder, name))
    except orjson.JSONDecodeError as error:
        raise ValueError(f"{name} is not whole or not JSON: {error}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{name} holds no object")
    return content
