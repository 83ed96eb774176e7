"""One run: config -> parts -> fit -> tracking -> Result."""

import logging
import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from experiments.config.schema import Config
from experiments.config.validation import config_hash, plain_config
from experiments.errors import DataChanged, UserError, one_line
from experiments.exact.dependence import notes
from experiments.exact.optimum import Conditioning, Optimum
from experiments.exact.tsqr import blas
from experiments.learning import devices, models
from experiments.learning.losses import MSE, ManualMSE
from experiments.learning.training import Evaluation, Progress, fit
from experiments.running import assembly, metrics, run_state
from experiments.running.assembly import Experiment
from experiments.running.interruption import Interruption
from experiments.running.run_state import Session
from experiments.running.stable_rate import stable_lr
from experiments.tracking import environment
from experiments.tracking.files import json_bytes, write_atomically
from experiments.tracking.hparams import hparams
from experiments.tracking.result import LARGEST_LISTED, Result, described, failure, write_result
from experiments.tracking.tracker import Tracker

log = logging.getLogger("experiments")
LARGEST_SOLVED = 10_000
"""Tables of more features than this are trained without an exact optimum beside them."""
LARGEST_TRACED = 64
"""Models of more numbers than this have no weights/ tags and no path on the loss surface."""

Watch = Callable[[Evaluation | None], None]


def run(
    config: Config, folder: Path, *, watch: Watch = lambda look: None, single: bool = True, resumed: bool = False
) -> Result:  # fmt: skip
    """Train one experiment into `folder`, or with `resumed` go on with the one that is there; return its Result.

    `watch` is called after every epoch; `single` is False in a sweep, where figures and weights are off by
    default. Raises UserError before anything is written when a part can't be built. KeyboardInterrupt, after a
    checkpoint, and OSError leave the run unfinished, so that it can be resumed; whatever else goes wrong is
    raised after a result.json of status failed. So does DataChanged, after a checkpoint where one can be made.
    """
    began, threads = time.perf_counter(), torch.get_num_threads()
    try:
        with np.errstate(all="ignore"):  # numbers near the largest: what is not finite is said, or written as null
            return _run(config, folder, watch, single, resumed, began)
    finally:
        torch.set_num_threads(threads)


def _run(config: Config, folder: Path, watch: Watch, single: bool, resumed: bool, began: float) -> Result:
    experiment = assembly.assemble(config)
    torch.set_num_threads(assembly.threads(experiment))
    plain = plain_config(config)
    digest = config_hash(plain)
    about = environment.describe(
        devices.describe(experiment.device), torch.get_num_threads(), config.device.dtype,
        experiment.data.digest(),
    )  # fmt: skip
    with Tracker(folder, plain, digest, config.tracking.tensorboard, own_log=single, resumed=resumed) as tracker:
        try:
            if (encoding := experiment.data.table.encoding) is not None:
                write_atomically(folder / "encoding.json", json_bytes(encoding))
            with assembly.seeded(config):
                result = _train(experiment, tracker, plain, digest, about, began, watch, single)
        except KeyboardInterrupt:
            log.info("interrupted")
            raise KeyboardInterrupt(f"interrupted; go on with: experiments resume {folder}") from None
        except OSError as error:  # the disk's doing, not the run's
            log.error("stopped: %s", one_line(error))
            error.filename = error.filename or str(folder)
            if (folder / "config.json").exists():
                error.add_note(f"go on with: experiments resume {folder}")
            raise
        except DataChanged as error:  # the file may come back as it was
            log.error("stopped: %s", one_line(error))
            raise DataChanged(f"{error}; go on with: experiments resume {folder}") from None
        except Exception as error:
            if resumed and isinstance(error, UserError):  # no such folder can be gone on with; it stays as it is
                raise
            log.exception("the run failed: %s", one_line(error))
            write_result(folder, failure(digest, config.seed, error, about))
            tracker.checkpoints.remove()
            raise
    return replace(result, folder=folder, table=experiment.data.table)


def _train(
    experiment: Experiment, tracker: Tracker, plain: dict[str, Any], digest: str, about: dict[str, Any],
    began: float, watch: Watch, single: bool,
) -> Result:  # fmt: skip
    config, data, model = experiment.config, experiment.data, experiment.model
    log.info("training on %s, %s, seed %d", about["device"], config.device.dtype, config.seed)
    optimum, conditions = reference_solution(experiment)
    least = optimum.loss if optimum is not None and isinstance(experiment.loss, MSE | ManualMSE) else None
    if tracker.events is not None:
        tracker.events.hparams(hparams(plain, experiment.lr))
        tracker.events.text("config", _markdown(plain))
    tracing = models.is_linear(model) and sum(t.numel() for t in models.state(model).values()) <= LARGEST_TRACED
    weights_logged = tracing and (single if config.tracking.weights is None else config.tracking.weights)
    drawing = single if config.tracking.figures is None else config.tracking.figures
    trace, training = tracing and drawing, config.training
    digests = {"config_hash": digest, "data_hash": about["data_hash"]}
    session = run_state.restore(tracker, experiment, digests) if tracker.resumed else Session()
    progress, path = session.progress, session.path
    if trace and not path:
        path.append(_point(model))

    def checkpoint() -> None:
        now = time.perf_counter()
        run_state.save(tracker, experiment, session.after(now - training_began, now - began), digests)

    training_began = time.perf_counter()
    left = None if training.max_seconds is None else max(training.max_seconds - session.train_seconds, 0)
    recorded = progress.epoch  # an epoch that ended without its evaluation is done again
    try:
        with Interruption(progress, left), blas().limit(limits=torch.get_num_threads(), user_api="blas"):
            for evaluation in fit(
                model, experiment.optimizer, experiment.loss, experiment.schedule, experiment.lr, experiment.batches,
                experiment.trained_loss(), experiment.generator, progress,
                epochs=training.epochs, log_every=training.log_every, patience=training.patience,
            ):  # fmt: skip
                recorded = progress.epoch
                if evaluation is not None:
                    tracker.record(
                        evaluation.epoch, evaluation.step, _scalars(evaluation, least, experiment, weights_logged)
                    )
                    if trace:
                        path.append(_point(model))
                due = training.checkpoint_every and progress.epoch % training.checkpoint_every == 0
                if due and progress.status != "diverged":
                    checkpoint()
                watch(evaluation)
    except DataChanged:
        if progress.epoch == recorded:
            checkpoint()
        raise
    if progress.stop == "interrupted":
        checkpoint()
        raise KeyboardInterrupt
    seconds = session.train_seconds + time.perf_counter() - training_began

    if progress.best is not None:
        models.load_state(model, progress.best)
    tracker.weights(saved_weights(experiment))
    if drawing:
        from experiments.running.drawing import draw

        draw(tracker, experiment, optimum, path, progress.epoch)
    result = Result(
        status=progress.status, config_hash=digest, seed=config.seed, epochs=progress.epoch,
        best_epoch=progress.best_epoch if progress.best_epoch else None, steps=progress.step, lr=experiment.lr,
        executed="serial",
        metrics=metrics.metrics(
            experiment.predict, experiment.loss, data, optimum, models.is_linear(model)
        ),
        parameters=_listed(*experiment.parameters()) if models.is_linear(model) else None,
        optimum=None if optimum is None else _listed(torch.from_numpy(optimum.weight), torch.from_numpy(optimum.bias)),
        conditioning=None if conditions is None else {
            name: value if math.isfinite(value := getattr(conditions, name)) else None
            for name in ("lambda_max", "condition_number", "max_stable_lr")
        },
        features=list(data.table.features), targets=list(data.table.targets),
        rows={"train": data.rows, "validation": data.validation_rows},
        timing={
            "train_seconds": seconds, "total_seconds": session.total_seconds + time.perf_counter() - began,
            "rows_per_second": progress.epoch * data.rows / max(seconds, 1e-9),
        },
        environment=about, **described(data.table),
    )  # fmt: skip
    if progress.status == "diverged":
        result = replace(result, message=divergence(experiment, progress))
        log.info("%s", result.message)
    log.info("%s after %d epochs, training loss %s", result.status, result.epochs, result.metrics["train_loss"])
    if tracker.events is not None:
        tracker.events.end("success")
    tracker.flush()
    write_result(tracker.folder, result)
    tracker.checkpoints.remove()
    return result


def reference_solution(experiment: Experiment) -> tuple[Optimum | None, Conditioning | None]:
    """The exact optimum of the training rows in their units, and the conditioning of the loss as trained.

    None for both above 10,000 features; no conditioning for losses that are not quadratic in the weights.
    """
    data = experiment.data
    features = len(data.table.features)
    if features > LARGEST_SOLVED:
        log.info("no exact optimum: %d features are more than %d", features, LARGEST_SOLVED)
        return None, None
    bias = assembly.has_bias(experiment.config)
    optimum = data.optimum(bias)
    if not optimum.unique:
        log.warning(
            "the optimum is not unique: rank %d of %d columns; the one compared with has the smallest weights",
            optimum.rank, features + bias,
        )  # fmt: skip
        for note in notes(data.squares(bias), data.table.features):
            log.warning("%s", note)
    if not isinstance(experiment.loss, MSE | ManualMSE) or not models.is_linear(experiment.model):
        return optimum, None
    return optimum, data.conditioning(bias)


def divergence(experiment: Experiment, progress: Progress) -> str:
    """What happened and a learning rate that holds, in one line."""
    found = stable_lr(experiment.config, experiment.data, experiment.lr)
    remedy = (
        f"the same run with optimizer.lr={found:g} was tried and holds"
        if found is not None
        else "no smaller rate was shown to hold in the time allowed; try one a thousand times smaller"
    )
    return f"diverged: the loss is not finite at epoch {progress.epoch} with lr={experiment.lr:g}; {remedy}"


def saved_weights(experiment: Experiment) -> dict[str, Tensor]:
    """What model.safetensors holds.

    A linear model: `weight` and `bias` in the table's units. Where it was trained on standardised columns, these
    are float64 and `trained.weight`, `trained.bias` hold the bits that were trained. Any other model: its own tensors.
    With standardised columns also `scaling.*`.
    """
    model, data = experiment.model, experiment.data
    tensors = models.state(model)
    if not data.standardized:
        return tensors
    scaling = {f"scaling.{k}": v for k, v in vars(data.scaling).items()}
    if not models.is_linear(model):
        return tensors | scaling
    weight, bias = experiment.parameters()
    return {"weight": weight, "bias": bias} | {f"trained.{k}": v for k, v in tensors.items()} | scaling


def _scalars(
    evaluation: Evaluation, least: float | None, experiment: Experiment, weights_logged: bool
) -> dict[str, float]:
    values = {"loss/train": evaluation.train_loss}
    if evaluation.validation_loss is not None:
        values["loss/validation"] = evaluation.validation_loss
    if least is not None:
        values["loss/gap"] = evaluation.train_loss - least
    values["optimizer/lr"] = evaluation.lr
    if weights_logged:
        table, (weight, bias) = experiment.data.table, experiment.parameters()
        for target, row, intercept in zip(table.targets, weight.tolist(), bias.tolist(), strict=True):
            values |= {f"weights/{target}/{f}": w for f, w in zip(table.features, row, strict=True)}
            values[f"weights/{target}/bias"] = intercept
    return values


def _point(model: Any) -> Tensor:
    """Where a linear model is on its loss surface: the weights row by row, then the bias, as trained."""
    parts = [t.detach().flatten() for t in (model.weight, model.bias) if t is not None]
    return torch.cat(parts).cpu()


def _listed(weight: Tensor, bias: Tensor) -> dict[str, Any] | None:
    if weight.numel() + bias.numel() > LARGEST_LISTED:
        return None
    return {"weight": weight.tolist(), "bias": bias.tolist()}


def _markdown(plain: dict[str, Any]) -> str:
    import yaml

    return f"```yaml\n{yaml.safe_dump(plain, sort_keys=False)}```"
