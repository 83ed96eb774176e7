"""Hydra's and OmegaConf's exceptions as one line of ours: the value, why it is wrong, the nearest right name."""

import dataclasses
import re

from hydra.errors import HydraException, MissingConfigException
from omegaconf.errors import OmegaConfBaseException

from experiments.config import GROUPS, SECTIONS
from experiments.errors import UserError, nearest, one_line


def explain(error: BaseException) -> UserError | None:
    """The user's mistake behind an exception of Hydra or OmegaConf; None for what is no mistake of the user's."""
    if isinstance(error, UserError):
        return error
    if not isinstance(error, HydraException | OmegaConfBaseException):
        return None
    if isinstance(error, MissingConfigException) and error.missing_cfg_file and error.options:
        group, _, choice = error.missing_cfg_file.rpartition("/")
        there = ", ".join(error.options)
        return UserError(f"{group}={choice}: no such choice{nearest(choice, error.options)}; there are {there}")
    text = str(error)
    if found := re.search(r"Could not (?:override|append to config|delete)[^']*'([^']+)'", text):
        cause = str(error.__cause__ or "")
        key = found.group(1).partition("@")[0]
        if "not in struct" in cause or "No match in the defaults list" in text or "append" in text:
            if key in known_keys():
                return UserError(f"{key}: not a key of the choice that is composed here{_append_hint(text)}")
            return UserError(f"{key}: no such key{nearest(key, known_keys())}{_append_hint(text)}")
    if text.startswith("Ambiguous value for argument"):
        argument = text.partition("'")[2].partition("'")[0]
        name, _, value = argument.partition("=")
        return UserError(f"{argument}: several values; add -m to sweep over them, or write {name}=[{value}] for a list")
    return UserError(one_line(f"{text} {error.__cause__ or ''}"))


def known_keys() -> list[str]:
    """Every word that may stand left of an override's `=`."""
    keys = [*GROUPS, "experiment", "seed"]
    for section, schema in SECTIONS.items():
        keys += [f"{section}.{f.name}" for f in dataclasses.fields(schema)]
    for group, choices in GROUPS.items():
        keys += {f"{group}.{f.name}": None for schema in choices.values() for f in dataclasses.fields(schema)}
    return keys


def _append_hint(text: str) -> str:
    return "; it is there already, leave out the +" if "already" in text else ""
