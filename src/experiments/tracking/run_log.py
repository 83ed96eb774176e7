"""The messages of a run or a sweep: as run.log or sweep.log in its folder, and the warnings for the terminal."""

import logging
import sys
from pathlib import Path

from experiments.errors import one_line

log = logging.getLogger("experiments")
MOST_SHOWN = 10


class RunLog(logging.FileHandler):
    """What is logged from its making until `close`, added to a file.

    A line that can't be written is lost without a word: whoever wrote it meets the same disk.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, encoding="utf-8")
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        log.addHandler(self)
        log.setLevel(logging.INFO)

    def handleError(self, record: logging.LogRecord) -> None: ...

    def close(self) -> None:
        log.removeHandler(self)
        super().close()


class Warnings(logging.Handler):
    """Keeps the warnings that are logged from its making until `close`, each text once."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: dict[str, None] = {}
        log.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno == logging.WARNING:  # errors are told where they end a command
            self.lines[one_line(record.getMessage())] = None

    def show(self) -> None:
        """Print them on standard error, the first MOST_SHOWN."""
        for line in list(self.lines)[:MOST_SHOWN]:
            print(f"warning: {line}", file=sys.stderr)
        if (more := len(self.lines) - MOST_SHOWN) > 0:
            print(f"warning: and {more} more, in the log of its folder", file=sys.stderr)

    def close(self) -> None:
        log.removeHandler(self)
        super().close()
