"""A stored config with overrides as on the command line: `optimizer.lr=0.1`, `optimizer=adam`."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import OmegaConf

from experiments.config.quoting import quoted
from experiments.config.schema import GROUPS
from experiments.errors import UserError, one_line


def changed(stored: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """A copy of `stored` with `overrides`, group choices first. Raises UserError; the keys are not yet validated."""
    plain: dict[str, Any] = copy.deepcopy(dict(stored))
    parsed = [_parsed(word) for word in overrides]
    for override in parsed:
        key, value = override.key_or_group, override.value()
        if key == "experiment":
            raise UserError(
                "experiment: a preset sets several groups at once; start from it with experiments experiment=..."
            )
        if key in GROUPS:
            plain[key] = _chosen(key, str(value))
    for override in parsed:
        if override.key_or_group not in GROUPS:
            _set(plain, override.key_or_group, override.value(), override.input_line or "")
    return plain


def _parsed(word: str) -> Any:
    if "=" not in word:
        raise UserError(f"{one_line(word)}: not an override; write key=value")
    try:
        override = OverridesParser.create().parse_override(quoted(word))
    except HydraException as error:
        raise UserError(f"{one_line(word)}: not an override: {one_line(error)}") from None
    if override.is_sweep_override():
        raise UserError(f"{one_line(word)}: several values; rerun trains one run")
    if override.is_delete():
        raise UserError(f"{one_line(word)}: nothing can be deleted from a stored config; give the key another value")
    return override


def _chosen(group: str, choice: str) -> Any:
    """The group's node as the command line composes it."""
    from experiments.config.composition import compose
    from experiments.config.validation import plain_config

    return plain_config(compose([f"{group}={choice}"]))[group]


def _set(plain: dict[str, Any], key: str, value: Any, word: str) -> None:
    node = plain
    *sections, name = key.split(".")
    for section in sections:
        node = node.setdefault(section, {})
        if not isinstance(node, dict):
            raise UserError(f"{one_line(word)}: {section} is no section of keys")
    if isinstance(value, str) or not isinstance(value, Mapping | list):
        node[name] = value
    else:
        node[name] = OmegaConf.to_container(OmegaConf.create(value), resolve=True)  # type: ignore[arg-type]  # it takes any Mapping
