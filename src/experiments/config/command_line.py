"""A command line as Hydra's own parser reads it: flags and overrides apart, in any order, refused in one line.

The parser is `hydra._internal`'s. It is taken from here only, and a test notices when it changes.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from hydra._internal.utils import get_args_parser

from experiments.config.database_uri import REFUSED, has_password, without_password
from experiments.config.quoting import quoted
from experiments.errors import UserError, nearest


def parser() -> argparse.ArgumentParser:
    """Hydra's parser, which now raises UserError where it would print its usage."""

    def refuse(message: str) -> NoReturn:
        raise UserError(f"{message}; see experiments --help")

    made = get_args_parser()
    made.allow_abbrev = False
    made.error = refuse
    made.add_argument("--save-preset", metavar="NAME", help="write the winner of a search to conf/experiment/NAME.yaml")
    return made


def read(arguments: Sequence[str]) -> argparse.Namespace:
    """The flags and, in `overrides`, the overrides in the form that Hydra's grammar takes. Raises UserError."""
    reader = parser()
    found, unknown = reader.parse_known_intermixed_args(list(arguments))
    if unknown:
        known = [flag for action in reader._actions for flag in action.option_strings]
        raise UserError(f"{unknown[0]}: no such flag{nearest(unknown[0], known)}")
    if found.experimental_rerun is not None:
        raise UserError("--experimental-rerun: reads a pickle, which can run any code; use experiments rerun RUN")
    chosen = [flag for flag in ("run", "multirun", "cfg", "info", "shell_completion") if getattr(found, flag)]
    if len(chosen) > 1:
        raise UserError(f"--{chosen[0]} and --{chosen[1]}: only one of them can be asked for".replace("_", "-"))
    if found.config_dir is not None and not Path(found.config_dir).is_dir():
        raise UserError(f"--config-dir {found.config_dir}: there is no such folder")
    if found.resolve and found.cfg is None and not found.help:
        raise UserError("--resolve: goes with --cfg only, as --cfg job --resolve")
    found.overrides = [override(word) for word in found.overrides]
    return found


def override(word: str) -> str:
    """A word that is an override, in the form that Hydra's grammar takes. Raises UserError for any other word."""
    key, sign, value = word.partition("=")
    if key.lstrip("+") == "data.uri" and has_password(value):  # before a sweep writes down what it was asked for
        raise UserError(f"{key}={without_password(value)}: {REFUSED}")
    if word.startswith("-") or not key.lstrip("+~") or not (sign or word.startswith("~")):
        raise UserError(f"{word}: not an override; write key=value")
    return quoted(word)
