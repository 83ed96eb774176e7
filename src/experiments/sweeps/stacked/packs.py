"""One pack from jobs to finished folders: begun, trained as one tensor program, finished."""

import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from experiments.config.validation import validate
from experiments.data.order import SORTED_ROWS
from experiments.data.prepared import Prepared
from experiments.errors import DataChanged, UserError
from experiments.learning import devices
from experiments.running.ending import Trained, in_common, result_of
from experiments.running.factories import build_loss
from experiments.running.measures.automatic_rate import automatic_lr
from experiments.sweeps.compose.halving import Halving
from experiments.sweeps.compose.jobs import Job
from experiments.sweeps.compose.packing import MOST_JOBS, chunks
from experiments.sweeps.stacked import writing
from experiments.sweeps.stacked.module_program import ModuleProgram, NotStacked
from experiments.sweeps.stacked.settings import gather
from experiments.sweeps.stacked.stacked_models import StackedModels
from experiments.sweeps.stacked.stacked_training import Evaluations, train
from experiments.sweeps.stacked.table_cache import Case, Elsewhere, TableCache
from experiments.tracking import environment
from experiments.tracking.files import json_bytes, write_atomically
from experiments.tracking.result import Result

PACK_BYTES = 256 * 2**20
"""Bound of the memory that the tables, batches and losses of one pack take."""

HALVED_STEP = 2**22
"""Products of a step at most where its jobs are halved: few of them go on, whose steps then cost what one costs."""
EVALUATIONS_AT_ONCE = 20_000
"""Losses that are laid out for the files at a time."""

Folder = Callable[[Job], str]
Begin = Callable[[Job, str], None]
Done = Callable[[Job, Any], None]
"""To be called with each job that has ended and its result, or its status."""


@dataclass(frozen=True)
class AsRows:
    """How jobs without folders are kept: as rows of their pack's tables."""

    curves: str
    """`sweep.curves`."""
    results: bool = True
    """Whether their results go to whoever waits for them; else only their statuses, and packs are larger."""


@dataclass(frozen=True)
class Came:
    """What a trained pack came to, besides its results; lists have an entry a job."""

    evaluations: Evaluations
    steps: int
    """Steps of an epoch."""
    saved: list[dict[str, np.ndarray]]
    """The tensors of model.safetensors by name."""
    cases: list[int]
    encodings: list[dict[str, Any] | None]
    """How the columns of each case's table became inputs."""
    began: float
    ended: float
    host: str
    pid: int


class Pack:
    """Jobs of one program that train at once; `begin`, `train` and `finish` in this order."""

    def __init__(self, jobs: Sequence[Job], cases: Sequence[Case], halving: Halving | None = None) -> None:
        """`cases`: the table of each job, with its reference solution. Jobs that `halving` ends get no folder."""
        self.halving = halving
        self.jobs, self._of_jobs = jobs, cases
        self._cases = list({id(case): case for case in cases}.values())
        places = {id(case): number for number, case in enumerate(self._cases)}
        self._chosen = [places[id(case)] for case in cases]
        """Which of the pack's cases is a job's."""
        self.killed = 0
        """How often a process that trained these jobs was killed."""

    def of(self, jobs: Sequence[Job]) -> "Pack":
        """Some of its jobs as a pack of their own."""
        case_of = dict(zip((job.number for job in self.jobs), self._of_jobs, strict=True))
        part = Pack(jobs, [case_of[job.number] for job in jobs], self.halving)
        part.killed = self.killed
        return part

    def without_tables(self) -> "Pack":
        """The same pack, to be sent or kept for long: with the hashes of its tables in place of the tables."""
        return self._with({id(case): Elsewhere(case.digest) for case in self._cases})

    def with_tables(self, cache: TableCache) -> "Pack":
        """The pack as it was before `without_tables`. Raises DataChanged where a table is another, and UserError."""
        found: dict[int, Any] = {}
        for job, case in zip(self.jobs, self._of_jobs, strict=True):
            if id(case) not in found:
                found[id(case)] = here = cache.case(job)
                if here.digest != case.digest:
                    raise DataChanged(f"the table has other values there (hash {here.digest}, not {case.digest})")
        return self._with(found)

    def _with(self, cases: dict[int, Any]) -> "Pack":
        other = Pack(self.jobs, [cases[id(case)] for case in self._of_jobs], self.halving)
        other.killed = self.killed
        return other

    @property
    def on_cpu(self) -> bool:
        """Whether a forked process can train it."""
        return all(case.data.x.device.type == "cpu" for case in self._cases)

    def begin(self, folder: Folder, begin: Begin = writing.begin, *, packed: bool = False) -> None:
        """Make the folders with what stands in them before training; none where it is `packed`. Raises OSError."""
        self._began = time.time()
        self._folder, self._begin = folder, begin
        if self.halving is None and not packed:
            for run in range(len(self.jobs)):
                self._make_folder(run)

    def _make_folder(self, run: int) -> None:
        job = self.jobs[run]
        place = self._folder(job)
        self._begin(job, place)
        if (encoding := self._of_jobs[run].data.table.encoding) is not None:
            write_atomically(Path(place) / "encoding.json", json_bytes(encoding), durable=False)

    def train(self) -> None:
        """Train and assess all jobs, on one thread. Raises UserError for settings that no rule or schedule takes."""
        clock = time.perf_counter()
        cases, first = self._cases, self.jobs[0]
        with one_thread():
            config = validate(first.plain())
            loss = build_loss(config)
            self._rates = [_rate(job, case, loss) for job, case in zip(self.jobs, self._of_jobs, strict=True)]
            tables = list({id(case.data): case.data for case in cases}.values())
            place = {id(data): number for number, data in enumerate(tables)}
            settings = gather(self.jobs, self._rates, [place[id(case.data)] for case in self._of_jobs])
            self._models = StackedModels(config, tables, settings.seeds)
            gaps = self._models.gaps([(case.data, case.reference.optimum) for case in cases], self._chosen)
            models = self._models
            self._trained = train(settings, models.tables, models.program, gaps, models.generators, self.halving)
            self._training_seconds = time.perf_counter() - clock
            self._assess()
            self._layouts = [writing.Weights() for _ in cases]
            dtype = first.value("device.dtype")
            self._common = [
                in_common(
                    case.data, case.reference,
                    environment.describe(devices.describe(case.data.x.device), 1, dtype, case.digest), "stacked",
                    self._models.is_linear,
                )
                for case in cases
            ]  # fmt: skip
        self._ended = time.time()
        self._seconds = time.perf_counter() - clock

    def _assess(self) -> None:
        """Metrics of every job, the weights of linear ones in the table's units, and what model.safetensors holds."""
        self._metrics: list[dict[str, Any]] = [{}] * len(self.jobs)
        self._parameters: list[np.ndarray | None] = [None] * len(self.jobs)
        self._saved: list[dict[str, np.ndarray]] = [{}] * len(self.jobs)
        for number, case in enumerate(self._cases):
            runs = [run for run, chosen in enumerate(self._chosen) if chosen == number]
            ended = self._models.ended(self._trained, runs, case.data, case.reference)
            for run, its in zip(runs, ended, strict=True):
                self._metrics[run], self._parameters[run], self._saved[run] = its

    def parts(self) -> Iterator[slice]:
        """The jobs in portions for `finish`, within EVALUATIONS_AT_ONCE."""
        size = max(1, EVALUATIONS_AT_ONCE // max(1, len(self._trained.evaluations.epochs)))
        return (slice(first, first + size) for first in range(0, len(self.jobs), size))

    def finish(self, part: slice) -> list[tuple[Job, Result]]:
        """Write what these jobs came to, result.json last. Raises OSError."""
        evaluations = self._trained.evaluations.of(part)
        records = writing.Records(evaluations, self._models.tables.steps, self._began, self._ended)
        finished = []
        for run in range(*part.indices(len(self.jobs))):
            job, result = self.jobs[run], self.result(run)
            finished.append((job, result))
            if result.status == "pruned":
                continue
            if self.halving is not None:
                self._make_folder(run)
            saved = self._layouts[self._chosen[run]].content(self._saved[run])
            writing.finish(job, self._folder(job), records, run - part.start, saved, result)
        return finished

    def came(self) -> Came:
        """What training came to, for jobs that get no folders."""
        encodings = [case.data.table.encoding for case in self._cases]
        return Came(
            self._trained.evaluations, self._models.tables.steps, self._saved, self._chosen, encodings,
            self._began, self._ended, socket.gethostname(), os.getpid(),
        )  # fmt: skip

    def result(self, run: int) -> Result:
        """The result of the job at this place."""
        job, came, count = self.jobs[run], self._trained, len(self.jobs)
        epochs = int(came.epochs[run])
        trained = Trained(
            came.status[run], epochs, int(came.best_epoch[run]), epochs * self._models.tables.steps, self._rates[run],
            self._metrics[run], self._parameters[run], self._training_seconds / count, self._seconds / count,
        )  # fmt: skip
        result = result_of(trained, self._common[self._chosen[run]], job.digest, job.value("seed"))
        return replace(result, rung=int(came.rung[run])) if result.status == "pruned" else result


def packs(jobs: Sequence[Job], cache: TableCache, halving: Halving | None = None) -> list[Pack]:
    """Jobs of one program as packs within PACK_BYTES, a setting's seeds in one.

    Raises NotStacked, and UserError for data that can't be had.
    """
    keys = [tuple(job.value(k) for k in _CASE_KEYS if _has(job, k)) for job in jobs]
    first = dict(zip(reversed(keys), reversed(jobs), strict=True))
    known = {key: cache.case(first[key]) for key in dict.fromkeys(keys)}
    cases = [known[key] for key in keys]
    data = max((case.data for case in known.values()), key=lambda data: data.rows)
    if data.streamed or data.rows > SORTED_ROWS:
        raise NotStacked(f"the table has more than {SORTED_ROWS} rows")
    several = len({id(case.data) for case in known.values()}) > 1
    evaluations = max(job.value("training.epochs") // job.value("training.log_every") + 1 for job in jobs)
    size = evaluations * 8 * 8 + data.rows * 8 * 4 * ((data.x.shape[1] + 1) * several + data.table.outputs)
    numbers = _numbers_of_a_model(jobs, data)
    most = PACK_BYTES // (size + numbers * 4 * 8)
    if halving:
        most = min(most, max(MOST_JOBS, HALVED_STEP // (numbers * (jobs[0].value("training.batch_size") or data.rows))))
    alike: dict[tuple[int, int], list[int]] = {}  # folds of as many rows
    for place, case in enumerate(cases):
        alike.setdefault((case.data.rows, case.data.validation_rows), []).append(place)
    if halving and len(alike) > 1:
        raise UserError(
            "search.pruner: compares runs while they train, but some of the data.folds have more rows than others; "
            "leave it out, or use as many folds as divide the rows"
        )
    parts = [part for of in alike.values() for part in chunks(of, most, halving.seeds if halving else 1)]
    return [Pack([jobs[i] for i in part], [cases[i] for i in part], halving) for part in parts]


def _numbers_of_a_model(jobs: Sequence[Job], data: Prepared) -> int:
    """How many numbers its parameters are, with a network's outputs for a batch. Raises NotStacked."""
    models = StackedModels(validate(jobs[0].plain()), [data], [job.value("seed") for job in jobs[:2]])
    if isinstance(models.program, ModuleProgram):
        with one_thread():  # as it will be trained: two threads share out a product by its place
            models.program.check()
        return models.program.numbers()
    return models.tables.outputs * models.tables.width


def run_pack(jobs: Sequence[Job], folder: Folder, cache: TableCache, begin: Begin = writing.begin) -> list[Result]:
    """Train and write jobs of one program here and now. Raises NotStacked, UserError, OSError."""
    results = []
    for pack in packs(jobs, cache):
        pack.begin(folder, begin)
        pack.train()
        results += [result for part in pack.parts() for _, result in pack.finish(part)]
    return results


_CASE_KEYS = ("data.standardize", "data.seed", "data.noise", "data.fold", "loss.l2", "loss.l1")


def _has(job: Job, key: str) -> bool:
    assert job.template is not None
    group, _, name = key.partition(".")
    return name in job.template.normal[group]


def _rate(job: Job, case: Case, loss: Any) -> float:
    rate = job.value("optimizer.lr")
    return automatic_lr(validate(job.plain()), case.data, loss) if rate == "auto" else float(rate)


class one_thread:
    """One thread for small packs: with two, a busy neighbour on the machine makes 75 ms of training take seconds."""

    def __enter__(self) -> None:
        self._threads = torch.get_num_threads()
        torch.set_num_threads(1)

    def __exit__(self, *_: object) -> None:
        torch.set_num_threads(self._threads)
