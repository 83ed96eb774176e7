"""The Parquet copies of CSV files in the user's cache: one for each file, made whole or not at all.

A copy that is in use is locked by its readers; only what nobody reads is removed.
"""

import contextlib
import errno
import hashlib
import os
import re
import secrets
import weakref
from pathlib import Path

import polars as pl
from filelock import FileLock

from experiments.data.files.dialect import csv_options, some_cell
from experiments.data.files.reading import guarded, stamp
from experiments.data.files.unpacking import plain_text
from experiments.data.order import rows_of_a_block
from experiments.errors import Failure

try:
    import fcntl
except ImportError:  # not on Windows: there nothing is removed, since somebody may read it
    fcntl = None

NOT_WRITTEN = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
"""What the operating system refuses in writing."""


def converted(path: Path, reader: object = None) -> Path:
    """The copy of a CSV file as it is now, not removed by other processes as long as `reader` lives.

    Copies of earlier states of the file are removed when a new one is made, and what killed processes left. Raises
    UserError for a bad file, Failure when the copy can't be written, and DataChanged.
    """
    before = stamp(path)
    root = _root(path)
    own = f"{path.stem[:80]}-{_digits(str(path.resolve()), 16)}"
    copy = root / f"{own}-{_digits(repr(before), 12)}.parquet"
    try:
        if _kept(copy, reader):
            return copy
        root.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as alone:  # one process at a time; one that dies leaves
            with contextlib.suppress(OSError):  # file systems without locks: each process makes its own copy
                alone.enter_context(FileLock(root / f".{own}.lock"))
            if not _kept(copy, reader):  # made meanwhile by another process
                _convert(path, before, copy)
                _remove_others(root, own, copy)
                _kept(copy, reader)
    except OSError as error:
        raise _unwritten(path, root, error.strerror or str(error)) from error
    return copy


def _root(path: Path) -> Path:
    """The folder of the copies. Raises Failure where the user has no home, as in some containers."""
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "experiments"
    except RuntimeError:
        raise _unwritten(path, Path("~/.cache/experiments"), "there is no home folder") from None


def _convert(path: Path, before: tuple[int, int], copy: Path) -> None:
    unfinished = copy.with_name(f".{copy.stem}.{secrets.token_hex(4)}.tmp")
    try:
        with guarded(path, before), plain_text(path) as text:
            options = csv_options(text)
            rows = pl.scan_csv(text, **options)
            if (columns := len(options["new_columns"])) > 1:
                rows = rows.filter(some_cell())
            try:
                rows.sink_parquet(unfinished, compression="lz4", row_group_size=rows_of_a_block(65_536, columns))
            except (pl.exceptions.PolarsError, OSError) as error:
                said = re.search(r"\(os error (\d+)\)", str(error))  # as polars passes it on
                number = int(said[1]) if said else getattr(error, "errno", None)
                if number not in NOT_WRITTEN:
                    raise
                raise _unwritten(path, copy.parent, os.strerror(number)) from error
        unfinished.replace(copy)
    finally:
        unfinished.unlink(missing_ok=True)


def _unwritten(path: Path, root: Path, why: str) -> Failure:
    return Failure(
        f"data.path={path}: its copy for reading in blocks can't be written to {root} ({why}); make room there, or set "
        "the environment variable XDG_CACHE_HOME to another folder"
    )


def _kept(copy: Path, reader: object) -> bool:
    """Whether the copy is there; if so, `reader` holds it from now on until it is garbage."""
    try:
        descriptor = os.open(copy, os.O_RDONLY)
    except FileNotFoundError:
        return False
    if fcntl is not None:
        with contextlib.suppress(OSError):  # file systems without locks
            fcntl.flock(descriptor, fcntl.LOCK_SH)
    there = _same(descriptor, copy)
    if there and reader is not None:
        weakref.finalize(reader, os.close, descriptor)
    else:
        os.close(descriptor)
    return there


def _remove_others(root: Path, own: str, copy: Path) -> None:
    """Remove what belongs to earlier states of a file and is not in use; by the process that is alone with it."""
    if fcntl is None:
        return
    earlier = re.compile(re.escape(own) + r"-[0-9a-f]{12}\.(parquet|[0-9a-f]{8}\.tmp)")
    for other in root.iterdir():
        if other == copy or not earlier.fullmatch(other.name.lstrip(".")):
            continue
        with contextlib.suppress(OSError):
            descriptor = os.open(other, os.O_RDONLY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # OSError: somebody reads it
                other.unlink()
            finally:
                os.close(descriptor)


def _same(descriptor: int, path: Path) -> bool:
    """Whether an open file still goes by this name."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _digits(text: str, count: int) -> str:
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:count]
