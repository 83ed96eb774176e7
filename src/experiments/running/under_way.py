"""A run under way: trained epoch by epoch, recorded, checkpointed, and brought to its end."""

import hashlib
import logging
import signal
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from experiments.data.workers import joined_workers
from experiments.errors import DataChanged
from experiments.exact.tsqr import blas
from experiments.learning import models
from experiments.learning.evaluation import Evaluation, total_penalty
from experiments.learning.experiment import Experiment, saved_weights
from experiments.learning.training import Progress, fit
from experiments.running import assembly, run_state
from experiments.running.ending import Trained, in_common, result_of
from experiments.running.interruption import Interruption
from experiments.running.measures.metrics import Models, metrics
from experiments.running.measures.reference import reference_solution
from experiments.running.run_state import Session
from experiments.tracking.hparams import hparams
from experiments.tracking.result import Result, write_result
from experiments.tracking.tracker import Tracker

log = logging.getLogger("experiments")
LARGEST_TRACED = 64
"""Models of more numbers than this have no weights/ tags and no path on the loss surface."""


class Run:
    """An experiment and the folder that it is recorded in."""

    def __init__(
        self, experiment: Experiment, tracker: Tracker, about: dict[str, Any], began: float, single: bool
    ) -> None:
        """`about` is the environment; `single` is False in a sweep."""
        config, model = experiment.config, experiment.model
        self.experiment, self.tracker, self.about, self.began = experiment, tracker, about, began
        log.info("training on %s, %s, seed %d", about["device"], config.device.dtype, config.seed)
        if dropped := experiment.data.table.dropped:  # told on the terminal when they were read, before run.log began
            log.info("%d rows dropped for missing cells", dropped)
        self.linear = models.is_linear(model)
        self.reference = reference_solution(
            experiment.data, experiment.reported_loss, bias=assembly.has_bias(config), linear=self.linear
        )
        for remark in self.reference.remarks:
            log.warning("%s", remark)
        experiment.optimum = self.reference.optimum
        small = self.linear and sum(t.numel() for t in models.state(model).values()) <= LARGEST_TRACED
        self.weights_logged = small and (single if config.tracking.weights is None else config.tracking.weights)
        self.drawing = single if config.tracking.figures is None else config.tracking.figures
        self.traced = small and self.drawing
        self.digests = {"config_hash": tracker.config_hash, "data_hash": about["data_hash"]}
        self._begin()

    def _begin(self) -> None:
        """What stands in the folder before the first epoch, or stood when the run was cut off."""
        tracker, data = self.tracker, self.experiment.data
        if data.table.encoding is not None:
            tracker.encoding(data.table.encoding)
        if tracker.events is not None:
            tracker.events.hparams(hparams(tracker.plain, self.experiment.lr))
            tracker.events.text("config", _markdown(dict(tracker.plain)))
        self.session = run_state.restore(tracker, self.experiment, self.digests) if tracker.resumed else Session()
        if self.traced and not self.session.path:
            self.session.path.append(_point(self.experiment.model))
        if joined_workers().size > 1:
            weights = b"".join(t.cpu().numpy().tobytes() for t in models.state(self.experiment.model).values())
            progress, digest = self.session.progress, hashlib.sha256(weights).hexdigest()[:16]
            joined_workers().require_alike({**self.digests, "step": progress.step + progress.batch, "weights": digest})
        self.training_began = time.perf_counter()

    def epochs(self) -> Iterator[Evaluation | None]:
        """Train; what `fit` yields, recorded. Raises KeyboardInterrupt and DataChanged, after a checkpoint."""
        progress, training = self.session.progress, self.experiment.config.training
        left = None if training.max_seconds is None else max(training.max_seconds - self.session.train_seconds, 0)
        shared = joined_workers().size > 1
        progress.asked = Progress() if shared else progress
        with (
            Interruption(progress.asked, left, patient=shared) as asked,
            blas().limit(limits=torch.get_num_threads(), user_api="blas"),
        ):
            try:
                for evaluation in fit(self.experiment, progress):
                    if evaluation is not None:
                        self._record(evaluation)
                    due = (
                        self.tracker.writes
                        and training.checkpoint_every
                        and progress.epoch % training.checkpoint_every == 0
                    )
                    if due and progress.status != "diverged":
                        self._checkpoint()
                    yield evaluation
            except DataChanged:
                if asked.signal != signal.SIGINT:  # torchrun sends SIGTERM where one process is lost
                    self._checkpoint()
                    raise
                progress.stop = "interrupted"  # the others have heard it first
            if progress.stop == "interrupted":
                self._checkpoint()
                raise KeyboardInterrupt

    def _record(self, evaluation: Evaluation) -> None:
        values = scalars(evaluation)
        if self.weights_logged:
            values |= weight_scalars(self.experiment)
        self.tracker.record(evaluation.epoch, evaluation.step, values)
        if self.traced:
            self.session.path.append(_point(self.experiment.model))
        if joined_workers().size > 1:  # so that any of the processes can write a checkpoint that fits
            self.tracker.flush()

    def _checkpoint(self) -> None:
        now = time.perf_counter()
        session = self.session.after(now - self.training_began, now - self.began)
        run_state.save(self.tracker, self.experiment, session, self.digests)

    def ended(self) -> Result:
        """Write the weights, the figures, and last of all the result."""
        experiment, tracker, progress = self.experiment, self.tracker, self.session.progress
        seconds = self.session.train_seconds + time.perf_counter() - self.training_began
        if progress.best is not None:
            models.load_state(experiment.model, progress.best)
        tracker.weights(saved_weights(experiment))
        if self.drawing:
            from experiments.running.figures.drawing import draw

            draw(tracker, experiment, self.session.path, progress)
        of_one = Models(
            1, lambda x: experiment.predict(x).t()[None], np.array([total_penalty(experiment).item()]), self.linear
        )
        (found,) = metrics(of_one, experiment.reported_loss, experiment.data, self.reference)
        weights = None
        if self.linear:
            weight, bias = experiment.parameters()
            weights = torch.cat([weight, bias[:, None]], dim=1).numpy()
        trained = Trained(
            progress.status, progress.epoch, progress.best_epoch, progress.step, experiment.lr, found, weights,
            seconds, self.session.total_seconds + time.perf_counter() - self.began,
        )  # fmt: skip
        common = in_common(experiment.data, self.reference, self.about, "serial", self.linear)
        result = result_of(trained, common, tracker.config_hash, experiment.config.seed)
        log.info("%s after %d epochs, training loss %s", result.status, result.epochs, result.metrics["train_loss"])
        if tracker.events is not None:
            tracker.events.end()
        tracker.flush()
        write_result(tracker.folder, result)
        tracker.checkpoints.remove()
        return result


def scalars(evaluation: Evaluation) -> dict[str, float]:
    """An evaluation by TensorBoard's tags."""
    values = {
        "loss/train": evaluation.train_loss, "loss/validation": evaluation.validation_loss,
        "loss/gap": evaluation.gap, "accuracy/train": evaluation.accuracy,
        "accuracy/validation": evaluation.validation_accuracy, "optimizer/lr": evaluation.lr,
    }  # fmt: skip
    return {tag: value for tag, value in values.items() if value is not None}


def weight_scalars(experiment: Experiment) -> dict[str, float]:
    """`weights/<target>/<feature>` of a linear model, in the table's units."""
    table, (weight, bias) = experiment.data.table, experiment.parameters()
    values: dict[str, float] = {}
    for target, row, intercept in zip(table.output_names, weight.tolist(), bias.tolist(), strict=True):
        values |= {f"weights/{target}/{f}": w for f, w in zip(table.features, row, strict=True)}
        values[f"weights/{target}/bias"] = intercept
    return values


def _point(model: Any) -> Tensor:
    """Where a linear model is on its loss surface: the weights row by row, then the bias, as trained."""
    parts = [t.detach().flatten() for t in (model.weight, model.bias) if t is not None]
    return torch.cat(parts).cpu()


def _markdown(plain: dict[str, Any]) -> str:
    import yaml

    return f"```yaml\n{yaml.safe_dump(plain, sort_keys=False)}```"
