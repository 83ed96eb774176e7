"""A stored run as data: its config, its result or the last values of one without, its curves, its model."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from experiments.errors import UserError, one_line
from experiments.stored import run_files
from experiments.stored.ranking import of_targets
from experiments.tracking.result import brief

if TYPE_CHECKING:
    import numpy
    import polars

    from experiments.stored.stored_model import Model

TAIL = 65_536
"""Bytes at the end of metrics.jsonl in which a run's last record is looked for."""
STATUSES = ("completed", "diverged", "stopped_early", "failed", "pruned")
UNFINISHED = "unfinished"
LOGGED = {
    "epoch": "epochs", "step": "steps", "loss/train": "train_loss", "loss/validation": "validation_loss",
    "loss/gap": "gap", "optimizer/lr": "lr", "accuracy/train": "accuracy",
    "accuracy/validation": "validation_accuracy",
}  # fmt: skip
"""What a result calls the last logged values of a run without one."""


@dataclass(frozen=True)
class Run:
    """A stored run: `config` and `result` as config.json and result.json have them (result None while unfinished).

    `last`: the last logged values of a run that is under way or was interrupted.
    """

    folder: Path
    config: dict[str, Any]
    result: dict[str, Any] | None
    last: dict[str, Any]

    def __repr__(self) -> str:
        return brief(self.folder, self.outcome)

    @property
    def status(self) -> str:
        return UNFINISHED if self.result is None else self.result["status"]

    @property
    def outcome(self) -> dict[str, Any]:
        """Status, epochs, steps, rate and metrics, flat; of a run without a result its last logged values."""
        if self.result is None:
            return {"status": self.status} | {LOGGED.get(k, k): v for k, v in self.last.items()}
        kept = {k: self.result.get(k) for k in ("status", "epochs", "best_epoch", "steps", "lr", "executed")}
        metrics = {k: v for k, v in self.result["metrics"].items() if not isinstance(v, list)}
        return kept | metrics | of_targets(self.result["metrics"], self.result["targets"])

    @property
    def data_hash(self) -> str | None:
        """What tells the table that was trained on from others; None while the run has not ended."""
        found = None if self.result is None else self.result["environment"].get("data_hash")
        return found if isinstance(found, str) else None

    @cached_property
    def metrics(self) -> "polars.DataFrame":
        """metrics.jsonl: a row per logged epoch, a column per tag. Raises UserError."""
        import polars

        name = one_line(self.folder.name)
        try:
            found = records(self.folder)
            return polars.from_dicts(found, infer_schema_length=None) if found else polars.DataFrame()
        except (OSError, ValueError) as error:
            raise UserError(f"{name}: metrics.jsonl can't be read: {one_line(error)}") from None
        except (polars.exceptions.PolarsError, TypeError, OverflowError):
            raise UserError(f"{name}: metrics.jsonl is no table of numbers") from None

    @cached_property
    def model(self) -> "Model":
        """The trained model: `model(rows)`; `model.weight`, `model.bias`; `model.module` for torch."""
        from experiments.stored.stored_model import Model

        return Model(self.folder, self.config, self.result)

    def predict(self, rows: Any) -> "numpy.ndarray":
        """Predictions (n, targets), or (targets,) for one row, in the table's units; of classes the labels."""
        return self.model(rows)

    def probabilities(self, rows: Any) -> "numpy.ndarray":
        """The probability of each class, (n, classes), or (classes,) for one row; see `Model.probabilities`."""
        return self.model.probabilities(rows)


def read(folder: str | Path) -> Run:
    """Read one run's config and result. Raises ValueError (one line) for what is not whole or was tampered with."""
    try:
        config = run_files.read_json(folder, "config.json")
        try:
            result = run_files.read_json(folder, "result.json")
        except FileNotFoundError:
            return Run(Path(folder), config, None, last_record(folder))
        check(result)
        return Run(Path(folder), config, result, {})
    except OSError as error:
        raise ValueError(f"can't be read ({error.strerror or error})") from None


def check(result: Mapping[str, Any]) -> None:
    """Raise ValueError unless what is compared has the type that a run writes."""
    if result.get("status") not in STATUSES:
        raise ValueError(
            f"result.json: status is {one_line(result.get('status'))}; must be one of {', '.join(STATUSES)}"
        )
    for name in ("metrics", "timing", "environment", "rows"):
        if not isinstance(result.get(name), dict):
            raise ValueError(f"result.json: {name} is missing")
    for name in ("epochs", "steps", "seed", "lr"):
        _number(name, result.get(name))
    for section in ("metrics", "timing"):
        for name, value in result[section].items():
            for number in value if isinstance(value, list) else [value]:
                _number(f"{section}.{name}", number)
    for name in ("features", "targets"):
        value = result.get(name)
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            raise ValueError(f"result.json: {name} is no list of names")
        if len(set(value)) < len(value):
            raise ValueError(f"result.json: {name} has a name twice")


def _number(name: str, value: Any) -> None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise ValueError(f"result.json: {name} is {one_line(value)!r}, not a number")


def last_record(folder: str | Path) -> dict[str, Any]:
    """The last whole line of metrics.jsonl; empty when there is none."""
    try:
        lines = run_files.read(folder, "metrics.jsonl", last=TAIL).split(b"\n")
    except FileNotFoundError:
        return {}
    for line in reversed(lines):
        if record := _record(line):
            return record
    return {}


def records(folder: str | Path) -> list[dict[str, Any]]:
    """Every whole line of metrics.jsonl; a line still being written is left out. Raises ValueError, OSError."""
    try:
        content = run_files.read(folder, "metrics.jsonl")
    except FileNotFoundError:
        return []
    whole = content[: content.rfind(b"\n") + 1].rstrip(b"\n")
    try:  # one call for all the lines
        found = orjson.loads(b"[" + whole.replace(b"\n", b",") + b"]")
        if all(isinstance(r, dict) and "epoch" in r for r in found):
            return found
    except orjson.JSONDecodeError:
        pass
    return [record for line in whole.split(b"\n") if (record := _record(line))]


def _record(line: bytes) -> dict[str, Any] | None:
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return record if isinstance(record, dict) and isinstance(record.get("epoch"), int) else None
