"""The run folder while a run is under way: config first, records as they come, the result last."""

import contextlib
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
from torch import Tensor

from experiments.errors import UserError
from experiments.tracking.checkpoint import Checkpoints
from experiments.tracking.events import EventFile
from experiments.tracking.files import json_bytes, remove_leftovers, require_own_files, write_atomically
from experiments.tracking.lock import hold
from experiments.tracking.replay import put_in_place, replay
from experiments.tracking.run_log import RunLog

SECONDS_BETWEEN_FLUSHES = 1.0


class Tracker:
    """Writes config.json, run.log, metrics.jsonl, the event file and the checkpoints of one folder.

    A context manager. It holds the folder's lock from its construction to `close`.
    """

    writes = True
    """False in a process beside the one that does."""

    def __init__(
        self, folder: Path, plain: Mapping[str, Any], config_hash: str, tensorboard: bool, own_log: bool = True,
        resumed: bool = False,
    ) -> None:  # fmt: skip
        """Claim the folder by its config.json, or with `resumed` go on in it. Without `own_log` there is no run.log.

        Raises UserError when another run is there, has ended there, or is at work there; OSError as it comes.
        """
        self.folder, self.resumed = folder, resumed
        self.plain, self.config_hash = plain, config_hash
        self.checkpoints = Checkpoints(folder / "checkpoint")
        folder.mkdir(parents=True, exist_ok=True)
        if not resumed and any((folder / name).exists() for name in ("config.json", "result.json")):
            raise UserError(f"{folder}: there is a run in this folder already; choose another hydra.run.dir")
        places = [p for p in (folder, folder / "checkpoint", folder / "figures") if p.exists()]
        if resumed:
            for place in places:
                require_own_files(place)
        self._lock = hold(folder)
        try:
            for place in places:
                remove_leftovers(place)
            if resumed and (folder / "result.json").exists():
                raise UserError(f"{folder}: the run in this folder has ended; there is nothing to resume")
            if not resumed:
                write_atomically(folder / "config.json", json_bytes({**plain, "config_hash": config_hash}))
            self._metrics = (folder / "metrics.jsonl").open("ab")
            self._flushed = time.monotonic()
            self.events = EventFile(folder, hidden=resumed) if tensorboard else None
            self._log = RunLog(folder / "run.log") if own_log else None
        except BaseException:
            self._lock.release()
            raise

    def encoding(self, content: Mapping[str, Any]) -> None:
        """encoding.json: how the table's columns became numbers."""
        write_atomically(self.folder / "encoding.json", json_bytes(content))

    def sync(self) -> int:
        """Bring metrics.jsonl to the disk; its bytes."""
        self._metrics.flush()
        os.fsync(self._metrics.fileno())
        return self._metrics.tell()

    def rewind(self, offset: int) -> None:
        """Go on after the first `offset` bytes of metrics.jsonl: later lines will be recorded again.

        The event file is built anew from the lines kept, then takes the old one's place.
        """
        self._metrics.truncate(offset)
        self._metrics.seek(offset)
        if self.events is not None:
            replay(self.folder / "metrics.jsonl", self.events)
        put_in_place(self.folder, self.events)

    def record(self, epoch: int, step: int, values: Mapping[str, float]) -> None:
        """One line of metrics.jsonl and one record of the event file. Flushed at most once a second."""
        line = {"epoch": epoch, "step": step, **values}
        self._metrics.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
        if self.events is not None:
            self.events.scalars(epoch, values)
        if time.monotonic() - self._flushed > SECONDS_BETWEEN_FLUSHES:
            self.flush()

    def figure(self, tag: str, png: bytes, epoch: int) -> None:
        """A figure for TensorBoard and as a PNG below figures/."""
        path = self.folder / "figures" / f"{tag.replace('/', '_')}.png"
        path.parent.mkdir(exist_ok=True)
        write_atomically(path, png, durable=False)
        if self.events is not None:
            self.events.image(tag, png, step=epoch)

    def weights(self, tensors: Mapping[str, Tensor]) -> None:
        """model.safetensors, without metadata: the same weights are the same bytes."""
        from safetensors.torch import save

        content = save({name: t.detach().cpu().clone().contiguous() for name, t in tensors.items()})  # tied: twice
        write_atomically(self.folder / "model.safetensors", content)

    def flush(self) -> None:
        """Hand everything recorded so far to the operating system."""
        self._metrics.flush()
        if self.events is not None:
            self.events.flush()
        self._flushed = time.monotonic()

    def close(self) -> None:
        """Close every file and release the folder; closing twice is fine."""
        with contextlib.ExitStack() as stack:  # each is closed, whatever the others raise
            stack.callback(self._lock.release)
            if self.events is not None:
                stack.callback(self.events.close)
            stack.callback(self._metrics.close)
            if self._log is not None:
                stack.callback(self._log.close)

    def __enter__(self) -> "Tracker":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
            return
        with contextlib.suppress(OSError):  # a full disk is full here too; the first error is the one to tell
            if self.events is not None:
                self.events.end(failed=True)
        with contextlib.suppress(OSError):
            self.close()
