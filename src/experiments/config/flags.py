"""Hydra's flags on our command line: refused in our words where Hydra's parser would answer with its usage text."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from experiments.errors import UserError, nearest

FLAGS = (
    ("--help", "-h"), ("--hydra-help",), ("--version",), ("--resolve",), ("--run", "-r"), ("--multirun", "-m"),
    ("--shell-completion", "-sc"),
)  # fmt: skip
FLAGS_WITH_VALUE = (
    ("--cfg", "-c"), ("--package", "-p"), ("--config-path", "-cp"), ("--config-name", "-cn"),
    ("--config-dir", "-cd"),
)  # fmt: skip

INFOS = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")


def check_flags(arguments: Sequence[str]) -> None:
    """Refuse what Hydra's own parser would answer with its usage text. Raises UserError."""

    class Parser(argparse.ArgumentParser):
        def error(self, message: str) -> NoReturn:
            raise UserError(f"{message}; see experiments --help")

    parser = Parser(add_help=False, allow_abbrev=False)
    for flags in FLAGS:
        parser.add_argument(*flags, action="store_true")
    for flags in FLAGS_WITH_VALUE:
        parser.add_argument(*flags, action="append" if "--cfg" in flags else "store")
    parser.add_argument("--info", "-i", nargs="?", const="all")
    parser.add_argument("overrides", nargs="*")
    found, unknown = parser.parse_known_intermixed_args(list(arguments))
    known = [flag for flags in (*FLAGS, *FLAGS_WITH_VALUE) for flag in flags]
    for flag in unknown:
        if flag.startswith("--experimental-rerun"):
            raise UserError(f"{flag}: reads a pickle, which can run any code; use experiments rerun RUN")
        raise UserError(f"{flag}: no such flag{nearest(flag, known)}")
    for word in found.cfg or ():
        if word not in ("job", "hydra", "all"):
            raise UserError(f"--cfg {word}: must be one of job, hydra, all")
    if found.info is not None and found.info not in INFOS:
        raise UserError(f"--info {found.info}: must be one of {', '.join(INFOS)}")
    if found.config_dir is not None and not Path(found.config_dir).is_dir():
        raise UserError(f"--config-dir {found.config_dir}: there is no such folder")
    for word in found.overrides:
        if ("=" not in word and not word.startswith("~")) or not word.lstrip("+~").partition("=")[0]:
            raise UserError(f"{word}: not an override; write key=value")
    if found.resolve and found.cfg is None and not (found.help or found.hydra_help):
        raise UserError("--resolve: goes with --cfg only, as --cfg job --resolve")
    chosen = [f for f in ("run", "multirun", "cfg", "info", "shell_completion") if getattr(found, f)]
    if len(chosen) > 1:
        raise UserError(f"--{chosen[0]} and --{chosen[1]}: only one of them can be asked for".replace("_", "-"))


def overrides_first(arguments: Sequence[str]) -> list[str]:
    """The same words with the flags at the end: Hydra's parser refuses overrides on both sides of a flag."""
    overrides: list[str] = []
    flags: list[str] = []
    with_value = {flag for names in FLAGS_WITH_VALUE for flag in names}
    words = list(arguments)
    while words:
        word = words.pop(0)
        if not word.startswith("-"):
            overrides.append(word)
            continue
        flags.append(word)
        if words and (word in with_value or (word in ("--info", "-i") and words[0] in INFOS)):
            flags.append(words.pop(0))
    return [*overrides, *flags]
