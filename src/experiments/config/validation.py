"""A plain config (what Hydra composed, or what a run stored) against the schema: typed, or refused in one line.

This is the only way to a `Config`. It touches no torch and imports nothing that the config names.
"""

import dataclasses
import difflib
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from experiments.config.coupled import disagreements
from experiments.config.schema import GROUPS, SECTIONS, UNHASHED, Config, Custom, Device, all_keys, keys
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
    """The typed config of a composed or stored one. Raises UserError: all that is wrong with it, in one line."""
    problems = [_unknown("", str(name), Config) for name in plain if name not in keys(Config)]
    parts: Plain = {group: _section(group, plain.get(group), problems) for group in GROUPS}
    parts |= {section: _section(section, plain.get(section, {}), problems) for section in SECTIONS}
    parts["seed"] = checked("seed", keys(Config)["seed"], plain.get("seed", 0), problems)
    if problems := problems or disagreements(parts):
        raise UserError("; ".join(map(one_line, problems)))
    return Config(**parts)


def validate_leaf(plain: Mapping[str, Any], path: str, value: Any) -> Any:
    """What a key at `path` (`seed`, `optimizer.lr`) becomes when it is set to `value` in an otherwise valid config.

    Rules that join two keys, see `coupled.py`, are not looked at. Raises UserError.
    """
    section, _, name = path.rpartition(".")
    schema = _schema(section, plain.get(section, {})) if section else Config
    if schema is None:  # a class of the user's own takes any value
        return value
    if name not in keys(schema):
        raise UserError(_unknown(section, name, schema))
    problems: list[str] = []
    value = checked(path, keys(schema)[name], value, problems)
    if problems:
        raise UserError(one_line(problems[0]))
    return value


def plain_config(config: Config) -> Plain:
    """The JSON form of a config, with every key in it, defaults too. `validate` gives the config back."""
    plain = dataclasses.asdict(config)
    for group in GROUPS:
        if isinstance(node := getattr(config, group), Custom):
            plain[group] = {"_target_": node._target_, **node.options}
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
    return next((schema for schema in GROUPS[group].values() if keys(schema)["_target_"].default == target), None)


def choice_of(group: str, node: Mapping[str, Any]) -> str:
    """The word that stands for a node on the command line: `sgd`. A class of the user's own stands for itself."""
    if group == "device":
        return str(node.get("name"))
    target = str(node.get("_target_"))
    schema = schema_of(group, target)
    return next((name for name, s in GROUPS[group].items() if s is schema), target)


def known_keys() -> list[str]:
    """Every word that may stand left of an override's `=`."""
    inner = [f"{section}.{name}" for section in (*SECTIONS, *GROUPS) for name in all_keys(section)]
    return [*GROUPS, "experiment", "seed", *inner]


def nearest_key(key: str) -> str:
    """The clause `; did you mean X?` for the keys most like `key`, which may lack its section: `lr`, `epoch`."""
    by_name: dict[str, list[str]] = {}
    for known in (every := [*SECTIONS, *known_keys()]):
        by_name.setdefault(known.rpartition(".")[2], []).append(known)
    begun = [name for name in by_name if len(key) > 2 and name.startswith(key)]
    if "." not in key and (found := begun or difflib.get_close_matches(key, by_name, n=1)):
        return f"; did you mean {' or '.join(by_name[found[0]])}?"
    return nearest(key, every)


def _schema(section: str, node: Any) -> type | None:
    """What a section or group is checked against, None for a class of the user's own. Raises UserError."""
    if section in SECTIONS:
        if not isinstance(node, Mapping):
            raise UserError(f"{section}={node}: must be a section of keys")
        return SECTIONS[section]
    choices = ", ".join(GROUPS[section])
    if not isinstance(node, Mapping):
        raise UserError(f"{section}: missing; choose one of {choices}")
    if section == "device":
        return Device
    target = node.get("_target_")
    if not isinstance(target, str) or not target:
        raise UserError(f"{section}._target_={target}: names no class; choose one of {choices}")
    return schema_of(section, target)


def _section(section: str, node: Any, problems: list[str]) -> Any:
    """A section or group as its schema's dataclass, or as `Custom`; None where something is wrong with it."""
    if section in GROUPS and isinstance(node, Mapping):
        target = node.get("_target_")
        node = {**node, "_target_": _moved(target)} if isinstance(target, str) else node
    try:
        schema = _schema(section, node)
    except UserError as error:
        problems.append(str(error))
        return None
    if schema is None:
        return Custom(node["_target_"], {k: v for k, v in node.items() if k != "_target_"})
    wrong = [_unknown(section, str(name), schema) for name in node if name not in keys(schema)]
    values = {
        name: checked(f"{section}.{name}", key, node[name], wrong) for name, key in keys(schema).items() if name in node
    }
    problems += wrong
    return None if wrong else schema(**values)


def _moved(target: str) -> str:
    """Where the class named by `target` lies today."""
    return next((new + target.removeprefix(old) for old, new in MOVED.items() if target.startswith(old)), target)


def _unknown(section: str, name: str, schema: type) -> str:
    if (section, name) == ("", "experiment"):  # Hydra has put a preset's keys there
        return "experiment: a preset of your own must begin with the line `# @package _global_`"
    if not section:
        return f"{name}: no such key{nearest_key(name)}"
    choices = [choice for choice, known in GROUPS.get(section, {}).items() if known is schema]
    where = f" in {section}={choices[0]}" if len(choices) == 1 else ""
    return f"{section}.{name}: no such key{where}{nearest(name, keys(schema))}"
