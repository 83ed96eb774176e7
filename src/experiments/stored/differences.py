"""Two stored runs side by side: the flat pairs of config, result and environment, and what differs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from experiments.errors import one_line
from experiments.stored.cells import cell
from experiments.stored.stored_config import plain
from experiments.stored.stored_run import Run
from experiments.tracking.hparams import flat

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


def configs(left: Run, right: Run) -> list[Pair]:
    """Every key of the configs."""
    return _pairs(flat(plain(left.config)), flat(plain(right.config)))


def results(left: Run, right: Run) -> list[Pair]:
    """Status, epochs, rate, metrics and times; of a run without a result its last logged values."""
    return _pairs(_result(left), _result(right))


def environments(left: Run, right: Run) -> list[Pair]:
    """Versions, commit, device, data hash. Nothing differs where one run has no result yet: its own are not known."""
    known = left.result is not None and right.result is not None
    pairs = _pairs(environment(left.result), environment(right.result))
    return [Pair(p.key, p.left, p.right, known) for p in pairs]


def environment(result: Mapping[str, Any] | None) -> dict[str, Any]:
    """A result's environment, flat, as `versions.torch`."""
    about = (result or {}).get("environment", {})
    versions = about.get("versions")
    named = {f"versions.{k}": v for k, v in versions.items()} if isinstance(versions, dict) else {}
    return named | {k: v for k, v in about.items() if k != "versions" and k not in UNCOMPARED}


def _result(run: Run) -> dict[str, Any]:
    found = run.outcome
    if run.result is not None:
        found |= {f"rows.{k}": v for k, v in run.result["rows"].items()} | run.result["timing"]
    return found


def _pairs(left: Mapping[str, Any], right: Mapping[str, Any]) -> list[Pair]:
    keys: Iterable[str] = dict.fromkeys([*left, *right])
    return [Pair(key, left.get(key), right.get(key)) for key in keys]
