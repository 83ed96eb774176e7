"""The folders of a pack's jobs: the same files, with the same content, as a run of its own writes.

Half of a job's cost is creating its files, so each is one open, one write, one close, and nothing is looked up twice.
"""

import os
import socket
from typing import Any

import numpy as np
import orjson
from safetensors.numpy import save
from torch import Tensor

from experiments.sweeps import event_bytes
from experiments.sweeps.composing import Job, config_texts
from experiments.sweeps.stack import Looks
from experiments.tracking.hparams import hparams
from experiments.tracking.result import Result, as_json

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
    os.makedirs(f"{folder}/.hydra", exist_ok=True)
    for name, text in config_texts(job, folder).items():
        if name == "config.json":
            write_whole(f"{folder}/{name}", text.encode())
        else:
            write_file(f"{folder}/{name}", text.encode())


def event_file_name(now: float, number: int) -> str:
    """The name of a job's event file, as TensorBoard's own writers form it."""
    return f"events.out.tfevents.{int(now):010d}.{socket.gethostname()}.{os.getpid()}.{number}"


class Records:
    """The looks of a pack as the bytes of its jobs' event files and metrics.jsonl."""

    def __init__(self, looks: Looks, steps: int, least: np.ndarray, began: float, ended: float) -> None:
        """`steps` of an epoch; `least` (R,) the smallest possible loss, NaN where unknown."""
        self.looks, self.began, self.ended = looks, began, ended
        self.columns: dict[str, np.ndarray] = {"loss/train": looks.train}
        if looks.validation is not None:
            self.columns["loss/validation"] = looks.validation
        if not np.isnan(least).all():
            with np.errstate(invalid="ignore"):
                self.columns["loss/gap"] = looks.train - least[:, None]
        self.columns["optimizer/lr"] = looks.lr
        # the wall times of the looks are spread evenly over the training that the runs went through together
        times = np.linspace(began, ended, len(looks.epochs) + 1)[1:]
        with np.errstate(over="ignore"):
            values = np.stack(list(self.columns.values()), axis=2).astype(np.float32)
        self._events = event_bytes.scalars(tuple(self.columns), looks.epochs, times, values)
        widths = np.array([len(event_bytes.varint(int(epoch))) for epoch in looks.epochs], dtype=np.int64)
        fixed = (self._events.shape[1] - widths.sum()) // max(1, len(widths))
        self._starts = np.concatenate([[0], np.cumsum(widths + fixed)])
        self._heads = [b'{"epoch":%d,"step":%d' % (epoch, epoch * steps) for epoch in looks.epochs.tolist()]
        self._keys = [f',"{tag}":'.encode() for tag in self.columns]

    def events(self, run: int) -> bytes:
        """The scalar records of one run."""
        row, due, starts = self._events[run], self.looks.due[run], self._starts
        if due.all():
            return row.tobytes()
        return b"".join(row[starts[i] : starts[i + 1]].tobytes() for i in np.flatnonzero(due))

    def metrics(self, run: int) -> bytes:
        """metrics.jsonl of one run."""
        chosen = np.flatnonzero(self.looks.due[run])
        texts = [
            orjson.dumps(np.ascontiguousarray(column[run, chosen]), option=NUMBER)[1:-1].split(b",")
            for column in self.columns.values()
        ]
        lines = []
        for row, look in enumerate(chosen.tolist()):
            parts = [self._heads[look]]
            for key, column in zip(self._keys, texts, strict=True):
                parts += (key, column[row])
            lines.append(b"".join(parts))
        return b"}\n".join(lines) + b"}\n" if lines else b""


def finish(job: Job, folder: str, records: Records, run: int, weights: dict[str, np.ndarray], result: Result) -> None:
    """What training adds to a job's folder; result.json last."""
    if job.value("tracking.tensorboard"):
        shown = hparams_of(job, result.lr)
        content = b"".join([
            event_bytes.header(records.began), event_bytes.session_start(shown, records.began),
            records.events(run), event_bytes.session_end(records.ended),
        ])  # fmt: skip
        write_file(f"{folder}/{event_file_name(records.began, job.number)}", content)
    write_file(f"{folder}/metrics.jsonl", records.metrics(run))
    write_file(f"{folder}/model.safetensors", save(weights))
    write_whole(f"{folder}/result.json", orjson.dumps(as_json(result), option=RESULT))


RESULT = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY


def hparams_of(job: Job, lr: float | None) -> dict[str, Any]:
    """The columns of the HParams page: those of the job's form, with the job's own values."""
    form = job.form
    assert form is not None
    base = form.__dict__.get("_hparams")
    if base is None:
        base = form.__dict__["_hparams"] = hparams(form.normal, None)
    shown = dict(base)
    for path, value in zip(form.paths, job.values, strict=True):
        shown.pop(path, None)
        if path.partition(".")[0] not in ("sweep", "tracking"):
            shown |= hparams({path: value}, None)
    if lr is not None:
        shown["optimizer.lr"] = float(lr)
    return shown


def saved_weights(trained: Tensor, original: np.ndarray, scaling: Any, bias: bool) -> dict[str, np.ndarray]:
    """What model.safetensors holds, as `runner.saved_weights` lays it down. Both (targets, columns)."""
    features = original.shape[1] - 1
    bits = trained.cpu().numpy()
    plain = {"weight": np.ascontiguousarray(bits[:, :features])}
    if bias:
        plain["bias"] = np.ascontiguousarray(bits[:, features])
    if scaling is None:
        return plain
    return {
        "weight": np.ascontiguousarray(original[:, :features]),
        "bias": np.ascontiguousarray(original[:, features]),
        **{f"trained.{k}": v for k, v in plain.items()},
        **{f"scaling.{k}": v.numpy() for k, v in vars(scaling).items()},
    }


def failed(job: Job, folder: str, result: Result) -> None:
    """The folder of a job that was refused: its overrides, and result.json with the reason."""
    from experiments.sweeps.templates import yaml_list

    os.makedirs(f"{folder}/.hydra", exist_ok=True)
    write_file(f"{folder}/.hydra/overrides.yaml", yaml_list(job.overrides).encode())
    write_whole(f"{folder}/result.json", orjson.dumps(as_json(result), option=RESULT))
