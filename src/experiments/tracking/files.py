"""Files that are there whole or not at all, and files of strangers read with care."""

import contextlib
import hashlib
import os
import re
import secrets
import stat
from pathlib import Path
from typing import Any

import orjson

from experiments.errors import UserError, one_line

LEFTOVER = re.compile(r"\..+\.[0-9a-f]{8}\.tmp")


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
        if durable:
            _sync_folder(path.parent)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def write_asked(flag: str, path: str | Path, content: bytes) -> None:
    """Write the file that a flag of a command asks for, whole or not at all. Raises UserError."""
    try:
        write_atomically(Path(path), content)
    except OSError as error:
        raise UserError(f"{flag} {one_line(path)}: can't be written ({error.strerror})") from None


def _sync_folder(folder: Path) -> None:
    """Make a rename last; file systems that can't (some network ones) are left to themselves."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def digest(path: Path) -> str:
    """16 hexadecimal digits of a file's content. OSError as it comes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def remove_leftovers(folder: Path) -> None:
    """Remove temporary files of `write_atomically` whose process was killed. Only for the folder's holder."""
    for path in folder.iterdir():
        if LEFTOVER.fullmatch(path.name):
            path.unlink(missing_ok=True)


def require_own_files(folder: Path) -> None:
    """Raise UserError unless a folder holds only regular files and folders: a link could lead a write elsewhere."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if not (entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False)):
                kind = "a link" if entry.is_symlink() else "no regular file"
                raise UserError(f"{one_line(entry.path)}: is {kind}; a run's folder holds only files of its own")


def json_bytes(content: Any) -> bytes:
    """JSON with NaN and infinities as null, indented, ending in a line break."""
    return orjson.dumps(content, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_INDENT_2)


FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def read_bytes(path: str | Path, limit: int, last: int | None = None) -> bytes:
    """A regular file of at most `limit` bytes, or only its `last` ones; no link is followed.

    Raises OSError, or ValueError in one line.
    """
    name = os.path.basename(path)
    try:
        descriptor = os.open(path, FLAGS)
    except OSError:
        if os.path.islink(path):
            raise ValueError(f"{name} is a link, which is not followed") from None
        raise
    try:  # a FIFO would block and a device never end: look at what was opened before reading it
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            raise ValueError(f"{name} is no regular file")
        if about.st_size > limit:
            raise ValueError(f"{name} is larger than {limit / 2**20:.3g} MB")
        if last is not None and about.st_size > last:
            os.lseek(descriptor, -last, os.SEEK_END)
        parts, room = [], limit
        while room and (part := os.read(descriptor, min(room, about.st_size + 1))):
            parts.append(part)
            room -= len(part)
        return b"".join(parts)
    finally:
        os.close(descriptor)


def read_json(path: Path, limit: int = 64 * 2**20) -> Any:
    """The content of a JSON file of at most `limit` bytes. Raises OSError, or ValueError in one line."""
    content = read_bytes(path, limit)
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"{path.name} is not JSON: {error}") from None
