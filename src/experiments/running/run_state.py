"""What a run is made of while it trains, as a checkpoint and back, so that going on gives the same bits.

Weights, optimizer state, the generator, where the epoch stands, patience with the best weights, the path on the
loss surface, the bytes of metrics.jsonl that belong to it, and the time used. The schedule has no state.
"""

import logging
import math
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from experiments.errors import UserError
from experiments.learning import models
from experiments.learning.experiment import Experiment
from experiments.learning.optimizers import ManualOptimizer
from experiments.learning.training import Progress
from experiments.tracking.checkpoint import Checkpoint
from experiments.tracking.tracker import Tracker

log = logging.getLogger("experiments")
COUNTS = ("epoch", "batch", "step", "best_epoch", "evaluations_since_best")
STATUSES = ("running", "completed", "diverged", "stopped_early")


@dataclass
class Session:
    """Where a run stands, in all its sessions: the progress, the path on the loss surface, the seconds before this."""

    progress: Progress = field(default_factory=Progress)
    path: list[Tensor] = field(default_factory=list)
    train_seconds: float = 0.0
    total_seconds: float = 0.0

    def after(self, train_seconds: float, total_seconds: float) -> "Session":
        """The same, with the seconds of the present session added."""
        seconds = self.train_seconds + train_seconds, self.total_seconds + total_seconds
        return Session(self.progress, self.path, *seconds)


def save(tracker: Tracker, experiment: Experiment, session: Session, digests: dict[str, str]) -> None:
    """Write a checkpoint of the run as it stands between two steps. Raises OSError."""
    progress = session.progress
    # inside an epoch the order is drawn anew from where it was drawn; between two, from where the generator is
    generator = experiment.generator.get_state() if progress.drawn is None else progress.drawn
    try:
        optimizer, plain = optimizer_state(experiment.optimizer)
    except TypeError as error:
        log.warning("no checkpoint: %s; resuming would start from the beginning", error)
        return
    tensors = {f"model.{name}": t for name, t in models.state(experiment.model).items()}
    tensors |= {f"optimizer.{name}": t for name, t in optimizer.items()}
    tensors |= {f"best.{name}": t for name, t in (progress.best or {}).items()}
    tensors["generator"] = generator
    if session.path:
        tensors["path"] = torch.stack(session.path)
    facts = {
        **digests, **{name: getattr(progress, name) for name in COUNTS}, "status": progress.status,
        "best_loss": progress.best_loss if math.isfinite(progress.best_loss) else None, "optimizer": plain,
        "train_seconds": session.train_seconds, "total_seconds": session.total_seconds, "metrics": tracker.sync(),
    }  # fmt: skip
    tracker.checkpoints.save(Checkpoint(facts, tensors), progress.step + progress.batch)


def restore(tracker: Tracker, experiment: Experiment, digests: dict[str, str]) -> Session:
    """Put the newest checkpoint that is whole into the experiment and the folder; a fresh Session if there is none.

    Raises UserError when the table or the config is no longer the run's.
    """
    available = tracker.sync()
    for checkpoint in tracker.checkpoints.readable(_largest(experiment)):
        for name, digest in digests.items():
            if checkpoint.facts.get(name) != digest:
                what = name.replace("_hash", "")
                raise UserError(
                    f"{tracker.folder}: the {what} is not what it was when the run began; bring it back, or start anew"
                )
        try:
            session = _restored(checkpoint, experiment, available)
        except (ValueError, KeyError, TypeError, RuntimeError) as error:
            log.warning("a checkpoint is passed over, since it does not fit the run: %s", error)
            continue
        tracker.rewind(checkpoint.facts["metrics"])
        log.info("going on after epoch %d, step %d", session.progress.epoch, session.progress.step)
        return session
    tracker.rewind(0)
    log.info("no checkpoint: starting from the beginning")
    return Session()


def _restored(checkpoint: Checkpoint, experiment: Experiment, available: int) -> Session:
    """Everything is checked before anything is changed. Raises ValueError, KeyError, TypeError or RuntimeError."""
    facts, tensors = checkpoint.facts, checkpoint.tensors
    for name, largest in {
        "epoch": experiment.config.training.epochs, "batch": experiment.batches.per_epoch, "step": 2**62,
        "best_epoch": facts["epoch"], "evaluations_since_best": facts["epoch"], "metrics": available,
    }.items():  # fmt: skip
        _require(type(facts[name]) is int and 0 <= facts[name] <= largest, name)
    for name in ("train_seconds", "total_seconds"):
        _require(type(facts[name]) is float and facts[name] >= 0, name)
    _require(facts["status"] in STATUSES, "status")
    _require(facts["best_loss"] is None or type(facts["best_loss"]) is float, "best_loss")

    own = models.state(experiment.model)
    model, best = _part(tensors, "model."), _part(tensors, "best.")
    _require(_shapes(model) == _shapes(own), "model")
    _require(not best or _shapes(best) == _shapes(own), "best")
    path = tensors.get("path", torch.empty(0, sum(t.numel() for t in own.values())))
    _require(path.ndim == 2 and path.shape[1] == sum(t.numel() for t in own.values()), "path")
    generator = tensors["generator"]
    torch.Generator().set_state(generator)  # RuntimeError for what is no state
    load_optimizer(experiment.optimizer, _part(tensors, "optimizer."), facts["optimizer"])

    experiment.generator.set_state(generator)
    models.load_state(experiment.model, model)
    progress = Progress(**{name: facts[name] for name in COUNTS}, status=facts["status"])
    progress.best_loss = math.inf if facts["best_loss"] is None else facts["best_loss"]
    progress.best = {name: best[name].to(own[name].device) for name in own} if best else None
    return Session(progress, list(path), facts["train_seconds"], facts["total_seconds"])


def optimizer_state(optimizer: Any) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The state as tensors and as plain values, both by name. Raises TypeError for a state of other things.

    torch.optim's is `<parameter>.<name>`. Its groups are not stored: the config and the schedule give them.
    """
    if isinstance(optimizer, ManualOptimizer):
        return optimizer.state_dict(), {}
    tensors, plain = {}, {}
    for index, slots in optimizer.state_dict()["state"].items():
        for name, value in slots.items():
            if isinstance(value, Tensor):
                tensors[f"{index}.{name}"] = value
            elif value is None or isinstance(value, bool | int | float | str):
                plain[f"{index}.{name}"] = value
            else:
                raise TypeError(f"{type(optimizer).__name__} keeps a {type(value).__name__} in its state")
    return tensors, plain


def load_optimizer(optimizer: Any, tensors: dict[str, Tensor], plain: dict[str, Any]) -> None:
    """The inverse of `optimizer_state`. Raises ValueError, and changes nothing, for a state of other shapes."""
    if isinstance(optimizer, ManualOptimizer):
        optimizer.load_state_dict(tensors)
        return
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, Any]] = {}
    for key, value in (*tensors.items(), *plain.items()):
        index, _, name = key.partition(".")
        _require(index.isdecimal() and int(index) < len(parameters), f"optimizer.{key}")
        if isinstance(value, Tensor):
            _require(value.shape in (parameters[int(index)].shape, torch.Size()), f"optimizer.{key}")
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _largest(experiment: Experiment) -> int:
    """Bytes that a checkpoint of this run can have at most, amply."""
    numbers = sum(t.numel() for t in models.state(experiment.model).values())
    return 2**20 + 8 * numbers * 32 + 8 * min(numbers, 64) * (experiment.config.training.epochs + 1)


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}


def _shapes(tensors: dict[str, Tensor]) -> dict[str, tuple[Any, ...]]:
    return {name: (t.shape, t.dtype) for name, t in tensors.items()}


def _require(holds: bool, name: str) -> None:
    if not holds:
        raise ValueError(f"{name} is out of place")
