"""The messages of a run or a sweep as a file in its folder: run.log, sweep.log."""

import logging


class RunLog(logging.FileHandler):
    """A line that can't be written is lost without a word: whoever wrote it meets the same disk."""

    def handleError(self, record: logging.LogRecord) -> None: ...
