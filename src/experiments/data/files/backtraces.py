"""Standard error kept clean: over some damaged files polars' threads print backtraces before polars raises.

The threads are polars' own, so the whole process's descriptor 2 is led into a file while one is read. What was written
there is passed on afterwards, whoever wrote it, but for a panic that ended as an exception: of that our line tells.
"""

import atexit
import contextlib
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO

PANIC = b"\nthread '"
"""How a report of a panic begins: with an empty line."""


@dataclass
class _Detour:
    """Where standard error goes, and how many threads have it go there."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    inside: int = 0
    failed: bool = False
    kept: int = -1
    meanwhile: IO[bytes] | None = None

    def begin(self) -> None:
        with self.lock:
            if not self.inside:
                self._begin()
            self.inside += 1

    def end(self, failed: bool) -> None:
        with self.lock:
            self.failed |= failed
            if self.inside == 1:
                self._end()
            self.inside = max(0, self.inside - 1)

    def at_exit(self) -> None:
        """A thread may still be reading when the process has said its last words and leaves."""
        with self.lock:
            if self.inside:
                self._end()
            self.inside = 0

    def _begin(self) -> None:
        """Where there is no standard error, or no file can be made, all stays as it is.

        In a process that was started with descriptor 2 closed, it is some file opened since: polars' own, say, which
        waits for ever when it is taken away.
        """
        self.failed = False
        if sys.__stderr__ is None:
            return
        with contextlib.suppress(OSError):
            kept = os.dup(2)
            try:
                self.meanwhile = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `_end`
            except OSError:
                os.close(kept)
                raise
            self.kept = kept
            os.dup2(self.meanwhile.fileno(), 2)

    def _end(self) -> None:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is None:
            return
        os.dup2(self.kept, 2)
        os.close(self.kept)
        meanwhile.seek(0)
        written = meanwhile.read()
        meanwhile.close()
        if self.failed:
            written = written.partition(PANIC)[0]
        with contextlib.suppress(OSError):  # whoever read it has gone: no fault of the table's
            while written:
                written = written[os.write(2, written) :]


_detour = _Detour()
atexit.register(_detour.at_exit)


@contextlib.contextmanager
def no_backtraces() -> Iterator[None]:
    """Reading with polars: no report of a panic reaches standard error if polars raises. Threads may share it."""
    _detour.begin()
    try:
        yield
    except BaseException:
        _detour.end(failed=True)
        raise
    _detour.end(failed=False)
