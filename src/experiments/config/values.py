"""One value of a config against the annotated type and the rules of its key: taken as it is to be, or refused."""

import dataclasses
import json
import math
import os
import types
import typing
from collections.abc import Mapping
from typing import Any

from experiments.errors import nearest


def checked(path: str, field: dataclasses.Field, value: Any, problems: list[str]) -> Any:
    """`value` as the field of a schema takes it; what is wrong with it joins `problems`, one line that names `path`."""
    rules = field.metadata
    if value in rules.get("special", ()) and isinstance(value, str):
        return value
    try:
        value = _typed(field.type, value, rules)
        for item in value if isinstance(value, list) else [value]:
            _in_range(item, rules)
    except ValueError as reason:
        problems.append(f"{path}={'null' if value is None else value}: {reason}")
    return value


def _typed(kind: Any, value: Any, rules: Mapping[str, Any]) -> Any:
    """`value` as the annotated type. Whole numbers serve as floats, and as texts in a list of them."""
    if isinstance(kind, types.UnionType):
        if value is None:
            return None
        kind = next(k for k in typing.get_args(kind) if k is not type(None))
    if kind is Any:
        if "choices" in rules:
            return value
        kind = float  # the one such key is lr, whose words stand in `special`
    if typing.get_origin(kind) is list:
        if not isinstance(value, list):
            raise ValueError(f"must be a list, as [{'a,b' if value is None else value}]")
        if len(value) != rules.get("length", len(value)):
            raise ValueError(f"must have {rules['length']} entries")
        entries = typing.get_args(kind)[0]
        if entries is str:  # columns may be called 2020
            value = [str(v) if isinstance(v, int) and not isinstance(v, bool) else v for v in value]
            if odd := [v for v in value if not isinstance(v, str)]:
                raise ValueError(f"must be a list of texts; put quotes around {'null' if odd[0] is None else odd[0]}")
        return [_typed(entries, v, rules) for v in value]
    if typing.get_origin(kind) is dict:
        if isinstance(value, str) and value.startswith("{"):
            value = _from_json(value)  # as `quoting` writes names that Hydra's grammar can't
        if not isinstance(value, Mapping):
            raise ValueError("must be pairs, as {a: b}")
        return {str(k): _typed(typing.get_args(kind)[1], v, rules) for k, v in value.items()}
    if isinstance(value, str) and rules.get("path"):
        return os.path.abspath(os.path.expanduser(value))
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = _float(value)
    if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
        words = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
        raise ValueError(f"must be {words[kind]}" + _or_special(rules))
    if isinstance(value, int) and kind is int and abs(value) >= 2**63 and "high" not in rules:
        raise ValueError("must be at most 9223372036854775807")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("must be a finite number" + _or_special(rules))
    return value


def _from_json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _float(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        raise ValueError("is beyond the largest number") from None


def _or_special(rules: Mapping[str, Any]) -> str:
    return "".join(f" or {word}" for word in rules.get("special", ()))


def _in_range(value: Any, rules: Mapping[str, Any]) -> None:
    if value is None:
        return
    if "choices" in rules:
        choices = rules["choices"]
        if not any(value is c or (isinstance(value, str) and value == c) for c in choices):
            words = [str(c).lower() if isinstance(c, bool) else str(c) for c in choices]
            raise ValueError(f"must be one of {', '.join(words)}{nearest(str(value), words)}")
        return
    for rule, word, holds in (
        ("low", "at least", lambda v, b: v >= b),
        ("high", "at most", lambda v, b: v <= b),
        ("above", "above", lambda v, b: v > b),
        ("below", "below", lambda v, b: v < b),
    ):
        if rule in rules and isinstance(value, int | float) and not holds(value, rules[rule]):
            raise ValueError(f"must be {word} {rules[rule]}")
