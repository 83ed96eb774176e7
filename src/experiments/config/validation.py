"""A plain config (what Hydra composed, or what a run stored) against the schema: typed, or refused in one line.

The only way to a `Config`. It touches no torch and imports nothing that the config names.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from experiments.config.schema import GROUPS, SECTIONS, UNHASHED, Config, Custom
from experiments.config.values import checked
from experiments.errors import UserError, nearest, one_line

Plain = dict[str, Any]
MOVED = {
    f"experiments.{old}.": f"experiments.{new}."
    for old, new in {
        "models": "learning.models", "losses": "learning.losses", "optimizers": "learning.optimizers",
        "schedules": "learning.schedules", "data.crops": "data.sources.crops", "data.samples": "data.sources.samples",
        "data.synthetic": "data.sources.synthetic", "data.table": "data.sources.table",
        "data.stream": "data.sources.stream",
    }.items()
}  # fmt: skip
"""Where classes lay in version 0.1.0: runs that it stored are still read."""


def validate(plain: Mapping[str, Any]) -> Config:
    """The typed config of a composed one. Raises UserError that gathers everything wrong in one line."""
    problems: list[str] = []
    parts: dict[str, Any] = {}
    known = [f.name for f in dataclasses.fields(Config)]
    for name in plain:
        if name not in known:
            problems.append(f"{name}: no such key{nearest(str(name), known)}")
    for group in GROUPS:
        parts[group] = _group(group, plain.get(group), problems)
    for section, schema in SECTIONS.items():
        parts[section] = _node(section, schema, plain.get(section, {}), problems)
    parts["seed"] = checked("seed", _fields(Config)["seed"], plain.get("seed", 0), problems)
    if not problems:
        _together(parts, problems)
    if problems:
        raise UserError("; ".join(one_line(p) for p in problems))
    return Config(**parts)


def validate_leaf(plain: Mapping[str, Any], path: str, value: Any) -> Any:
    """`value` as the key at `path` of an otherwise valid config takes it. Raises UserError.

    Rules that join two keys are not looked at: see COUPLED.
    """
    section, _, name = path.rpartition(".")
    if not section:
        schema: type | None = Config
    elif section in SECTIONS:
        schema = SECTIONS[section]
    elif section == "device":
        schema = GROUPS[section]["auto"]
    else:
        schema = schema_of(section, plain[section]["_target_"])
    if schema is None:  # a node of the user's own takes any value
        return value
    problems: list[str] = []
    if name not in _fields(schema):
        raise UserError(f"{path}: no such key{_target_name(schema)}{nearest(name, _fields(schema))}")
    value = checked(path, _fields(schema)[name], value, problems)
    if problems:
        raise UserError(one_line(problems[0]))
    return value


COUPLED = frozenset(
    f"optimizer.{name}" for name in ("nesterov", "momentum", "dampening", "weight_decay", "_target_")
) | {"device.name", "device.dtype"}
"""Keys whose validity depends on another key's value, besides lr=auto."""


def plain_config(config: Config) -> Plain:
    """The JSON form of a config: what `validate` takes. Every key is there, defaults included."""
    plain = {}
    for f in dataclasses.fields(config):
        node = getattr(config, f.name)
        if isinstance(node, Custom):
            plain[f.name] = {"_target_": node._target_, **node.options}
        elif dataclasses.is_dataclass(node) and not isinstance(node, type):
            plain[f.name] = dataclasses.asdict(node)
        else:
            plain[f.name] = node
    return plain


def config_hash(plain: Mapping[str, Any]) -> str:
    """16 hexadecimal digits that two configs share when they learn the same thing from the same data."""
    content = {k: v for k, v in plain.items() if k not in UNHASHED and k != "config_hash"}
    return hashlib.sha256(hash_text(content).encode()).hexdigest()[:16]


def hash_text(content: Mapping[str, Any]) -> str:
    """The one JSON form of a config that hashes are taken of."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"))


@cache
def schema_of(group: str, target: str) -> type | None:
    """The dataclass whose `_target_` is `target`, or None for a class of the user's own."""
    for schema in GROUPS[group].values():
        default = _fields(schema).get("_target_")
        if default is not None and default.default == target:
            return schema
    return None


def choice_of(group: str, node: Mapping[str, Any]) -> str:
    """The word that stands for a node on the command line: `sgd`; a user's own `_target_` stands for itself."""
    if group == "device":
        return str(node.get("name"))
    target = str(node.get("_target_"))
    schema = schema_of(group, target)
    return next((name for name, s in GROUPS[group].items() if s is schema), target)


def _group(group: str, node: Any, problems: list[str]) -> Any:
    choices = ", ".join(GROUPS[group])
    if not isinstance(node, Mapping):
        problems.append(f"{group}: missing; choose one of {choices}")
        return None
    if group == "device":
        return _node(group, GROUPS[group]["auto"], node, problems)
    target = node.get("_target_")
    if not isinstance(target, str) or not target:
        problems.append(f"{group}._target_={target}: names no class; choose {group}= one of {choices}")
        return None
    for old, new in MOVED.items():
        if target.startswith(old):
            target = new + target.removeprefix(old)
    schema = schema_of(group, target)
    if schema is None:
        return Custom(target, {k: v for k, v in node.items() if k != "_target_"})
    return _node(group, schema, {**node, "_target_": target}, problems)


def _node(path: str, schema: type, node: Any, problems: list[str]) -> Any:
    if not isinstance(node, Mapping):
        problems.append(f"{path}={node}: must be a section of keys")
        return None
    fields, before = _fields(schema), len(problems)
    for name in node:
        if name not in fields:
            where = _target_name(schema)
            problems.append(f"{path}.{name}: no such key{where}{nearest(str(name), fields)}")
    values = {name: checked(f"{path}.{name}", f, node[name], problems) for name, f in fields.items() if name in node}
    return schema(**values) if len(problems) == before else None


def _target_name(schema: type) -> str:
    for group, choices in GROUPS.items():
        for choice, candidate in choices.items():
            if candidate is schema and group != "device":
                return f" in {group}={choice}"
    return ""


@cache
def _fields(schema: type) -> dict[str, dataclasses.Field]:
    return {f.name: f for f in dataclasses.fields(schema)}


def _together(parts: Plain, problems: list[str]) -> None:
    """Rules that join two keys."""
    optimizer, device = parts["optimizer"], parts["device"]
    if getattr(optimizer, "nesterov", False) and (optimizer.momentum <= 0 or optimizer.dampening != 0):
        problems.append("optimizer.nesterov=true: needs optimizer.momentum above 0 and optimizer.dampening=0")
    if getattr(optimizer, "lr", None) == "auto" and schema_of("optimizer", optimizer._target_) is not None:
        name = choice_of("optimizer", {"_target_": optimizer._target_})
        if name not in ("sgd", "manual_sgd") or optimizer.momentum or optimizer.weight_decay:
            problems.append(
                "optimizer.lr=auto: a stable rate is known for plain gradient descent only; use "
                "optimizer=sgd or manual_sgd without momentum and weight decay, or give a number"
            )
    if device.name == "mps" and device.dtype == "float64":
        problems.append("device.dtype=float64: mps has no float64; use device.dtype=float32 or device=cpu")
