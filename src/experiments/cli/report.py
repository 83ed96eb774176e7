"""What a single run shows on the terminal: progress while it works, a summary at the end. Quiet when piped."""

import logging
import math
import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

from experiments.config.schema import Config
from experiments.errors import harmless, one_line
from experiments.stored.folders import pointers

if TYPE_CHECKING:
    from rich.progress import Progress

    from experiments.learning.evaluation import Evaluation

    # both import torch, which a refused request should not wait for
    from experiments.tracking.result import Result

SECONDS_BETWEEN_UPDATES = 0.05


class Warnings(logging.Handler):
    """Keeps the warnings of a run until it has ended."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno == logging.WARNING:  # errors are the entry's to print
            self.lines.append(one_line(record.getMessage()))


class Display:
    """A progress bar on a terminal, nothing in a pipe; then the summary on either. A context manager."""

    def __init__(self) -> None:
        self.fail_on_divergence = False
        self._bar: Progress | None = None
        self._epochs, self._updated = 0, 0.0
        self._warnings = Warnings()

    def begin(self, config: Config) -> None:
        """A run starts."""
        self.fail_on_divergence = config.training.fail_on_divergence
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
        logging.getLogger("experiments").addHandler(self._warnings)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        logging.getLogger("experiments").removeHandler(self._warnings)
        for line in self._warnings.lines if kind is None else ():  # an error is one line by itself
            print(f"warning: {line}", file=sys.stderr)

    def summary(self, result: "Result") -> None:
        """Losses, distance from the exact optimum and why, equations, an example, and where to look next."""
        print("\n".join(map(harmless, summary(result))))


def bar() -> "Progress":
    """The progress bar of a run; rich is imported only where somebody sees it."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("training"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[loss]}"),
        TimeRemainingColumn(), transient=True,
    )  # fmt: skip


def summary(result: "Result") -> list[str]:
    """The lines of a run's summary."""
    metrics, lines = result.metrics, []
    word = result.status.replace("_", " ")
    lines.append(f"{word} after {result.epochs} epochs, {result.steps} steps, lr {_number(result.lr)}")
    lines.append(f"loss over all {result.rows['train']} rows: {_number(metrics['train_loss'])}")
    if metrics["validation_loss"] is not None:
        lines.append(f"loss over {result.rows['validation']} held-out rows: {_number(metrics['validation_loss'])}")
    if metrics["optimum_loss"] is not None:
        times = ""
        if metrics["gap_relative"] is not None:
            times = f" ({metrics['gap_relative'] + 1:.6g} times the smallest possible)"
        lines.append(
            f"smallest possible loss: {_number(metrics['optimum_loss'])}; gap {_number(metrics['gap'])}{times}"
        )
    if result.message is not None:
        lines.append(result.message)
    lines += why(result)
    if result.status != "diverged":
        lines += equations(result) + example(result)
    if result.folder is not None:
        lines += pointers(result.folder, result.folder.parent)
    return lines


def equations(result: "Result") -> list[str]:
    """`yield_apples = 0.3 * temp + ...`, one line a target; none for wide tables."""
    if result.parameters is None or len(result.features) > 12 or len(result.targets) > 12:
        return []
    lines = []
    names = result.targets if result.table is None else result.table.quantities
    for target, row, bias in zip(names, result.parameters["weight"], result.parameters["bias"], strict=True):
        terms = [f"{w:.4f} * {name}" for w, name in zip(row, result.features, strict=True)] + [f"{bias:.4f}"]
        lines.append(f"{target} = " + " + ".join(terms).replace("+ -", "- "))
    return lines


def why(result: "Result") -> list[str]:
    """Why the run stands where it stands: the condition number against the steps taken."""
    conditioning, gap = result.conditioning, result.metrics["gap_relative"]
    if conditioning is None or conditioning["max_stable_lr"] is None:
        return []
    number, stable = conditioning["condition_number"], conditioning["max_stable_lr"]
    if number is None:
        return ["why: the best weights are not unique; descent keeps what its start has along the free directions"]
    lines = [f"why: the loss is {number:.3g} times as steep along one direction as along another (condition number)"]
    if result.status == "diverged":
        lines.append(f"     full-batch gradient descent is stable below lr {stable:.4g}")
    elif gap is not None and gap > 0.1:
        lines.append(
            f"     at rates that are stable for the steepest (below {stable:.4g}), the flattest hardly moves; "
            "see `experiments diagnose`, or try experiment=standardized"
        )
    return lines


def example(result: "Result") -> list[str]:
    """The prediction for the data set's example row."""
    table = result.table
    if table is None or table.example is None or result.parameters is None:
        return []
    row = ", ".join(f"{v:g}" for v in table.example)
    parts = [
        f"{name} {value:.4f} {unit}".rstrip()
        for name, value, unit in zip(table.targets, result.predict(table.example), table.target_units, strict=True)
    ]
    return [f"prediction for [{row}]: " + ", ".join(parts)]


def _number(value: float | None) -> str:
    return "not finite" if value is None or not math.isfinite(value) else f"{value:.6g}"
