"""One value of a config, checked against the type and the rules of its key: converted, or refused."""

import json
import math
import operator
import os
import re
import types
import typing
from collections.abc import Mapping
from dataclasses import Field
from typing import Any

from experiments.config.database_uri import checked_uri, without_password
from experiments.errors import nearest

WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
BOUNDS = {
    "low": ("at least", operator.ge), "high": ("at most", operator.le),
    "above": ("above", operator.gt), "below": ("below", operator.lt),
}  # fmt: skip
LARGEST_INT = 2**63 - 1


def checked(path: str, field: Field, value: Any, problems: list[str]) -> Any:
    """`value` as the field of a schema takes it; what is wrong with it joins `problems`, one line that names `path`."""
    try:
        return _taken(field.type, value, field.metadata)
    except ValueError as reason:
        said = "null" if value is None else without_password(str(value)) if field.metadata.get("uri") else value
        problems.append(f"{path}={said}: {reason}")
        return value


def _taken(kind: Any, value: Any, rules: Mapping[str, Any]) -> Any:
    """`value` as the annotated type. Raises ValueError with the reason against it."""
    if isinstance(kind, types.UnionType):  # beside the type: null, or the words of `choices` and `special`
        if value is None and types.NoneType in typing.get_args(kind):
            return None
        kind = typing.get_args(kind)[0]
    inner = typing.get_args(kind)
    if isinstance(value, str) and value.endswith(rules.get("file", ())):
        return os.path.abspath(os.path.expanduser(value))
    if typing.get_origin(kind) is list:
        return [_taken(inner[0], v, rules) for v in _entries(value, inner[0], rules)]
    if "choices" in rules:
        return _chosen(value, rules["choices"], rules.get("dotted", ()))
    if typing.get_origin(kind) is dict:
        return {str(k): _taken(inner[1], v, rules) for k, v in _pairs(value).items()}
    return _single(kind, value, rules)


def _chosen(value: Any, choices: tuple[Any, ...], dotted: tuple[str, ...]) -> Any:
    """One of `choices`, or one of `dotted` by itself or with a name after a dot."""
    if isinstance(value, str) and value.partition(".")[0] in dotted and not value.endswith("."):
        return value
    if any(value == choice and type(value) is type(choice) for choice in choices):  # 1 is not true
        return value
    words = [str(c).lower() if isinstance(c, bool) else str(c) for c in choices]
    words += [word for name in dotted for word in (name, f"{name}.TARGET")]
    raise ValueError(f"must be one of {', '.join(words)}{nearest(str(value), words)}")


def _entries(value: Any, kind: type, rules: Mapping[str, Any]) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"must be a list, as [{'a,b' if value is None else value}]")
    if len(value) != rules.get("length", len(value)):
        raise ValueError(f"must have {rules['length']} entries")
    if kind is str:  # columns may be called 2020
        value = [str(v) if type(v) is int else v for v in value]
        if odd := [v for v in value if not isinstance(v, str)]:
            raise ValueError(f"must be a list of texts; put quotes around {'null' if odd[0] is None else odd[0]}")
    return value


def _pairs(value: Any) -> Mapping[str, Any]:
    if isinstance(value, str) and value.startswith("{"):  # as `quoting` writes names that Hydra's grammar can't
        try:
            value = json.loads(value)
        except ValueError:
            value = None
    if not isinstance(value, Mapping):
        raise ValueError("must be pairs, as {a: b}")
    return value


def _single(kind: type, value: Any, rules: Mapping[str, Any]) -> Any:
    """A number, a text or a truth value. Whole numbers serve as floats."""
    special = rules.get("special", ())
    if isinstance(value, str) and value in special:
        return value
    if prefix := rules.get("prefixed"):
        if isinstance(value, str) and value.startswith(prefix) and value.removeprefix(prefix).isdecimal():
            return value
        special = (*special, f"{prefix}N")
    if isinstance(value, str) and rules.get("path"):
        if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]+://", value):
            raise ValueError("is an address, and what is there may be other rows next time; fetch it first, as with "
                             "curl -LO, and name the file")  # fmt: skip
        if not value.strip():  # it would be the folder that the command is called in
            raise ValueError("is empty; must be a file or folder")
        return os.path.abspath(os.path.expanduser(value))
    if isinstance(value, str) and rules.get("uri"):
        return checked_uri(value)
    if kind is float and type(value) is int:
        try:
            value = float(value)
        except OverflowError:
            raise ValueError("is beyond the largest number") from None
    finite = not isinstance(value, float) or math.isfinite(value)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool) or not finite:
        raise ValueError(" or ".join([f"must be {WORDS[kind] if finite else 'a finite number'}", *special]))
    if kind in (int, float):
        for rule, (word, holds) in BOUNDS.items():
            bound = rules.get(rule, LARGEST_INT if rule == "high" and kind is int else None)
            if bound is not None and not holds(value, bound):
                raise ValueError(f"must be {word} {bound}")
    return value
