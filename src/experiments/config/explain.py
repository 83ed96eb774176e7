"""Hydra's and OmegaConf's exceptions as one line of ours: the value, why it is wrong, the nearest right name."""

import dataclasses
import re

from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf.errors import OmegaConfBaseException

from experiments.config.schema import GROUPS, SECTIONS
from experiments.errors import UserError, nearest, one_line


def explain(error: BaseException) -> UserError | None:
    """The user's mistake behind an exception of Hydra or OmegaConf; None for what is no mistake of the user's."""
    if isinstance(error, UserError):
        return error
    text = str(error)
    if isinstance(error, ValueError) and text.startswith("Config group override must be"):
        return UserError("a group was set to null or to what is no name: name one of its choices, or leave it out")
    if isinstance(error, ValueError) and text.startswith("Config group override deletion"):
        return UserError("a group was taken away by a value that is no name: write ~group, or ~group=choice")
    if isinstance(error, TypeError) and _raised_in(error) == "hydra._internal.defaults_list":
        return UserError("a group was set to a list that holds what is no name: list names of its choices")
    if not isinstance(error, HydraException | OmegaConfBaseException):
        return None
    if isinstance(error, OverrideParseException):
        return UserError(f"{error.override}: cannot be read as key=value; {_in_quotes(str(error.override))}")
    if isinstance(error, MissingConfigException) and error.missing_cfg_file and error.options:
        group, _, choice = error.missing_cfg_file.rpartition("/")
        there = ", ".join(error.options)
        return UserError(f"{group}={choice}: no such choice{nearest(choice, error.options)}; there are {there}")
    if found := re.search(r"Could not (?:override|append to config|delete)[^']*'([^']+)'", text):
        cause = str(error.__cause__ or "")
        key = found.group(1).partition("@")[0]
        if "not in struct" in cause or "No match in the defaults list" in text or "append" in text:
            if "already" in text:
                return UserError(f"+{key}: it is there already; leave out the +")
            if key in known_keys():
                return UserError(f"{key}: {_where(key)}")
            return UserError(f"{key}: no such key{nearest(key, known_keys())}")
    if found := re.search(r"Could not delete from config. '([^']+)' does not exist", text):
        return UserError(f"~{found.group(1)}: no such key{nearest(found.group(1), known_keys())}")
    if text.startswith("Ambiguous value for argument"):
        argument = text.partition("'")[2].partition("'")[0]
        name, _, value = argument.partition("=")
        return UserError(f"{argument}: several values; add -m to sweep over them, or write {name}=[{value}] for a list")
    return UserError(one_line(f"{text} {error.__cause__ or ''}"))


def _raised_in(error: BaseException) -> str:
    """The module whose code raised it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else str(trace.tb_frame.f_globals.get("__name__"))


def _in_quotes(override: str) -> str:
    """What to type for a value that is refused for its brackets, signs or quotes."""
    key, sign, value = override.partition("=")
    if not sign or not value or set("[]{}'\"") & set(value):
        return "put quotes around unusual values"
    return f"put quotes around the value, and others around the whole for the shell: \"{key}='{value}'\""


def known_keys() -> list[str]:
    """Every word that may stand left of an override's `=`."""
    keys = [*GROUPS, "experiment", "seed"]
    for section, schema in SECTIONS.items():
        keys += [f"{section}.{f.name}" for f in dataclasses.fields(schema)]
    for group, choices in GROUPS.items():
        keys += {f"{group}.{f.name}": None for schema in choices.values() for f in dataclasses.fields(schema)}
    return keys


def _where(key: str) -> str:
    """Which choices have the key that the one composed lacks."""
    group, _, name = key.partition(".")
    choices = [c for c, schema in GROUPS.get(group, {}).items() if name in {f.name for f in dataclasses.fields(schema)}]
    if not choices:
        return "not a key that is composed here"
    return f"no such key in the choice of {group} that is composed here; {group}={' or '.join(choices)} has it"
