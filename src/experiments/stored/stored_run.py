"""One stored run as data: its config, its result, the last values of a run without one, and its curves."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from experiments.errors import one_line
from experiments.stored import run_files

TAIL = 65_536
"""Bytes at the end of metrics.jsonl in which a run's last record is looked for."""
STATUSES = ("completed", "diverged", "stopped_early", "failed")
UNFINISHED = "unfinished"


@dataclass(frozen=True)
class Stored:
    """`result` is None for a run that is under way or was interrupted; `last` are then its last logged values."""

    folder: str
    config: dict[str, Any]
    result: dict[str, Any] | None
    last: dict[str, Any]

    @property
    def status(self) -> str:
        return UNFINISHED if self.result is None else self.result["status"]


def read(folder: str) -> Stored:
    """Read one run's config and result. Raises ValueError (one line) for what is not whole or was tampered with."""
    try:
        config = run_files.read_json(folder, "config.json")
        try:
            result = run_files.read_json(folder, "result.json")
        except FileNotFoundError:
            return Stored(folder, config, None, last_record(folder))
        check(result)
        return Stored(folder, config, result, {})
    except OSError as error:
        raise ValueError(f"can't be read ({error.strerror or error})") from None


def check(result: Mapping[str, Any]) -> None:
    """Raise ValueError unless what is compared has the type that a run writes."""
    if result.get("status") not in STATUSES:
        raise ValueError(
            f"result.json: status is {one_line(result.get('status'))}; must be one of {', '.join(STATUSES)}"
        )
    for name in ("metrics", "timing", "environment", "rows"):
        if not isinstance(result.get(name), dict):
            raise ValueError(f"result.json: {name} is missing")
    for name in ("epochs", "steps", "seed", "lr"):
        _number(name, result.get(name))
    for section in ("metrics", "timing"):
        for name, value in result[section].items():
            for number in value if isinstance(value, list) else [value]:
                _number(f"{section}.{name}", number)
    for name in ("features", "targets"):
        value = result.get(name)
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            raise ValueError(f"result.json: {name} is no list of names")
        if len(set(value)) < len(value):
            raise ValueError(f"result.json: {name} has a name twice")


def _number(name: str, value: Any) -> None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise ValueError(f"result.json: {name} is {one_line(value)!r}, not a number")


def last_record(folder: str) -> dict[str, Any]:
    """The last whole line of metrics.jsonl; empty when there is none."""
    try:
        lines = run_files.read(folder, "metrics.jsonl", last=TAIL).split(b"\n")
    except FileNotFoundError:
        return {}
    for line in reversed(lines):
        if record := _record(line):
            return record
    return {}


def records(folder: str) -> list[dict[str, Any]]:
    """Every whole line of metrics.jsonl; a line still being written is left out. Raises ValueError, OSError."""
    try:
        content = run_files.read(folder, "metrics.jsonl")
    except FileNotFoundError:
        return []
    whole = content[: content.rfind(b"\n") + 1].rstrip(b"\n")
    try:  # one call for all the lines
        found = orjson.loads(b"[" + whole.replace(b"\n", b",") + b"]")
        if all(isinstance(r, dict) and "epoch" in r for r in found):
            return found
    except orjson.JSONDecodeError:
        pass
    return [record for line in whole.split(b"\n") if (record := _record(line))]


def _record(line: bytes) -> dict[str, Any] | None:
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return record if isinstance(record, dict) and isinstance(record.get("epoch"), int) else None


def finite(value: Any) -> float | None:
    """`value` as a float, None for what is no finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
