"""What a single run shows on the terminal: progress while it works, a summary at the end. Quiet when piped."""

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

from experiments.cli.summary import summary
from experiments.config.schema import Config
from experiments.errors import harmless
from experiments.sweeps import in_notebook
from experiments.tracking.run_log import Warnings

if TYPE_CHECKING:
    from rich.progress import Progress

    from experiments.learning.evaluation import Evaluation

    # both import torch, which a refused request should not wait for
    from experiments.tracking.result import Result

SECONDS_BETWEEN_UPDATES = 0.05


class InNotebook:
    """The progress of a run in a notebook, nothing elsewhere. A context manager."""

    def __init__(self) -> None:
        self._line: in_notebook.Line | None = None

    def begin(self, config: Config) -> None:
        """A run starts."""
        if in_notebook.front_end():
            self._line = in_notebook.Line("epochs", config.training.epochs)

    def watch(self, evaluation: "Evaluation | None") -> None:
        """An epoch has ended."""
        if self._line is not None:
            if evaluation is None:
                self._line.shown(self._line.done + 1)
            else:
                self._line.shown(evaluation.epoch, f"loss {evaluation.train_loss:.6g}")

    def __enter__(self) -> "InNotebook":
        return self

    def __exit__(self, *_: object) -> None:
        if self._line is not None:
            self._line.end()


class Display:
    """A progress bar on a terminal, nothing in a pipe; then the summary on either. A context manager."""

    def __init__(self) -> None:
        self.fail_on_divergence = False
        self._config: Config | None = None
        self._bar: Progress | None = None
        self._epochs, self._updated = 0, 0.0

    def begin(self, config: Config) -> None:
        """A run starts."""
        self._config, self.fail_on_divergence = config, config.training.fail_on_divergence
        if sys.stdout.isatty():
            self._bar = bar()
            self._bar.start()
            self._task = self._bar.add_task("", total=config.training.epochs, loss="")

    def watch(self, evaluation: "Evaluation | None") -> None:
        """An epoch has ended."""
        self._epochs = self._epochs + 1 if evaluation is None else evaluation.epoch  # a resumed run does not begin at 1
        if self._bar is None or time.monotonic() - self._updated < SECONDS_BETWEEN_UPDATES:
            return
        self._updated = time.monotonic()
        self._bar.update(self._task, completed=self._epochs)
        if evaluation is not None:
            self._bar.update(self._task, loss=f"loss {evaluation.train_loss:.6g}")

    def __enter__(self) -> "Display":
        self._warnings = Warnings()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        self._warnings.close()
        if kind is None or kind is KeyboardInterrupt:  # an error is one line by itself; who gave up waiting may see why
            self._warnings.show()

    def summary(self, result: "Result") -> None:
        """Print the summary of the run that began."""
        assert self._config is not None
        print("\n".join(map(harmless, summary(self._config, result))))


def bar() -> "Progress":
    """The progress bar of a run; rich is imported only where somebody sees it."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("training"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[loss]}"),
        TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(), transient=True,
    )  # fmt: skip
