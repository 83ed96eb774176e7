"""One run's TensorBoard event file: scalars, text, images and hparams, all in the run's own folder."""

import itertools
import os
import secrets
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from experiments.tracking import event_records
from experiments.tracking.event_records import FAILURE, SUCCESS

SECONDS_BETWEEN_FLUSHES = 1.0  # what a killed process can lose
_file_number = itertools.count()


class EventFile:
    """The one event file of a run, `events.out.tfevents.<unix time>.<host>.<process>.<n>` in `folder`.

    Records are gathered in memory and reach the file whole, at most once a second and on `flush` and `close`: a killed
    run's file can be read up to its last second. A context manager: an exception inside, Ctrl-C included, marks the
    hparams session as failed. Writing after `close` is an error.
    """

    def __init__(self, folder: Path, hidden: bool = False) -> None:
        """Create the file in `folder`, which must exist; OSError when it cannot be written.

        A hidden one has a name that TensorBoard does not read, until `show`.
        """
        self._opened = time.time()
        name = f"{int(self._opened):010d}.{socket.gethostname()}.{os.getpid()}.{next(_file_number)}"
        self._shown = Path(folder) / f"events.out.tfevents.{name}"
        self.path = Path(folder) / f".events.{secrets.token_hex(4)}.tmp" if hidden else self._shown
        self._file = self.path.open("xb", buffering=0)
        self._pending = bytearray()
        self._session_open = False
        self._pending += event_records.header(self._opened)
        self.flush()

    def show(self) -> None:
        """Give a hidden file its name, after everything written so far has reached the disk."""
        self.flush()
        os.fsync(self._file.fileno())
        self.path.replace(self._shown)
        self.path = self._shown

    def scalars(self, step: int, values: Mapping[str, float], wall_time: float | None = None) -> None:
        """Write one value per tag at `step`, in one record. They are kept as float32; NaN stays NaN."""
        self._write(event_records.scalars(step, time.time() if wall_time is None else wall_time, values))

    def text(self, tag: str, markdown: str, step: int = 0) -> None:
        """Write a text that TensorBoard's Text page renders as markdown."""
        self._write(event_records.text(tag, markdown, step, time.time()))

    def image(self, tag: str, png: bytes, step: int = 0) -> None:
        """Write a PNG picture."""
        self._write(event_records.image(tag, png, step, time.time()))

    def hparams(self, values: Mapping[str, bool | float | str]) -> None:
        """Open the run's session on TensorBoard's HParams page, with these columns.

        A key must have one type in all runs, else TensorBoard makes its column text.
        """
        entries = b"".join(event_records.hparam(name, value, type(value)) for name, value in values.items())
        self._write(event_records.session_start(entries, self._opened))
        self._session_open = True
        self.flush()

    def end(self, *, failed: bool = False) -> None:
        """Close the session that `hparams` opened, with the status that TensorBoard shows for the run."""
        self._write(event_records.session_end(time.time(), FAILURE if failed else SUCCESS))
        self._session_open = False

    def flush(self) -> None:
        """Hand all records to the operating system; they then outlive this process."""
        self._flushed = time.monotonic()
        while self._pending:  # an unbuffered file may take a part only
            del self._pending[: self._file.write(self._pending)]

    def close(self) -> None:
        """Flush and close; closing twice is fine."""
        if self._file.closed:
            return
        try:
            self.flush()
        finally:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None and self._session_open and not self._file.closed:
            self.end(failed=True)
        self.close()

    def _write(self, record: bytes) -> None:
        assert not self._file.closed, f"{self.path} is closed"
        self._pending += record
        if time.monotonic() - self._flushed >= SECONDS_BETWEEN_FLUSHES:
            self.flush()
