"""Standard error kept clean: over some damaged files polars' threads print backtraces before polars raises."""

import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

_lock = threading.Lock()
_inside = 0
_kept = -1
_meanwhile: IO[bytes] | None = None


@contextmanager
def no_backtraces() -> Iterator[None]:
    """Nothing reaches standard error while a file is read; what was written there is thrown away if reading fails.

    If it does not fail, what other threads wrote meanwhile comes afterwards. Threads may be in here together.
    """
    _enter()
    try:
        yield
    except BaseException:
        _leave(failed=True)
        raise
    _leave(failed=False)


def _enter() -> None:
    global _inside, _kept, _meanwhile
    with _lock:
        if not _inside:
            _meanwhile = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the last thread leaves
            _kept = os.dup(2)
            os.dup2(_meanwhile.fileno(), 2)
        _inside += 1


def _leave(failed: bool) -> None:
    global _inside, _meanwhile
    with _lock:
        assert _meanwhile is not None
        _inside -= 1
        if failed:
            os.ftruncate(_meanwhile.fileno(), 0)
            _meanwhile.seek(0)  # the place to write at is one with that of descriptor 2
        if not _inside:
            os.dup2(_kept, 2)
            os.close(_kept)
            _meanwhile.seek(0)
            with open(2, "wb", buffering=0, closefd=False) as error:
                shutil.copyfileobj(_meanwhile, error)
            _meanwhile.close()
            _meanwhile = None
