"""What a trained model comes to: its Result, of a run alone and of a job in a pack alike."""

import dataclasses
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from experiments.config.schema import Config
from experiments.data.dataset import Dataset
from experiments.data.prepared import Prepared
from experiments.running.measures.reference import Reference
from experiments.running.stable_rate import advice
from experiments.tracking.result import LARGEST_LISTED, Result, described

log = logging.getLogger("experiments")


@dataclass(frozen=True)
class Trained:
    """What training came to. The weights, of linear models only, are in the table's units: (targets, features + 1)."""

    status: str
    epochs: int
    best_epoch: int
    """0 where no evaluation was finite."""
    steps: int
    lr: float
    metrics: dict[str, Any]
    weights: np.ndarray | None
    train_seconds: float
    total_seconds: float


def in_common(data: Prepared, reference: Reference, about: dict[str, Any], executed: str, linear: bool) -> Result:
    """What the results of all runs on one table have in common; `about` is the environment."""
    optimum = reference.optimum if linear else None
    return Result(
        status="", config_hash="", seed=0, epochs=0, best_epoch=None, steps=0, lr=None, executed=executed, metrics={},
        parameters=None, optimum=None if optimum is None else _listed(optimum.weight, optimum.bias),
        conditioning=reference.finite_conditioning, features=list(data.table.features),
        targets=list(data.table.targets),
        rows={
            "train": data.rows, "validation": data.validation_rows, "dropped": data.table.dropped,
            **({} if data.test is None else {"test": len(data.test.x)}),
        },
        timing={}, environment=about, **described(data.table), **_task(data.table),
    )  # fmt: skip


def _task(table: Dataset) -> dict[str, Any]:
    image = None if table.image is None else list(table.image)
    if table.classes is None:
        return {"image": image}
    return {"task": "classification", "classes": list(table.classes), "image": image}


def result_of(trained: Trained, common: Result, config_hash: str, seed: int) -> Result:
    """The result of one run. `common` is that of its table."""
    weights, rows = trained.weights, common.rows["train"]
    return dataclasses.replace(
        common,
        status=trained.status, config_hash=config_hash, seed=seed, epochs=trained.epochs,
        best_epoch=trained.best_epoch or None, steps=trained.steps, lr=trained.lr, metrics=trained.metrics,
        parameters=None if weights is None else _listed(weights[:, :-1], weights[:, -1]),
        timing={
            "train_seconds": trained.train_seconds, "total_seconds": trained.total_seconds,
            "rows_per_second": trained.epochs * rows / max(trained.train_seconds, 1e-9),
        },
    )  # fmt: skip


def told(result: Result, config: Config, data: Prepared, folder: Path) -> Result:
    """The result with what only this process knows: its folder, its rows, and a remedy where it diverged."""
    message = divergence(result, config, data) if result.status == "diverged" else None
    if message is not None:
        log.info("%s", message)
    elif config.training.keep == "last" and config.training.patience is None:
        message = better_epoch(result, folder)
    return dataclasses.replace(result, folder=folder, table=data.table, message=message)


def better_epoch(result: Result, folder: Path) -> str | None:
    """Where the held-out loss of the weights that were saved is more than 1 % above that of an earlier epoch."""
    last, epoch = result.metrics["validation_loss"], result.best_epoch
    if last is None or epoch in (None, result.epochs):
        return None
    with (folder / "metrics.jsonl").open("rb") as lines:
        (best,) = (row["loss/validation"] for row in map(orjson.loads, lines) if row["epoch"] == epoch)
    if last <= 1.01 * best:
        return None
    return (
        f"the held-out loss was smaller after epoch {epoch}: {best:.6g}, now {last:.6g}; "
        "training.keep=best saves those weights"
    )


def divergence(result: Result, config: Config, data: Prepared) -> str:
    """What happened and what was tried and holds, in one line."""
    assert result.lr is not None
    remedy = advice(config, data, result.lr)
    return f"diverged: the loss is not finite at epoch {result.epochs} with lr={result.lr:g}; {remedy}"


def _listed(weight: np.ndarray, bias: np.ndarray) -> dict[str, Any] | None:
    if weight.size + bias.size > LARGEST_LISTED:
        return None
    return {"weight": weight.tolist(), "bias": bias.tolist()}
