"""What a later session of a sweep finds in its folder, and which jobs are left to run."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import yaml

from experiments.sweeps.compose.jobs import Job, measured_in
from experiments.tracking import packed
from experiments.tracking.files import read_bytes, read_json
from experiments.tracking.packed import PackedJob
from experiments.tracking.result import Result, read_result

ENDED = ("completed", "diverged", "stopped_early")
LARGEST = 2**20
"""Bytes of a job's config.json and overrides.yaml at most."""


@dataclass
class Found:
    """The jobs of a folder: by the hash of their config, or by their overrides where there is none."""

    by_hash: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    by_overrides: dict[tuple[str, ...], list[tuple[int, str]]] = field(default_factory=dict)
    ended: dict[int, tuple[Job, Result]] = field(default_factory=dict)
    """The jobs that ended, and what they came to."""
    begun: dict[int, str] = field(default_factory=dict)
    """Folders that were cut off before they said whose they are: number and name."""
    numbers: set[int] = field(default_factory=set)


def scan(folder: Path, jobs: Iterable[Job] = (), *, packs: bool = True) -> Found:
    """The job folders of a sweep: those that `hydra.sweep.subdir` names for `jobs`, else those of our own names.

    With `packs` also the jobs that are in its packs alone.
    What can't be read counts as unfinished.
    """
    found = Found()
    places = {job.name: job.number for job in jobs if job.subdir() is not None}
    if not places:
        with os.scandir(folder) as entries:
            names = sorted(e.name for e in entries if e.is_dir(follow_symlinks=False))
        places = {name: int(number) for name in names if (number := name.partition("_")[0]).isdecimal()}
    for name, number in places.items():
        if (folder / name).is_dir():
            look(folder / name, number, name, found)
    for pack in packed.packs(folder) if packs else ():
        for job in packed.opened(pack).jobs():
            if job.number not in found.ended:
                look_packed(job, found)
    return found


def look_packed(job: PackedJob, found: Found) -> None:
    """Add one job without a folder to what was found."""
    digest = job.about["config_hash"]
    found.numbers.add(job.number)
    found.by_hash.setdefault(digest, []).append((job.number, job.name))
    of = Job(job.number, tuple(job.overrides), job.name, digest=digest, stored=measured_in(orjson.loads(job.config())))
    found.ended[job.number] = of, Result(**job.result())


def look(place: Path, number: int, name: str, found: Found) -> None:
    """Add one job's folder to what was found."""
    found.numbers.add(number)
    overrides = _overrides(place)
    try:
        config = read_json(place / "config.json", LARGEST)
        digest = str(config["config_hash"])
    except (OSError, ValueError, KeyError, TypeError):
        found.by_overrides.setdefault(overrides, []).append((number, name))
        found.begun[number] = name
        return
    found.by_hash.setdefault(digest, []).append((number, name))
    if (result := ended(place)) is not None:
        found.ended[number] = Job(number, overrides, name, digest=digest, stored=measured_in(config)), result


def ended(place: Path) -> Result | None:
    """The result of a job that ended and did not fail.

    None where its weights are empty: a machine that lost power may keep a file's name and lose its bytes.
    """
    try:
        result = read_result(place)
        whole = (place / "model.safetensors").stat().st_size > 0
    except (OSError, ValueError):
        return None
    return result if whole and result.status in ENDED else None


def match(jobs: Sequence[Job], found: Found) -> tuple[list[Job], set[int]]:
    """The jobs still to be run, and the numbers of those whose folder holds an attempt that did not end.

    A job that the folder knows takes its number and its folder's name. Any other keeps its own number if that is
    free, or if the folder of that number is its own, cut off before it said so; else it takes the next one.
    """
    remaining, unknown, begun = [], [], set()
    for job in jobs:
        known = found.by_hash.get(job.digest) if job.digest else None
        known = known or (found.by_overrides.get(job.overrides) if job.overrides else None)
        if not known:
            unknown.append(job)
            continue
        job.number, job.name = known.pop(0)
        found.begun.pop(job.number, None)
        if job.number in found.ended:
            found.ended[job.number] = job, found.ended[job.number][1]  # with its template
        else:
            remaining.append(job)
            begun.add(job.number)
    new = []
    for job in unknown:
        if job.number in found.numbers:
            if found.begun.pop(job.number, None) == job.name:
                begun.add(job.number)
            else:
                new.append(job)
        found.numbers.add(job.number)
    for number, job in enumerate(new, max(found.numbers, default=-1) + 1):
        job.number, job.name = number, ""
    return sorted(remaining + unknown, key=lambda job: job.number), begun


def _overrides(place: Path) -> tuple[str, ...]:
    """A job's overrides as .hydra/overrides.yaml lists them; () where that can't be read."""
    try:
        text = read_bytes(place / ".hydra" / "overrides.yaml", LARGEST)
        whole = text.endswith(b"\n") and b"&" not in text  # not cut off, and nothing in it that grows
        content = yaml.safe_load(text) if whole else None
    except (OSError, ValueError, yaml.YAMLError):
        return ()
    return tuple(map(str, content)) if isinstance(content, list) else ()
