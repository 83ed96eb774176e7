"""The messages of a run or a sweep as a file in its folder: run.log, sweep.log."""

import logging
from pathlib import Path

log = logging.getLogger("experiments")


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
