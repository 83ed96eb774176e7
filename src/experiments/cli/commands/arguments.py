"""Arguments of the commands: argparse, with its refusals as our one line."""

import argparse
import re
from collections.abc import Sequence
from typing import NoReturn

from experiments.errors import UserError, nearest


class Parser(argparse.ArgumentParser):
    """A command's parser: what is wrong raises UserError with the nearest flag, `--help` prints and exits 0."""

    def __init__(self, command: str, description: str) -> None:
        super().__init__(prog=f"experiments {command}", description=description, allow_abbrev=False)
        self.command = command

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{self.command}: {message}; see experiments {self.command} --help")

    def read(self, arguments: Sequence[str]) -> argparse.Namespace:
        """The parsed arguments; the flags may stand anywhere."""
        found, unknown = self.parse_known_intermixed_args(list(arguments))
        if unknown and not unknown[0].startswith("-"):
            self.error(f"{unknown[0]}: one argument too many")
        if unknown:
            flags = [flag for action in self._actions for flag in action.option_strings]
            word = unknown[0].partition("=")[0]
            raise UserError(f"{self.command}: {word}: no such flag{nearest(word, flags)}")
        return found


NEGATIVE = re.compile(r"-(\d|\.\d|inf|nan)", re.IGNORECASE)


def as_values(arguments: Sequence[str]) -> list[str]:
    """`arguments` with words such as `-3,5,6` led by a space, which argparse takes for a value and not for a flag."""
    return [f" {a}" if NEGATIVE.match(a) else a for a in arguments]
