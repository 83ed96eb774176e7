"""sweep.yaml: what a sweep leaves for a later session of it, and who is at work in its folder."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from experiments.errors import UserError
from experiments.sweeps.compose.overrides import key_of
from experiments.tracking.files import json_bytes, read_json, remove_leftovers, write_atomically
from experiments.tracking.lock import SWEEP, hold, let_go
from experiments.tracking.pack_files import remove_unfinished

LARGEST = 2**20
"""Bytes of a sweep.yaml at most."""
SAFE_OF_HYDRA = re.compile(
    r"hydra/(launcher|sweeper)=(stacked|search)|hydra\.sweep\.subdir=([\w./=,+'\" -]|\$\{(hydra:)?[\w.]+\})*"
)
"""The launcher and sweeper that are ours; names of folders from the config alone, which are kept inside the sweep's."""


def write(folder: Path, arguments: Sequence[str], swept: Iterable[str], fixed: dict[str, Any] | None) -> None:
    """Write sweep.yaml (JSON, which is YAML too), before the first job.

    `swept` are the keys with several values, `fixed` the flat settings that all jobs share, where they are known.
    Raises UserError when a sweep is there already.
    """
    if (folder / "sweep.yaml").exists():
        raise UserError(
            f"{folder}: there is a sweep in this folder already; to go on with it add sweep.resume={folder}"
        )
    folder.mkdir(parents=True, exist_ok=True)
    content = {"arguments": list(arguments), "swept": sorted(swept), "fixed": fixed}
    write_atomically(folder / "sweep.yaml", json_bytes(content))


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
        odd = argument.lstrip("+~").startswith("hydra") or "${" in argument or argument.startswith("-")
        if odd and not SAFE_OF_HYDRA.fullmatch(argument):
            raise UserError(
                f"{folder}: the stored argument {argument} is not run again unasked; give it yourself: "
                f"experiments -m {argument} ... sweep.resume={folder}"
            )
    return arguments


def extents(folder: Path) -> list[int]:
    """The numbers of trials that the sessions of a stored search were asked for, as they grew. Raises UserError."""
    content = read(folder)
    first = [(content.get("fixed") or {}).get("search.trials")]
    found = content.get("trials", first)
    return [n for n in (found if isinstance(found, list) else first) if isinstance(n, int)]


def extend(folder: Path, trials: int) -> None:
    """Have a stored search end after so many trials, fewer than which have ended. Raises UserError, OSError."""
    content, before = read(folder), extents(folder)
    after = [*(n for n in before if n < trials), trials]
    if after != before:
        arguments = [a for a in content["arguments"] if key_of(a) != "search.trials"]
        changed = {"arguments": [*arguments, f"search.trials={trials}"], "trials": after}
        write_atomically(folder / "sweep.yaml", json_bytes({**content, **changed}))


def require_same_settings(folder: Path, fixed: dict[str, Any] | None, swept: set[str]) -> None:
    """Raise UserError when a setting that neither sweep varies differs from the stored one."""
    stored = read(folder)
    before, before_swept = stored.get("fixed"), stored.get("swept")
    if not isinstance(before, dict) or fixed is None:
        return
    varied = swept | {str(name) for name in (before_swept if isinstance(before_swept, list) else [])}
    groups = {v for v in varied if "." not in v}
    for name in sorted(before.keys() | fixed.keys()):
        root = name.partition(".")[0]
        if root in ("sweep", "tracking") or name in ("search.trials", "search.confirm", "search.storage"):
            continue
        if name in varied or root in groups or before.get(name) == fixed.get(name):
            continue
        raise UserError(
            f"{name}={fixed.get(name)}: the sweep in {folder} has {name}={before.get(name)}; "
            "start a sweep of its own, or leave the setting as it was"
        )


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """One session at a time in a sweep's folder. Raises UserError when another is at work there.

    Workers share the lock of their session: those of one that was killed may still be ending.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = hold(folder, SWEEP, patience=1.0)
    try:
        remove_leftovers(folder)
        remove_unfinished(folder)
        yield
    finally:
        let_go(folder, lock, SWEEP)
