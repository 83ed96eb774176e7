"""The run folder while a run is under way: config first, records as they come, the result last."""

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
from torch import Tensor

from experiments.errors import UserError
from experiments.tracking.events import EventFile
from experiments.tracking.files import json_bytes, write_atomically

log = logging.getLogger("experiments")
SECONDS_BETWEEN_FLUSHES = 1.0


class Tracker:
    """Writes config.json, run.log, metrics.jsonl and the event file of one folder. A context manager."""

    def __init__(
        self, folder: Path, plain: Mapping[str, Any], config_hash: str, tensorboard: bool, own_log: bool = True
    ) -> None:
        """Claim the folder by its config.json; without `own_log` (in a sweep) there is no run.log.

        Raises UserError when another run is there, OSError as it comes.
        """
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        if any((folder / name).exists() for name in ("config.json", "result.json")):
            raise UserError(f"{folder}: there is a run in this folder already; choose another hydra.run.dir")
        write_atomically(folder / "config.json", json_bytes({**plain, "config_hash": config_hash}))
        self._open(tensorboard, own_log)

    def _open(self, tensorboard: bool, own_log: bool) -> None:
        path = self.folder / "run.log"
        self._handler = logging.FileHandler(path, encoding="utf-8") if own_log else logging.NullHandler()
        self._handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        log.addHandler(self._handler)
        log.setLevel(logging.INFO)
        self._metrics = (self.folder / "metrics.jsonl").open("ab")
        self._flushed = time.monotonic()
        self.events = EventFile(self.folder) if tensorboard else None

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

        content = save({name: t.detach().cpu().contiguous() for name, t in tensors.items()})
        write_atomically(self.folder / "model.safetensors", content)

    def flush(self) -> None:
        """Hand everything recorded so far to the operating system."""
        self._metrics.flush()
        if self.events is not None:
            self.events.flush()
        self._flushed = time.monotonic()

    def close(self) -> None:
        """Close every file; closing twice is fine."""
        log.removeHandler(self._handler)
        self._handler.close()
        try:
            self._metrics.close()
        finally:
            if self.events is not None:
                self.events.close()

    def __enter__(self) -> "Tracker":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and self.events is not None:
            self.events.end("failure")
        self.close()
