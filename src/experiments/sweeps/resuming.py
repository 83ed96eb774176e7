"""What a sweep leaves for a later session (sweep.yaml), and what a later session finds (the job folders)."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from experiments.errors import UserError
from experiments.sweeps.compose.jobs import Job
from experiments.tracking.files import json_bytes, read_json, remove_leftovers, write_atomically
from experiments.tracking.hparams import flat
from experiments.tracking.lock import SWEEP, hold, let_go
from experiments.tracking.result import Result, read_result

ENDED = ("completed", "diverged", "stopped_early")
LARGEST = 2**20
SAFE_OF_HYDRA = ("hydra/launcher=stacked", "hydra/sweeper=stacked")


@dataclass
class Found:
    """The jobs of a folder: by the hash of their config, or by their overrides where there is none."""

    by_hash: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    by_overrides: dict[tuple[str, ...], list[tuple[int, str]]] = field(default_factory=dict)
    results: dict[int, tuple[Result, tuple[str, ...]]] = field(default_factory=dict)
    """Of the jobs that ended, with their overrides."""
    begun: dict[int, str] = field(default_factory=dict)
    """Folders that were cut off before they said whose they are: number and name."""
    numbers: set[int] = field(default_factory=set)


def write(folder: Path, arguments: Sequence[str], swept: Iterable[str], fixed: dict[str, Any] | None) -> None:
    """sweep.yaml (JSON, which is YAML too), before the first job. Raises UserError when a sweep is there already."""
    if (folder / "sweep.yaml").exists():
        raise UserError(
            f"{folder}: there is a sweep in this folder already; to go on with it add sweep.resume={folder}"
        )
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(
        folder / "sweep.yaml", json_bytes({"arguments": list(arguments), "swept": sorted(swept), "fixed": fixed})
    )


def read(folder: Path) -> dict[str, Any]:
    """The content of sweep.yaml. Raises UserError for a folder that has none, or none that can be read."""
    try:
        content = read_json(folder / "sweep.yaml", LARGEST)
    except FileNotFoundError:
        raise UserError(f"{folder}: no sweep to go on with, there is no sweep.yaml in it") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{folder}: {error}") from None
    arguments = content.get("arguments") if isinstance(content, dict) else None
    if not isinstance(arguments, list) or not all(isinstance(a, str) for a in arguments):
        raise UserError(f"{folder}: sweep.yaml lists no arguments")
    return content


def stored_arguments(folder: Path) -> list[str]:
    """The arguments of a stored sweep, fit to be run again by `experiments resume`.

    A folder may come from anybody: arguments that name plugins or callbacks of Hydra, or that refer to the
    environment, are refused; whoever trusts them gives them again. Raises UserError.
    """
    arguments = read(folder)["arguments"]
    for argument in arguments:
        of_hydra = argument.lstrip("+~").startswith("hydra") and argument not in SAFE_OF_HYDRA
        if of_hydra or "${" in argument or argument.startswith("-"):
            raise UserError(
                f"{folder}: the stored argument {argument} is not run again unasked; give it yourself: "
                f"experiments -m {argument} ... sweep.resume={folder}"
            )
    return arguments


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """One session at a time in a sweep's folder. Raises UserError when another is at work there.

    Workers have inherited the lock: those of a session that was killed may still be dying.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = hold(folder, SWEEP, patience=1.0)
    try:
        remove_leftovers(folder)
        yield
    finally:
        let_go(folder, lock, SWEEP)


def same_settings(stored: dict[str, Any], fixed: dict[str, Any] | None, swept: set[str], folder: Path) -> None:
    """Raise UserError when a setting that neither sweep varies differs from the stored one."""
    before = stored.get("fixed")
    if not isinstance(before, dict) or fixed is None:
        return
    before_swept = stored.get("swept")
    varied = swept | {str(name) for name in (before_swept if isinstance(before_swept, list) else [])}
    groups = {v for v in varied if "." not in v}
    for name in sorted(before.keys() | fixed.keys()):
        root = name.partition(".")[0]
        if name in varied or root in groups or root in ("sweep", "tracking") or before.get(name) == fixed.get(name):
            continue
        raise UserError(
            f"{name}={fixed.get(name)}: the sweep in {folder} has {name}={before.get(name)}; "
            "start a sweep of its own, or leave the setting as it was"
        )


def settings(plain: dict[str, Any]) -> dict[str, Any]:
    """The flat settings of a sweep's jobs, as sweep.yaml keeps them."""
    return flat(plain)


def scan(folder: Path) -> Found:
    """The job folders of a sweep. What can't be read counts as unfinished."""
    found = Found()
    with os.scandir(folder) as entries:
        places = sorted(e.name for e in entries if e.is_dir(follow_symlinks=False) and e.name[:1].isdigit())
    for name in places:
        text = name.partition("_")[0]
        if not text.isdigit():
            continue
        number, place = int(text), folder / name
        found.numbers.add(number)
        overrides = _overrides(place)
        try:
            digest = str(read_json(place / "config.json", LARGEST)["config_hash"])
            found.by_hash.setdefault(digest, []).append((number, name))
        except (OSError, ValueError, KeyError, TypeError):
            found.by_overrides.setdefault(overrides, []).append((number, name))
            found.begun[number] = name
            continue
        try:
            result = read_result(place)
        except (OSError, ValueError):
            continue
        if result.status in ENDED and _has_files(place):
            found.results[number] = (result, overrides)
    return found


def match(jobs: Sequence[Job], found: Found) -> list[Job]:
    """The jobs still to be run. A job that the folder knows takes its number and its folder's name.

    Any other keeps its own number if that is free, or if the folder of that number is its own, cut off before it
    said so; else it takes the next one.
    """
    remaining, unknown = [], []
    for job in jobs:
        known = found.by_hash.get(job.digest) if job.digest else None
        known = known or (found.by_overrides.get(job.overrides) if job.overrides else None)
        if not known:
            unknown.append(job)
            continue
        job.number, job.name = known.pop(0)
        found.begun.pop(job.number, None)
        if job.number not in found.results:
            remaining.append(job)
    new = []
    for job in unknown:
        if job.number in found.numbers and found.begun.pop(job.number, None) != job.name:
            new.append(job)
        found.numbers.add(job.number)
    for number, job in enumerate(new, max(found.numbers, default=-1) + 1):
        job.number, job.name = number, ""
    return sorted(remaining + unknown, key=lambda job: job.number)


def _has_files(folder: Path) -> bool:
    """Whether an ended job has its weights: a machine that lost power may keep a name and lose the bytes."""
    try:
        return (folder / "model.safetensors").stat().st_size > 0
    except OSError:
        return False


def _overrides(folder: Path) -> tuple[str, ...]:
    """A job's overrides as .hydra/overrides.yaml lists them; () where that can't be read."""
    try:
        with (folder / ".hydra" / "overrides.yaml").open("rb") as file:
            text = file.read(LARGEST + 1)
        if len(text) > LARGEST or b"&" in text or not text.endswith(b"\n"):  # nothing that grows, nothing cut off
            return ()
        content = yaml.safe_load(text)
    except (OSError, yaml.YAMLError):
        return ()
    return tuple(map(str, content)) if isinstance(content, list) else ()
