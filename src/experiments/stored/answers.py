"""What Python asks of a run, of one just trained and of one loaded alike: its model elsewhere, a card, figures."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.errors import UserError
from experiments.stored import stored_run
from experiments.stored.stored_run import Run
from experiments.tracking.result import Result

if TYPE_CHECKING:
    import polars
    from torch import nn

    from experiments.data.dataset import Dataset
    from experiments.stored.exports.estimators import GradientDescentClassifier, GradientDescentRegressor
    from experiments.stored.exports.html import Figures


class Answers:
    """Reads the run's folder, which `_run` is."""

    @property
    def _run(self) -> Run:
        raise NotImplementedError  # each kind of run has its own

    @property
    def _rows(self) -> "Dataset | None":
        """The training rows, where they are in memory."""
        return None

    def standard_errors(self) -> "polars.DataFrame":
        """Standard errors of a linear model's weights with 95 % intervals, a row a weight; see `weight_errors`.

        They are those of the optimum of least squares, whatever gradient descent came to.
        """
        from experiments.stored.exports.weight_errors import weight_errors

        return weight_errors(self._run, self._rows)

    def to_torch(self) -> "nn.Module":
        """The model as a torch module in the table's units that needs nothing of ours, see `torch_module.to_torch`."""
        from experiments.stored.exports.torch_module import to_torch

        return to_torch(self._run.model)

    def to_sklearn(self) -> "GradientDescentRegressor | GradientDescentClassifier":
        """The model as a fitted estimator of scikit-learn's kind, whose `fit` trains again as the run did."""
        from experiments.stored.exports.estimators import to_sklearn

        return to_sklearn(self._run.model, self._run.config)

    def to_onnx(self, path: str | Path) -> None:
        """Write the model as an ONNX file in the table's units, see `onnx_file.write_onnx`."""
        from experiments.stored.exports.onnx_file import write_onnx

        write_onnx(self._run.model, path)

    def plot(self) -> "Figures":
        """The run's figures as matplotlib's, by their tags, drawn anew; see `plots.pictures`. A notebook shows them."""
        from experiments.stored.exports.html import Figures
        from experiments.stored.exports.plots import plots

        return Figures(plots(self._run))

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from experiments.stored.exports.html import framed, of_run, text

        try:
            return of_run(self._run, self._rows)
        except (UserError, ValueError, OSError):  # a folder that is gone or damaged: what is known without it
            return framed(f"<code>{text(repr(self))}</code>")

    def card(self) -> str:
        """A model card in Markdown: what it predicts, from which table, how well, and where it ends."""
        from experiments.stored.exports.card import card

        return card(self._run)


@dataclass(frozen=True, repr=False)
class LoadedRun(Answers, Run):
    """A stored run, see `Run`, with what Python asks of it."""

    @property
    def _run(self) -> Run:
        return self


@dataclass(frozen=True, repr=False)
class RunResult(Answers, Result):
    """The result of a run, see `Result`, with what Python asks of it."""

    @property
    def _run(self) -> Run:
        if self.folder is None:
            raise UserError("this result names no folder of a run")
        return stored_run.read(self.folder)

    @property
    def _rows(self) -> "Dataset | None":
        whole = self.table is not None and len(self.table.x) == self.rows["train"]  # of a stream it is a sample
        return self.table if whole else None
