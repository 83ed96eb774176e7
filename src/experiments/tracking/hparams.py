"""A config as flat hyper-parameters: the columns of TensorBoard's HParams page and of every comparison."""

from collections.abc import Mapping
from typing import Any

from experiments.config.schema import GROUPS, UNHASHED
from experiments.config.validation import choice_of

Hparam = bool | float | str


def flat(plain: Mapping[str, Any]) -> dict[str, Any]:
    """`{"optimizer": "sgd", "optimizer.lr": 1e-5, ...}`: dotted keys, groups by their word on the command line."""
    columns: dict[str, Any] = {}
    for name, node in plain.items():
        if not isinstance(node, Mapping):
            columns[name] = node
            continue
        if name in GROUPS:
            columns[name] = choice_of(name, node)
        chosen_by = "name" if name == "device" else "_target_"
        columns |= {f"{name}.{k}": v for k, v in node.items() if not (name in GROUPS and k == chosen_by)}
    return columns


def hparams(plain: Mapping[str, Any], lr: float | None) -> dict[str, Hparam]:
    """The columns as TensorBoard takes them: every key of one type in all runs, null keys left out.

    `lr` is the rate used, which stands for `optimizer.lr=auto`.
    """
    kept: dict[str, Hparam] = {}
    for name, value in flat(plain).items():
        if value is None or name.partition(".")[0] in UNHASHED or name == "config_hash":
            continue
        if name == "optimizer.lr" and lr is not None:
            value = lr
        if name == "training.shuffle":  # true, false, or a word: a text in every run
            value = str(value).lower()
        if isinstance(value, bool | str):
            kept[name] = value
        elif isinstance(value, int | float):
            kept[name] = float(value)
        else:
            kept[name] = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    return kept
