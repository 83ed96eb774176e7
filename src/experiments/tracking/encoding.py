"""How a run turns a table's columns into its inputs: encoding.json, checked against result.json.

Runs on tables have one. Without it the inputs are columns of numbers with the names of the features.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from experiments.data.files.encoding import Encoding
from experiments.errors import UserError, one_line
from experiments.tracking import packed
from experiments.tracking.files import read_json

LARGEST = 64 * 2**20
"""Bytes of an encoding."""


def encoding(folder: Path, features: Sequence[str]) -> Encoding:
    """The encoding of the run in `folder`, whose inputs are `features`. Raises UserError for one that does not fit."""
    try:
        if (job := packed.of_folder(folder)) is not None:
            stored = orjson.loads(job.file("encoding.json"))
        else:
            stored = read_json(folder / "encoding.json", LARGEST)
        checked(stored)
    except FileNotFoundError:
        return Encoding(tuple(features))
    except (OSError, ValueError) as error:
        why = one_line(getattr(error, "strerror", None) or error)
        raise UserError(f"{one_line(folder.name)}: encoding.json can't be used: {why}") from None
    found = Encoding.from_json(stored)
    if list(found.features) != list(features):
        raise UserError(f"{one_line(folder.name)}: encoding.json and result.json name different inputs")
    return found


def checked(stored: Any) -> None:
    """Raise ValueError unless an encoding has the types that a run writes."""
    if not isinstance(stored, dict):
        raise ValueError("it holds no object")
    if not names(stored.get("inputs")):
        raise ValueError("inputs is no list of names")
    if len(set(stored["inputs"])) < len(stored["inputs"]):
        raise ValueError("inputs has a name twice")
    categories, means = stored.get("levels"), stored.get("means")
    if not isinstance(categories, dict) or not all(names(v) and v for v in categories.values()):
        raise ValueError("levels is no mapping of names to lists of names")
    kinds = stored.get("kinds", {})  # runs of before have none
    if not isinstance(kinds, dict) or not all(isinstance(v, str) for v in kinds.values()):
        raise ValueError("kinds is no mapping of names to words")
    if not isinstance(means, dict) or any(type(v) not in (int, float) for v in means.values()):
        raise ValueError("means is no mapping of names to numbers")


def names(value: Any) -> bool:
    """Whether `value` is a list of texts."""
    return isinstance(value, list) and all(isinstance(v, str) for v in value)
