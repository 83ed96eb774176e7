"""Names of run folders: unique, sorted by time, legible in TensorBoard's list, safe on every file system."""

import re
import secrets
import time
from collections.abc import Iterable

LONGEST = 80
"""Characters of a job's folder name at most."""


def stamp() -> str:
    """`<date>_<time>_<unique>`, the part of a folder's name that no other run has."""
    return f"{time.strftime('%Y-%m-%d_%H-%M-%S')}_{secrets.token_hex(4)}"


def run_name(overrides: Iterable[str]) -> str:
    """`<stamp>_<unique>[_<overrides>]`, at most 80 characters."""
    unique, words = stamp(), legible(overrides)
    return f"{unique}_{words}"[:LONGEST].rstrip("_-.,=") if words else unique


def job_name(number: int, overrides: Iterable[str]) -> str:
    """`<number>_<overrides>` of a sweep's job, at most 80 characters."""
    return f"{number}_{legible(overrides)}"[:LONGEST].rstrip("_-.,=")


def legible(overrides: Iterable[str]) -> str:
    """Overrides in few characters: `optimizer.lr=0.1 seed=3` as `lr=0.1_seed=3`; Hydra's own are left out."""
    words = []
    for override in overrides:
        name, separator, value = override.lstrip("+~").partition("=")
        if name == "hydra" or name.startswith(("hydra.", "hydra/")):
            continue
        words.append(safe(f"{name.rpartition('.')[2]}{separator}{value}"))
    return "_".join(words)


def safe(text: str) -> str:
    """`text` with nothing that a file system, a shell or a terminal could take amiss."""
    return re.sub(r"[^A-Za-z0-9.,=+-]+", "-", text).strip("-. ")
