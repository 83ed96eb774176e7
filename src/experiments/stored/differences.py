"""Two stored runs side by side: the flat pairs of config, result and environment, and what differs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from experiments.config.validation import config_hash, plain_config, validate
from experiments.errors import UserError, one_line
from experiments.stored.cells import cell
from experiments.stored.stored_run import Stored
from experiments.tracking.hparams import flat

LOGGED = {
    "epoch": "epochs", "step": "steps", "loss/train": "train_loss", "loss/validation": "validation_loss",
    "loss/gap": "gap", "optimizer/lr": "lr",
}  # fmt: skip
"""What a result calls the last logged values of a run without one."""
UNCOMPARED = {"command"}
"""Parts of the environment that say where a result came from, not what it depends on."""


@dataclass(frozen=True)
class Pair:
    """A key with its value in both runs; None where a run lacks it. `known`: both runs could have it."""

    key: str
    left: Any
    right: Any
    known: bool = True

    @property
    def differs(self) -> bool:
        return self.known and self.left != self.right

    def words(self) -> tuple[str, str]:
        """Both values as cells; in full where they differ and the cells would not show it."""
        left, right = cell(self.left), cell(self.right)
        if self.differs and left == right:
            left, right = (one_line(repr(v) if isinstance(v, float) else v) for v in (self.left, self.right))
        return left, right


def configs(left: Stored, right: Stored) -> list[Pair]:
    """Every key of the configs."""
    return _pairs(_config(left), _config(right))


def results(left: Stored, right: Stored) -> list[Pair]:
    """Status, epochs, rate, metrics and times; of a run without a result its last logged values."""
    return _pairs(_result(left), _result(right))


def environments(left: Stored, right: Stored) -> list[Pair]:
    """Versions, commit, device, data hash. Nothing differs where one run has no result yet: its own are not known."""
    known = left.result is not None and right.result is not None
    pairs = _pairs(environment(left.result), environment(right.result))
    return [Pair(p.key, p.left, p.right, known) for p in pairs]


def untouched(run: Stored) -> bool:
    """Whether a run's config is the one that it began with and that its result is of, as far as the hashes tell."""
    try:
        digest = config_hash(plain_config(validate(_content(run))))
    except UserError:
        return False
    return digest == run.config.get("config_hash") and (run.result or {}).get("config_hash", digest) == digest


def environment(result: Mapping[str, Any] | None) -> dict[str, Any]:
    """A result's environment, flat, as `versions.torch`."""
    about = (result or {}).get("environment", {})
    versions = about.get("versions")
    named = {f"versions.{k}": v for k, v in versions.items()} if isinstance(versions, dict) else {}
    return named | {k: v for k, v in about.items() if k != "versions" and k not in UNCOMPARED}


def _content(run: Stored) -> dict[str, Any]:
    return {k: v for k, v in run.config.items() if k != "config_hash"}


def _config(run: Stored) -> dict[str, Any]:
    return flat(_content(run))


def _result(run: Stored) -> dict[str, Any]:
    if run.result is None:
        return {"status": run.status} | {LOGGED.get(k, k): v for k, v in run.last.items()}
    kept = {k: run.result.get(k) for k in ("status", "epochs", "best_epoch", "steps", "lr", "executed")}
    kept |= run.result["metrics"] | {f"rows.{k}": v for k, v in run.result["rows"].items()}
    return kept | dict(run.result["timing"])


def _pairs(left: Mapping[str, Any], right: Mapping[str, Any]) -> list[Pair]:
    keys: Iterable[str] = dict.fromkeys([*left, *right])
    return [Pair(key, left.get(key), right.get(key)) for key in keys]
