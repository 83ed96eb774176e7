"""A text dumped once with marks in it, then filled many times."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from omegaconf import OmegaConf

_PLAIN = re.compile(r"[A-Za-z_][\w.]*=[\w.+]*\w")
"""An override that YAML writes as it stands."""


def mark(number: int) -> str:
    """A word that YAML and JSON write as it stands and no config holds."""
    return f"XmarkX{number}X"


class TextTemplate:
    """`text` cut at its marks; `quoted` ones stand in quotes (JSON) that go with them."""

    def __init__(self, text: str, marks: int, quoted: bool = False) -> None:
        pieces = re.split(r'"?XmarkX(\d+)X"?' if quoted else r"XmarkX(\d+)X", text)
        self._pieces, self._numbers = pieces[::2], [int(n) for n in pieces[1::2]]
        assert set(self._numbers) <= set(range(marks)), self._numbers
        self._whole: list[Any] = [None] * (2 * len(self._pieces) - 1)
        self._whole[::2] = self._pieces

    def fill(self, values: Sequence[str]) -> str:
        """The text with value number n at every mark n."""
        whole = self._whole.copy()
        whole[1::2] = [values[n] for n in self._numbers]
        return "".join(whole)


def yaml_scalar(value: Any, kind: type) -> str:
    """How OmegaConf writes a scalar as a value of a mapping; `kind` is its type."""
    return _yaml_scalar(value, kind, str(value) if value == 0 else "")


@lru_cache(maxsize=100_000)
def _yaml_scalar(value: Any, kind: type, zero: str) -> str:
    """The same; `kind` keeps 1, 1.0 and true apart in the cache, `zero` 0.0 and -0.0."""
    if kind is int:
        return str(value)
    return OmegaConf.to_yaml(OmegaConf.create({"k": value}))[3:].rstrip("\n")


def yaml_list(overrides: Sequence[str], indent: str = "") -> str:
    """A YAML list of overrides, as OmegaConf writes it."""
    if not overrides:
        return "[]\n"
    return "".join(f"{indent}{_item(override)}" for override in overrides)


@lru_cache(maxsize=100_000)
def _item(override: str) -> str:
    if _PLAIN.fullmatch(override):
        return f"- {override}\n"
    return OmegaConf.to_yaml(OmegaConf.create([override]))
