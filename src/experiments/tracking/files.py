"""Files that are there whole or not at all."""

import os
import secrets
from pathlib import Path
from typing import Any

import orjson


def write_atomically(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Replace `path` by `content`: temporary file, fsync (if durable), rename. OSError leaves the old file."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def json_bytes(content: Any, *, indent: bool = True) -> bytes:
    """JSON with NaN and infinities as null, ending in a line break."""
    options = orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY
    return orjson.dumps(content, option=options | orjson.OPT_INDENT_2 if indent else options)


def read_json(path: Path, limit: int = 64 * 2**20) -> Any:
    """The content of a JSON file of at most `limit` bytes. Raises OSError, or ValueError in one line."""
    with path.open("rb") as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise ValueError(f"{path.name} is larger than {limit // 2**20} MB")
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"{path.name} is not JSON: {error}") from None
