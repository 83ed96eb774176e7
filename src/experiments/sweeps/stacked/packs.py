"""One pack from jobs to finished folders: begun, trained as a stack, finished."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from experiments.config.validation import validate
from experiments.data.order import SORTED_ROWS
from experiments.learning import devices
from experiments.learning.losses import MSE
from experiments.running.ending import Trained, in_common, result_of
from experiments.sweeps.compose.jobs import Job
from experiments.sweeps.stacked import stacked_metrics, writing
from experiments.sweeps.stacked.settings import gather
from experiments.sweeps.stacked.stacked_tables import lay_out
from experiments.sweeps.stacked.stacked_training import train
from experiments.sweeps.stacked.table_cache import TableCache, Variant
from experiments.tracking import environment
from experiments.tracking.files import json_bytes, write_atomically
from experiments.tracking.result import Result

PACK_BYTES = 256 * 2**20
"""Bound of the memory that the tables, batches and losses of one pack take."""

EVALUATIONS_AT_ONCE = 20_000
"""Losses that are laid out for the files at a time."""

Folder = Callable[[Job], str]
Begin = Callable[[Job, str], None]
Done = Callable[[Job, Result], None]


class TooLarge(Exception):
    """A table that gains nothing from stacking; its jobs run one by one. The text says why."""


class Pack:
    """Jobs of one program that train at once; `begin`, `train` and `finish` in this order."""

    def __init__(self, jobs: Sequence[Job], variants: Sequence[Variant], chosen: Sequence[int]) -> None:
        """`variants` are the pack's tables, `chosen` says for each job which of them is its own."""
        self.jobs, self._variants, self._chosen = jobs, variants, chosen
        self.killed = 0
        """How often a process that trained these jobs was killed."""
        self._folders: list[str] = []

    def of(self, jobs: Sequence[Job]) -> "Pack":
        """Some of its jobs as a pack of their own."""
        table_of = dict(zip((job.number for job in self.jobs), self._chosen, strict=True))
        part = Pack(jobs, self._variants, [table_of[job.number] for job in jobs])
        part.killed = self.killed
        return part

    @property
    def on_cpu(self) -> bool:
        """Whether a forked process can train it."""
        return all(v.data.x.device.type == "cpu" for v in self._variants)

    def begin(self, folder: Folder, begin: Begin = writing.begin) -> None:
        """Make the folders with what stands in them before training. Raises OSError."""
        self._began = time.time()
        self._folders = [folder(job) for job in self.jobs]
        for job, place, v in zip(self.jobs, self._folders, self._chosen, strict=True):
            begin(job, place)
            if (encoding := self._variants[v].data.table.encoding) is not None:
                write_atomically(Path(place) / "encoding.json", json_bytes(encoding), durable=False)

    def train(self) -> None:
        """Train and assess all jobs, on one thread. Raises UserError for settings that no rule or schedule takes."""
        clock = time.perf_counter()
        variants, chosen = self._variants, self._chosen
        with one_thread():
            self._rates = [_rate(job, variants[v]) for job, v in zip(self.jobs, chosen, strict=True)]
            held = variants[0].data.held_out
            packed = gather(self.jobs, self._rates, chosen, 0 if held is None else len(held.x))
            tables = lay_out(
                [v.data for v in variants], [v.reference.optimum for v in variants], packed.bias,
                self.jobs[0].value("training.batch_size"),
            )  # fmt: skip
            self._trained = train(packed, tables)
            self._training_seconds = time.perf_counter() - clock
            self._assess(packed.bias)
            self._kept = self._trained.weights.cpu().numpy()
        self._steps = tables.steps
        self._layouts = [
            writing.Weights(v.data.scaling if v.data.standardized else None, packed.bias) for v in variants
        ]
        abouts = [
            environment.describe(devices.describe(v.data.x.device), 1, self.jobs[0].value("device.dtype"), v.digest)
            for v in variants
        ]
        self._common = [
            in_common(v.data, v.reference, about, "stacked") for v, about in zip(variants, abouts, strict=True)
        ]
        self._ended = time.time()
        self._seconds = time.perf_counter() - clock

    def _assess(self, bias: bool) -> None:
        """Metrics of every job, and its parameters in the table's units (R, targets, features + 1)."""
        self._metrics: list[dict[str, Any]] = [{}] * len(self.jobs)
        targets, features = self._variants[0].data.y.shape[1], self._variants[0].data.x.shape[1]
        self._parameters = np.zeros((len(self.jobs), targets, features + 1))
        for number, variant in enumerate(self._variants):
            runs = [r for r, v in enumerate(self._chosen) if v == number]
            weights = stacked_metrics.original(self._trained.weights[runs], variant.data, bias)
            self._parameters[runs] = weights.numpy()
            found = stacked_metrics.assess(weights, MSE(), variant.data, variant.reference.optimum)
            for run, its in zip(runs, found, strict=True):
                self._metrics[run] = its

    def parts(self) -> Iterator[slice]:
        """The jobs in portions for `finish`, within EVALUATIONS_AT_ONCE."""
        size = max(1, EVALUATIONS_AT_ONCE // max(1, len(self._trained.evaluations.epochs)))
        return (slice(first, first + size) for first in range(0, len(self.jobs), size))

    def finish(self, part: slice) -> list[tuple[Job, Result]]:
        """Write what these jobs came to, result.json last. Raises OSError."""
        evaluations = self._trained.evaluations.of(part)
        records = writing.Records(evaluations, self._steps, self._began, self._ended)
        finished = []
        for run in range(*part.indices(len(self.jobs))):
            job, variant, numbers = self.jobs[run], self._chosen[run], self._parameters[run]
            result = self._result(run)
            saved = self._layouts[variant].content(self._kept[run], numbers)
            writing.finish(job, self._folders[run], records, run - part.start, saved, result)
            finished.append((job, result))
        return finished

    def _result(self, run: int) -> Result:
        job, stack, count = self.jobs[run], self._trained, len(self.jobs)
        epochs = int(stack.epochs[run])
        trained = Trained(
            stack.status[run], epochs, int(stack.best_epoch[run]), epochs * self._steps, self._rates[run],
            self._metrics[run], self._parameters[run], self._training_seconds / count, self._seconds / count,
        )  # fmt: skip
        return result_of(trained, self._common[self._chosen[run]], job.digest, job.value("seed"))


def packs(jobs: Sequence[Job], cache: TableCache) -> list[Pack]:
    """Jobs of one program as packs within PACK_BYTES. Raises TooLarge, and UserError for data that can't be had."""
    keys = [tuple(job.value(k) for k in _DATA_KEYS if _has(job, k)) for job in jobs]
    order = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    first = dict(zip(reversed(keys), reversed(jobs), strict=True))
    variants = [cache.variant(first[key]) for key in order]
    table = variants[0].data.table
    if len(table.x) > SORTED_ROWS:
        raise TooLarge(f"the table has more than {SORTED_ROWS} rows")
    evaluations = max(job.value("training.epochs") // job.value("training.log_every") + 1 for job in jobs)
    size = len(table.x) * (table.x.shape[1] + len(table.targets) + 1) * 8 * 4 + evaluations * 8 * 8
    fits = max(1, PACK_BYTES // size)
    chosen = [order[key] for key in keys]
    found = []
    for start in range(0, len(jobs), fits):
        part = slice(start, start + fits)
        used = sorted(set(chosen[part]))
        found.append(Pack(jobs[part], [variants[v] for v in used], [used.index(v) for v in chosen[part]]))
    return found


def run_pack(jobs: Sequence[Job], folder: Folder, cache: TableCache, begin: Begin = writing.begin) -> list[Result]:
    """Train and write jobs of one program here and now. Raises TooLarge, UserError, OSError."""
    results = []
    for pack in packs(jobs, cache):
        pack.begin(folder, begin)
        pack.train()
        results += [result for part in pack.parts() for _, result in pack.finish(part)]
    return results


_DATA_KEYS = ("data.standardize", "data.seed", "data.noise")


def _has(job: Job, key: str) -> bool:
    assert job.template is not None
    return key.partition(".")[2] in job.template.normal["data"]


def _rate(job: Job, variant: Variant) -> float:
    rate = job.value("optimizer.lr")
    if rate != "auto":
        return float(rate)
    from experiments.running.automatic_rate import automatic_lr

    return automatic_lr(validate(job.plain()), variant.data, MSE())


class one_thread:
    """One thread for small stacks: with two, a busy neighbour on the machine makes 75 ms of training take seconds."""

    def __enter__(self) -> None:
        self._threads = torch.get_num_threads()
        torch.set_num_threads(1)

    def __exit__(self, *_: object) -> None:
        torch.set_num_threads(self._threads)
