"""Rules that join two keys, each right by itself, and the keys that they join."""

from collections.abc import Mapping
from typing import Any

from experiments.config.schema import SGD, Stream, given_start, options

COUPLED = frozenset({
    "optimizer.nesterov", "optimizer.momentum", "optimizer.dampening", "optimizer.weight_decay", "optimizer._target_",
    "device.name", "device.dtype", "model.init", "training.start",
    "data._target_", "data.folds", "data.fold", "data.groups", "data.validation", "data.test",
})  # fmt: skip
"""Keys whose validity depends on another key's value, besides lr=auto."""


def disagreements(parts: Mapping[str, Any]) -> list[str]:
    """What is wrong between two keys, each right by itself."""
    optimizer, device, found = parts["optimizer"], parts["device"], []
    if isinstance(optimizer, SGD) and optimizer.nesterov and (optimizer.momentum <= 0 or optimizer.dampening != 0):
        found.append("optimizer.nesterov=true: needs optimizer.momentum above 0 and optimizer.dampening=0")
    plain_descent = isinstance(optimizer, SGD) and not (optimizer.momentum or optimizer.weight_decay)
    if getattr(optimizer, "lr", None) == "auto" and not plain_descent:
        found.append(
            "optimizer.lr=auto: a stable rate is known for plain gradient descent only; use "
            "optimizer=sgd or manual_sgd without momentum and weight decay, or give a number"
        )
    found += _held_out(parts["data"])
    if parts["training"].start and given_start(parts["model"]):
        found.append("training.start and model.init: both name weights to start from; leave one of them out")
    if device.name == "mps" and device.dtype == "float64":
        found.append("device.dtype=float64: mps has no float64; use device.dtype=float32 or device=cpu")
    return found


def _held_out(data: Any) -> list[str]:
    """What is wrong between the keys of `data` that say which rows are held out."""
    keys, found = options(data), list[str]()
    folds, fold, groups = (keys.get(name) for name in ("folds", "fold", "groups"))
    if folds is None and fold is not None:
        found.append(f"data.fold={fold}: of how many folds? add data.folds=5")
    if isinstance(data, Stream):
        asked = {name: keys[name] for name in ("folds", "groups", "test") if keys[name]}
        said = "a stream is never in memory as a whole; data=table reads the same file"
        found += [f"data.{name}={value}: {said}" for name, value in asked.items()]
    elif groups is not None and folds is None and not keys.get("validation") and not keys.get("test"):
        found.append(f"data.groups={groups}: says what is held out together; add data.folds=5 or data.validation=0.2")
    if folds is None:
        return found
    if fold is None:
        found.append(f"data.folds={folds}: a run holds out one fold; add data.fold=0, or -m for a run of each")
    elif fold >= folds:
        found.append(f"data.fold={fold}: data.folds={folds} are numbered from 0 to {folds - 1}")
    if keys.get("validation"):
        found.append("data.folds and data.validation: rows can be held out in one way only")
    return found
