"""Texts that are written once with marks in them and filled many times; scalars as YAML writes them."""

import math
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from omegaconf import OmegaConf

from experiments.tracking.packed import filled

_PLAIN = re.compile(r"[A-Za-z_/][\w./,+-]*[=/][\w./=,+-]*")
"""Overrides and paths that YAML writes without quotes."""


def mark(number: int) -> str:
    """A word that YAML and JSON write without change and that no config has."""
    return f"XmarkX{number}X"


class TextTemplate:
    """A text cut at its marks. With `quoted`, marks stand in quotes (JSON), and these are replaced too."""

    def __init__(self, text: str, marks: int, quoted: bool = False) -> None:
        self.pieces = re.split(r'"?XmarkX(\d+)X"?' if quoted else r"XmarkX(\d+)X", text)
        assert {int(n) for n in self.pieces[1::2]} <= set(range(marks)), self.pieces[1::2]

    def fill(self, values: Sequence[str]) -> str:
        """The text with value number n at every mark n."""
        return filled(self.pieces, values)


def yaml_scalar(value: Any) -> str:
    """A scalar as OmegaConf writes it after a key."""
    if type(value) is int:
        return str(value)
    if type(value) is str and _PLAIN.fullmatch(value):
        return value
    if type(value) is float and math.isfinite(value):  # as PyYAML's representer
        text = repr(value)
        return text if "." in text else text.replace("e", ".0e")
    return _dumped(value, str(value))


@lru_cache(maxsize=100_000, typed=True)
def _dumped(value: Any, text: str) -> str:
    """`text` keeps 0.0 and -0.0 apart in the cache, `typed` 1, 1.0 and true."""
    return OmegaConf.to_yaml(OmegaConf.create({"k": value}))[3:].rstrip("\n")


def yaml_list(overrides: Sequence[str], indent: str = "") -> str:
    """A YAML list of overrides, as OmegaConf writes it."""
    return "".join(f"{indent}- {yaml_scalar(override)}\n" for override in overrides) or f"{indent}[]\n"
