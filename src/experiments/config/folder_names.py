"""Names of run folders: unique, sorted by time, legible in TensorBoard's list, safe on every file system."""

import os
import re
import secrets
import time
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache

LONGEST = 80
"""Characters of a folder's name at most."""
SHORT = 20
"""Values of no more characters stand in a name as they are."""
STAMP = re.compile(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d_([0-9a-f]{8})(_|$)")
"""How the name of a single run or of a sweep begins: when, and the eight letters that no other has."""


def stamp() -> str:
    """`<date>_<time>_<unique>`, the part of a folder's name that no other run has."""
    return f"{time.strftime('%Y-%m-%d_%H-%M-%S')}_{secrets.token_hex(4)}"


def run_name(overrides: Iterable[str]) -> str:
    """`<stamp>[_<overrides>]`, at most 80 characters."""
    unique = stamp()
    words = legible(overrides, LONGEST - len(unique) - 1)
    return f"{unique}_{words}" if words else unique


def job_name(number: int, overrides: Iterable[str], swept: Mapping[str, tuple[int, int]] | None = None) -> str:
    """`<number>[_<overrides>]` of a sweep's job, at most 80 characters. `swept`: as in `legible`."""
    words = legible(overrides, LONGEST - len(str(number)) - 1, swept)
    return f"{number}_{words}" if words else str(number)


def shared(overrides: Collection[str]) -> tuple[int, int]:
    """How many characters all these overrides of one key have in common at the start and the end of their values.

    Up to a sign between words, so that `path=/a/2023/t.csv` and `path=/a/2024/t.csv` differ in 2023 and 2024.
    """
    values = [override.partition("=")[2] for override in overrides]
    start = _to_whole_words(values)
    return start, _to_whole_words([value[start:][::-1] for value in values])


def legible(overrides: Iterable[str], room: int, swept: Mapping[str, tuple[int, int]] | None = None) -> str:
    """Overrides in at most `room` characters: `optimizer.lr=0.1 seed=3` as `lr=0.1_seed=3`; Hydra's own are left out.

    Of a path the last part is named, of a run its eight letters. With `swept` only its keys are named, and of their
    long values what differs: see `shared`. Where that is too long, the middle of long values is left out, and then
    the first of the overrides.
    """
    words = []
    for override in overrides:
        key, sign, value = override.lstrip("+~").partition("=")
        if key.startswith(("hydra.", "hydra/")) or (swept is not None and key not in swept):
            continue
        if swept is not None and len(value) > SHORT:
            start, end = swept[key]
            value = value[start : len(value) - end] or value
        elif len(value) > SHORT and value[:1] not in "[{":
            value = value.rstrip("/'\"").rpartition("/")[2]
            value = run.group(1) if (run := STAMP.match(value)) else value
        words.append((safe(key.rpartition(".")[2]) + sign, safe(value)))
    words = [word for word in words if any(word)]
    pieces: list[str] = []
    for longest in (room, 2 * SHORT, SHORT, SHORT // 2):
        pieces = [name + _without_middle(value, longest) for name, value in words]
        if len("_".join(pieces)) <= room:
            break
    while len(pieces) > 1 and len("_".join(pieces)) > room:
        pieces.pop(0)
    return _without_middle("_".join(pieces), room).rstrip("_-.,=")


def _to_whole_words(values: list[str]) -> int:
    return len(re.sub(r"[\w.]*$", "", os.path.commonprefix(values)))  # noqa: RUF071  # characters are meant


def _without_middle(text: str, longest: int) -> str:
    if len(text) <= longest:
        return text
    left = (longest - 2) // 2
    return f"{text[:left]}..{text[left + 2 - longest :]}"


@lru_cache(maxsize=1_000)
def safe(text: str) -> str:
    """`text` with nothing that a file system, a shell or a terminal could take amiss."""
    return re.sub(r"[^A-Za-z0-9.,=+-]+", "-", text).strip("-. ")
