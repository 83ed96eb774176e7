"""Configs, packs of them, and what two folders of runs have in common."""

import json
from pathlib import Path
from typing import Any

from experiments.config.schema import GROUPS, Config
from experiments.config.validation import validate
from experiments.sweeps.compose.jobs import Job
from experiments.sweeps.single import _job
from experiments.sweeps.stacked.packs import run_pack
from experiments.sweeps.stacked.table_cache import TableCache

RATES = {"sgd": 1e-5, "adam": 0.05, "adamw": 0.05, "rmsprop": 0.01, "adagrad": 0.3}


def config(optimizer: str = "sgd", schedule: str = "constant", model: str = "linear", **changes: Any) -> Config:
    """A config from the schema's defaults; `changes` as section__key=value."""
    plain: dict[str, Any] = {"seed": changes.pop("seed", 0), "tracking": {"figures": False, "weights": False}}
    chosen = {"model": model, "optimizer": optimizer, "schedule": schedule, "loss": changes.pop("loss", "mse"),
              "data": changes.pop("data", "crops"), "device": "cpu"}  # fmt: skip
    for group, choice in chosen.items():
        if "." in choice:  # a class of the user's own
            plain[group] = {"_target_": choice}
            continue
        schema = GROUPS[group][choice]
        plain[group] = {"name": "cpu"} if group == "device" else {"_target_": schema()._target_}
    plain["optimizer"]["lr"] = RATES[optimizer.removeprefix("manual_")]
    plain["training"] = {"epochs": 20}
    for key, value in changes.items():
        section, name = key.split("__")
        plain[section][name] = value
    return validate(plain)


def stacked(configs: list[Config], folder: Path, cache: TableCache | None = None) -> list[Path]:
    """Train configs as one pack; their folders. A `cache` keeps the tables for other packs."""
    jobs = [_job(c) for c in configs]
    for number, job in enumerate(jobs):
        job.number = number

    def begin(job: Job, place: str) -> None:
        Path(place).mkdir(parents=True)

    run_pack(jobs, lambda job: str(folder / str(job.number)), cache or TableCache(), begin)
    return [folder / str(n) for n in range(len(jobs))]


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


TOLERATED = {"metrics", "parameters"}
"""What may differ by the rounding of another order of operations."""


def near(one: Any, other: Any, tolerance: float, where: str) -> None:
    """Numbers, in whatever lists and dictionaries they stand, equal up to `tolerance`."""
    if isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            near(one[key], other[key], tolerance, f"{where}.{key}")
    elif isinstance(one, list):
        assert len(one) == len(other), where
        for left, right in zip(one, other, strict=True):
            near(left, right, tolerance, where)
    elif one is None or other is None:
        assert one == other, where
    else:
        assert abs(one - other) <= tolerance + 1e-7 * abs(one), where


def agree(alone: Path, together: Path, tolerance: float) -> None:
    """Every field of result.json, and every line of metrics.jsonl: numbers within `tolerance` of the initial loss."""
    one, other = (json.loads((f / "result.json").read_text()) for f in (alone, together))
    left, right = lines(alone), lines(together)
    scale = tolerance * max(left[0]["loss/train"], 1.0)
    assert (one.pop("executed"), other.pop("executed")) == ("serial", "stacked")
    assert one.keys() == other.keys() and one["timing"].keys() == other.pop("timing").keys()
    assert one["environment"].pop("threads") >= other["environment"].pop("threads") == 1
    for key in one.keys() - TOLERATED - {"timing"}:
        assert one[key] == other[key], key
    for key in TOLERATED:
        near(one[key], other[key], scale, key)
    assert [(r["epoch"], r["step"]) for r in left] == [(r["epoch"], r["step"]) for r in right]
    for a, b in zip(left, right, strict=True):
        near(a, b, scale, str(a["epoch"]))
        assert a["optimizer/lr"] == b["optimizer/lr"]


def same(one: Path, other: Path) -> None:
    """All that a job leaves is the same, but for its times."""
    for name in ("model.safetensors", "metrics.jsonl"):
        assert (one / name).read_bytes() == (other / name).read_bytes(), (one, other, name)
    left, right = (json.loads((folder / "result.json").read_text()) for folder in (one, other))
    assert {k: v for k, v in left.items() if k != "timing"} == {k: v for k, v in right.items() if k != "timing"}
