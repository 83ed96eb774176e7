"""Two stored runs side by side: the flat pairs of config, result and environment, and what differs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from experiments.runs.stored import Stored
from experiments.tracking.hparams import flat

UNCOMPARED = {"command"}
"""Parts of the environment that say where a result came from, not what it depends on."""


@dataclass(frozen=True)
class Pair:
    """A key with its value in both runs; None where a run lacks it."""

    key: str
    left: Any
    right: Any

    @property
    def differs(self) -> bool:
        return self.left != self.right


def configs(left: Stored, right: Stored) -> list[Pair]:
    """Every key of the configs."""
    return _pairs(_config(left), _config(right))


def results(left: Stored, right: Stored) -> list[Pair]:
    """Status, epochs, rate, metrics and times; of a run without a result its last logged values."""
    return _pairs(_result(left), _result(right))


def environments(left: Stored, right: Stored) -> list[Pair]:
    """Versions, commit, device, data hash."""
    return _pairs(environment(left.result), environment(right.result))


def environment(result: Mapping[str, Any] | None) -> dict[str, Any]:
    """A result's environment, flat, as `versions.torch`."""
    about = (result or {}).get("environment", {})
    versions = about.get("versions")
    named = {f"versions.{k}": v for k, v in versions.items()} if isinstance(versions, dict) else {}
    return named | {k: v for k, v in about.items() if k != "versions" and k not in UNCOMPARED}


def _config(run: Stored) -> dict[str, Any]:
    return {k: v for k, v in flat(run.config).items() if k != "config_hash"}


def _result(run: Stored) -> dict[str, Any]:
    if run.result is None:
        return {"status": run.status} | run.last
    kept = {k: run.result.get(k) for k in ("status", "epochs", "best_epoch", "steps", "lr", "executed")}
    kept |= run.result["metrics"] | {f"rows.{k}": v for k, v in run.result["rows"].items()}
    return kept | dict(run.result["timing"])


def _pairs(left: Mapping[str, Any], right: Mapping[str, Any]) -> list[Pair]:
    keys: Iterable[str] = dict.fromkeys([*left, *right])
    return [Pair(key, left.get(key), right.get(key)) for key in keys]
