"""The checkpoints of an unfinished run: `checkpoint/<step>-<checksum>.safetensors`, the last two.

A checkpoint is one file, so it is there whole or not at all: tensors, and plain facts as JSON in the header.
The checksum in its name (CRC-32C of the whole file) tells a damaged one, which is passed over for the one
before. Nothing here knows what the tensors mean: `running/run_state.py` does.
"""

import contextlib
import logging
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import google_crc32c
import orjson
from torch import Tensor

from experiments.tracking.files import read_bytes, write_atomically

log = logging.getLogger("experiments")
KEPT = 2
NAME = re.compile(r"(\d{1,20})-([0-9a-f]{8})\.safetensors")


@dataclass(frozen=True)
class Checkpoint:
    """Plain facts (JSON) and named tensors."""

    facts: dict[str, Any]
    tensors: dict[str, Tensor]


class Checkpoints:
    """The folder `checkpoint/` of one run. Only the process that holds the run's lock may write or remove."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, checkpoint: Checkpoint, step: int) -> None:
        """Write a checkpoint atomically, then remove all but the last two. Raises OSError."""
        content = encode(checkpoint)
        write_atomically(self.folder / f"{step:012d}-{google_crc32c.value(content):08x}.safetensors", content)
        for path in self._newest_first()[KEPT:]:
            path.unlink(missing_ok=True)

    def readable(self, limit: int) -> Iterator[Checkpoint]:
        """The undamaged checkpoints of at most `limit` bytes, newest first; a line in the log for each other."""
        for path in self._newest_first():
            try:
                content = read_bytes(path, limit)
                if f"{google_crc32c.value(content):08x}" != path.stem.partition("-")[2]:
                    raise ValueError("its checksum differs")
                yield decode(content)
            except (OSError, ValueError) as error:
                log.warning("checkpoint %s is passed over: %s", path.name, error)

    def remove(self) -> None:
        """Remove the folder: the run has ended."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _newest_first(self) -> list[Path]:
        with contextlib.suppress(FileNotFoundError):
            found = [(m, path) for path in self.folder.iterdir() if (m := NAME.fullmatch(path.name))]
            return [path for m, path in sorted(found, key=lambda f: (int(f[0][1]), f[1].name), reverse=True)]
        return []


def encode(checkpoint: Checkpoint) -> bytes:
    """The file of a checkpoint. Copies the tensors: two that share memory are stored as two."""
    from safetensors.torch import save

    tensors = {name: t.detach().cpu().clone().contiguous() for name, t in checkpoint.tensors.items()}
    return save(tensors, {"facts": orjson.dumps(checkpoint.facts).decode()})


def decode(content: bytes) -> Checkpoint:
    """The checkpoint in a file's bytes. Raises ValueError for what is none, lying headers included."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        tensors = load(content)  # checks every offset, shape and type against the bytes that are there
        length = int.from_bytes(content[:8], "little")
        facts = orjson.loads(orjson.loads(content[8 : 8 + length])["__metadata__"]["facts"])
    except (SafetensorError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise ValueError(f"it is no checkpoint: {error}") from None
    if not isinstance(facts, dict):
        raise ValueError("it is no checkpoint: its facts are no mapping")
    return Checkpoint(facts, tensors)
