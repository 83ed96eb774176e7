"""The folders of a pack's jobs: the same files, with the same content, as a run of its own writes.

Half of a job's cost is creating its files, so each is one open, one write, one close, and nothing is looked up twice.
"""

import itertools
import os
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
from safetensors.numpy import save

from experiments.config.schema import UNHASHED
from experiments.sweeps.compose.jobs import Job, config_texts
from experiments.sweeps.stacked import event_bytes
from experiments.tracking import event_records
from experiments.tracking.files import json_bytes
from experiments.tracking.hparams import hparams
from experiments.tracking.result import Result, as_json

if TYPE_CHECKING:
    from experiments.sweeps.stacked.stacked_training import Evaluations

NUMBER = orjson.OPT_SERIALIZE_NUMPY


def write_file(path: str, content: bytes) -> None:
    """Create a file with this content. OSError as it comes."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        while content:
            content = content[os.write(handle, content) :]
    finally:
        os.close(handle)


def write_whole(path: str, content: bytes) -> None:
    """Like `write_file`, but the file is there whole or not at all."""
    temporary = f"{path}.tmp"
    write_file(temporary, content)
    os.replace(temporary, path)


def begin(job: Job, folder: str) -> None:
    """What stands in a job's folder before it is trained: Hydra's files and config.json."""
    os.mkdir(folder)  # an attempt that did not end has been cleared away
    write_texts(folder, config_texts(job, folder))


def write_texts(folder: str, texts: dict[str, str]) -> None:
    """Hydra's files and config.json, into a folder that is there."""
    os.mkdir(f"{folder}/.hydra")
    for name, text in texts.items():
        if name == "config.json":
            write_whole(f"{folder}/{name}", text.encode())
        else:
            write_file(f"{folder}/{name}", text.encode())


def event_file_name(now: float, number: int, host: str | None = None, pid: int | None = None) -> str:
    """The name of a job's event file, as TensorBoard's own writers template it; by default this process's."""
    return f"events.out.tfevents.{int(now):010d}.{host or socket.gethostname()}.{pid or os.getpid()}.{number}"


class Records:
    """The evaluations of a pack as the bytes of its jobs' event files and metrics.jsonl."""

    def __init__(self, evaluations: "Evaluations", steps: int, began: float, ended: float) -> None:
        """`steps` of an epoch."""
        self.evaluations, self.began = evaluations, began
        self.header, self.footer = event_records.header(began), event_records.session_end(ended)
        self.columns = evaluations.values
        # the wall times of the evaluations are spread evenly over the training that the runs went through together
        times = np.linspace(began, ended, len(evaluations.epochs) + 1)[1:]
        self._values = np.stack(list(self.columns.values()), axis=2)
        with np.errstate(over="ignore"):
            values = self._values.astype(np.float32)
        self._events = event_bytes.scalars(tuple(self.columns), evaluations.epochs, times, values)
        widths = np.array([len(event_records.varint(int(epoch))) for epoch in evaluations.epochs], dtype=np.int64)
        fixed = (self._events.shape[1] - widths.sum()) // max(1, len(widths))
        self._starts = np.concatenate([[0], np.cumsum(widths + fixed)])
        others = [b',"%b":' % tag.encode() for tag in self.columns][1:]
        first = b'}\n{"epoch":%d,"step":%d,"loss/train":'
        self._keys = [[first % (epoch, epoch * steps), *others] for epoch in evaluations.epochs.tolist()]
        """What stands before each number of a line: before its first one, the end of the line above."""

    def events(self, run: int) -> bytes:
        """The scalar records of one run."""
        row, due, starts = self._events[run], self.evaluations.due[run], self._starts
        if due.all():
            return row.tobytes()
        return b"".join(row[starts[i] : starts[i + 1]].tobytes() for i in np.flatnonzero(due))

    def metrics(self, run: int) -> bytes:
        """metrics.jsonl of one run."""
        due, values, lines = self.evaluations.due[run], self._values[run], self._keys
        if not due.all():
            values, lines = values[due], [self._keys[i] for i in np.flatnonzero(due)]
        if not lines:
            return b""
        pieces = [b""] * (2 * values.size)
        pieces[::2] = itertools.chain.from_iterable(lines)
        pieces[1::2] = orjson.dumps(values.reshape(-1), option=NUMBER)[1:-1].split(b",")
        return b"".join(pieces)[2:] + b"}\n"


def finish(job: Job, folder: str, records: Records, run: int, weights: bytes, result: Result) -> None:
    """What training adds to a job's folder; result.json last."""
    if job.value("tracking.tensorboard"):
        content = event_file(records, run, job_entries(job, result.lr))
        write_file(f"{folder}/{event_file_name(records.began, job.number)}", content)
    write_file(f"{folder}/metrics.jsonl", records.metrics(run))
    write_file(f"{folder}/model.safetensors", weights)
    write_whole(f"{folder}/result.json", json_bytes(as_json(result)))


def event_file(records: Records, run: int, entries: bytes) -> bytes:
    """The content of a job's event file; `entries` are its `hparam_entries`."""
    start = event_records.session_start(entries, records.began)
    return b"".join([records.header, start, records.events(run), records.footer])


def job_entries(job: Job, lr: float | None) -> bytes:
    """The columns of a job's HParams page."""
    template = job.template
    assert template is not None
    return hparam_entries(template.normal, template.paths, job.values, lr, template.cache)


def hparam_entries(
    normal: dict[str, Any], paths: Sequence[str], values: Sequence[Any], lr: float | None, cache: dict[str, Any]
) -> bytes:
    """The columns of the HParams page: those of a template's plain config, then a job's own values for its keys.

    `cache` is the template's.
    """
    base = cache.get("hparams")
    if base is None:
        shown = hparams(normal, None)
        for path in (*paths, "optimizer.lr"):
            shown.pop(path, None)
        base = cache["hparams"] = b"".join(event_records.hparam(n, v, type(v)) for n, v in shown.items())
    own = {path: v for path, v in zip(paths, values, strict=True) if path.partition(".")[0] not in UNHASHED}
    if lr is not None:
        own["optimizer.lr"] = float(lr)
    return base + b"".join(event_records.hparam(n, v, type(v)) for n, v in hparams(own, None).items())


class Weights:
    """model.safetensors of a pack's jobs, which differ only in their numbers: as `saved_weights` lays it down."""

    def __init__(self) -> None:
        self._head: bytes | None = None
        self._order: list[str] = []

    def content(self, tensors: dict[str, np.ndarray]) -> bytes:
        """The file for one job."""
        if self._head is None:
            whole = save({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()})
            size = 8 + int.from_bytes(whole[:8], "little")
            places = orjson.loads(whole[8:size])
            self._head, self._order = whole[:size], sorted(tensors, key=lambda n: places[n]["data_offsets"][0])
        return self._head + b"".join(tensors[name].tobytes() for name in self._order)
