"""The result of a run: what result.json holds, and what a notebook gets back."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.errors import UserError
from experiments.tracking.decisions import labels
from experiments.tracking.files import json_bytes, read_json, write_atomically

if TYPE_CHECKING:
    from experiments.data.dataset import Dataset

LARGEST_LISTED = 10_000
"""Models of more numbers than this have them in model.safetensors only."""


@dataclass(frozen=True)
class Result:
    """One finished run, field for field as in result.json; losses, gap and parameters in the table's units.

    `metrics`: train_loss, validation_loss, optimum_loss, gap, gap_relative; r2, rmse, validation_r2, validation_rmse
    (lists, one a target); of classes accuracy, balanced_accuracy, macro_f1, log_loss, roc_auc and the same for
    validation; data_loss, the loss without its penalty; linear_loss, of the best linear model beside a network, which
    has no optimum and no gap.
    `parameters` and `optimum`: weight (targets x features) and bias (targets), or None.
    `conditioning`: lambda_max, condition_number, max_stable_lr of the loss as trained.
    """

    status: str
    config_hash: str
    seed: int
    epochs: int
    best_epoch: int | None
    steps: int
    lr: float | None
    executed: str
    metrics: dict[str, Any]
    parameters: dict[str, Any] | None
    optimum: dict[str, Any] | None
    conditioning: dict[str, Any] | None
    features: list[str]
    targets: list[str]
    rows: dict[str, int]
    timing: dict[str, float]
    environment: dict[str, Any]
    error: dict[str, str] | None = None
    ranges: dict[str, list[float]] | None = None
    """Least and largest value of each input in the training rows; None for wide tables."""
    task: str = "regression"
    """Or `classification`."""
    classes: list[str | int | bool] | None = None
    """The labels in order: a model has a logit for each, or one for the second of two."""
    image: list[int] | None = None
    """Height and width of the picture that a row of inputs is, or channels, height and width."""
    units: dict[str, str] | None = None
    """Unit of each input and target, where the table gives one."""
    rung: int | None = None
    """At which a search stopped a run whose status is `pruned`, the first is 0."""
    folder: Path | None = field(default=None, compare=False)
    message: str | None = field(default=None, compare=False)
    """Why the run diverged and a rate that holds, where this process trained it; run.log has it too."""
    table: "Dataset | None" = field(default=None, compare=False, repr=False)
    """The training rows, where this process trained on them."""

    def __repr__(self) -> str:
        return brief(self.folder, {"status": self.status, "epochs": self.epochs, **self.metrics})

    def predict(self, rows: Any) -> np.ndarray:
        """Predictions (n, targets) in the table's units, or (targets,) for one row by itself; of classes labels (n,).

        `rows`: numbers, texts and dates by the columns' names or in their order, in anything that holds rows; see
        `given_rows.frame_of`. Warns of values outside the training data. Raises UserError for what does not fit,
        and for a model that is not linear, or too large to be listed: `load_run` has those.
        """
        from experiments.data.files.encoding import Encoding
        from experiments.data.files.inputs import inputs_of
        from experiments.tracking.encoding import encoding

        if self.table is not None and self.table.encoding is not None:
            columns = Encoding.from_json(self.table.encoding)
        else:
            columns = Encoding(tuple(self.features)) if self.folder is None else encoding(self.folder, self.features)
        x, single = inputs_of(rows, columns, self.ranges)
        outputs = self.of(x)
        found = outputs if self.classes is None else labels(outputs, self.classes)
        return found[0] if single else found

    def of(self, x: Any) -> np.ndarray:
        """Predictions (n, targets), or logits (n, outputs) of classes, for inputs (n, features). Raises UserError."""
        if self.parameters is None:
            raise UserError("this result lists no weights; use load_run(folder).predict(rows)")
        weight, bias = (np.array(self.parameters[k], dtype=np.float64) for k in ("weight", "bias"))
        return np.asarray(x) @ weight.T + bias


def brief(folder: Path | None, outcome: Mapping[str, Any]) -> str:
    """`<completed after 100 epochs: train_loss 33.9127, gap 33.0033; outputs/runs/...>`, what a notebook shows."""
    known = [f"{k} {outcome[k]:.6g}" for k in ("train_loss", "validation_loss", "gap") if outcome.get(k) is not None]
    numbers = f": {', '.join(known)}" if known else ""
    return f"<{outcome['status']} after {outcome.get('epochs', 0)} epochs{numbers}{f'; {folder}' if folder else ''}>"


LOCAL = {"folder", "message", "table"}
"""Fields that result.json does not hold."""
STORED = tuple(f.name for f in dataclasses.fields(Result) if f.name not in LOCAL)
OPTIONAL = {"error", "ranges", "units", "task", "classes", "image", "rung"}
METRICS = (
    "train_loss", "validation_loss", "optimum_loss", "gap", "gap_relative", "r2", "rmse",
    "validation_r2", "validation_rmse",
)  # fmt: skip


def as_json(result: Result) -> dict[str, Any]:
    """The content of result.json."""
    return {name: getattr(result, name) for name in STORED}


def write_result(folder: Path, result: Result) -> None:
    """Write result.json, last of a run's files and atomically: its presence means that the run ended."""
    write_atomically(folder / "result.json", json_bytes(as_json(result)))


def read_result(folder: Path) -> Result:
    """The result in a run's folder. Raises OSError or ValueError (one line) for what is no result.json."""
    content = read_json(folder / "result.json")
    names = set(STORED)
    if not isinstance(content, dict) or not names - OPTIONAL <= content.keys():
        raise ValueError("result.json lacks keys that every result has")
    return Result(**{k: content[k] for k in names if k in content}, folder=folder)


def described(table: "Dataset") -> dict[str, Any]:
    """`ranges` and `units` of the training rows: what predicting from the stored run alone needs."""
    names = (*table.features, *table.targets)
    units = dict(zip(names, (*table.feature_units, *table.target_units), strict=True))
    if len(table.features) > LARGEST_LISTED:
        return {"ranges": None, "units": None}
    least, largest = table.x.amin(0).tolist(), table.x.amax(0).tolist()
    ranges = {name: [low, high] for name, low, high in zip(table.features, least, largest, strict=True)}
    return {"ranges": ranges, "units": {name: unit for name, unit in units.items() if unit}}


def failure(config_hash: str, seed: int, error: BaseException, environment: dict[str, Any]) -> Result:
    """The result of a run that could not be trained: every number null."""
    return Result(
        status="failed", config_hash=config_hash, seed=seed, epochs=0, best_epoch=None, steps=0, lr=None,
        executed="serial", metrics=dict.fromkeys(METRICS), parameters=None, optimum=None, conditioning=None,
        features=[], targets=[], rows={"train": 0, "validation": 0},
        timing={"train_seconds": 0.0, "total_seconds": 0.0, "rows_per_second": 0.0},
        environment=environment, error={"type": type(error).__name__, "message": str(error)},
    )  # fmt: skip
