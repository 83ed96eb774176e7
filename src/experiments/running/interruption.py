"""Ctrl-C, SIGTERM and the time limit, turned into a word that the training loop reads between two steps."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from experiments.learning.training import Progress


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """SIGTERM ends what is inside as Ctrl-C does, by KeyboardInterrupt."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class Interruption:
    """While it is entered, a signal or the end of `max_seconds` sets `progress.stop`; a second Ctrl-C raises.

    Unless it is `patient`: torchrun passes on to its processes what the terminal has sent them already.
    Signals are only taken over in the main thread, the only one that Python delivers them to.
    """

    def __init__(self, progress: "Progress", max_seconds: float | None = None, patient: bool = False) -> None:
        self.progress, self.patient = progress, patient
        self.signal: int | None = None
        longest = threading.TIMEOUT_MAX  # centuries
        self._timer = threading.Timer(min(max_seconds, longest), self._late) if max_seconds is not None else None
        self._before: dict[int, Any] = {}

    def _late(self) -> None:
        if self.progress.stop is None:
            self.progress.stop = "max_seconds"

    def _caught(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None and not self.patient:
            raise KeyboardInterrupt
        self.signal, self.progress.stop = number, "interrupted"

    def __enter__(self) -> "Interruption":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._caught)
        if self._timer is not None:
            self._timer.daemon = True
            self._timer.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *about: object) -> None:
        for number, handler in self._before.items():  # torchrun ends what has an error to tell
            signal.signal(number, signal.SIG_IGN if self.patient and kind is not None else handler)
        if self._timer is not None:
            self._timer.cancel()
