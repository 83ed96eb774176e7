"""One pack from jobs to finished folders: load the tables, train the stack, write what each job came to."""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from experiments import assembly, devices
from experiments.config import Config
from experiments.data.order import SORTED_ROWS
from experiments.data.prepared import Prepared, data_hash
from experiments.optimum import Optimum
from experiments.sweeps import assessing, writing
from experiments.sweeps.composing import Job
from experiments.sweeps.program import program
from experiments.sweeps.stack import train
from experiments.sweeps.tables import lay_out
from experiments.tracking import environment
from experiments.tracking.files import json_bytes, write_atomically
from experiments.tracking.result import LARGEST_LISTED, Result, described
from experiments.validation import validate

PACK_BYTES = 256 * 2**20
"""Bound of the memory that the tables and batches of one pack take."""

SHELF = 16
"""Tables kept for the next pack."""

Folder = Callable[[Job], str]
Begin = Callable[[Job, str], None]


@dataclass
class Variant:
    """One of the tables of a pack, with what is known of it."""

    data: Prepared
    optimum: Optimum | None
    conditioning: Any
    digest: str
    config: Config


class TooLarge(Exception):
    """A table that gains nothing from stacking; its jobs run one by one. The text says why."""


class Shelf:
    """Tables that packs of one sweep have in common, so that each is read and solved once."""

    def __init__(self) -> None:
        self._variants: OrderedDict[tuple, Variant] = OrderedDict()

    def variant(self, job: Job) -> Variant:
        """The table of a job, as it trains on it. Raises UserError for data that can't be had."""
        plain = job.plain()
        at = (str(plain["data"]), plain["model"]["bias"], str(plain["device"]))
        if at not in self._variants:
            config = validate(plain)
            device = devices.choose(config.device.name, config.device.dtype)
            data = assembly.load(config, device, devices.precision(config.device.dtype, device))
            optimum, conditioning = assessing.yardsticks([data], config.model.bias)[0]
            self._variants[at] = Variant(data, optimum, conditioning, data_hash(data.table), config)
            if len(self._variants) > SHELF:
                self._variants.popitem(last=False)
        return self._variants[at]


def run_pack(
    jobs: Sequence[Job], folder: Folder, shelf: Shelf, done: Callable[[Job, Result], None],
    begin: Begin = writing.begin,
) -> None:  # fmt: skip
    """Train and write a pack; `done` is called for each job whose result.json is there. Raises TooLarge, UserError."""
    keys = [tuple(job.value(k) for k in _DATA_KEYS if _has(job, k)) for job in jobs]
    order = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    first = dict(zip(reversed(keys), reversed(jobs), strict=True))
    variants = [shelf.variant(first[key]) for key in order]
    table = variants[0].data.table
    if len(table.x) > SORTED_ROWS:
        raise TooLarge(f"the table has more than {SORTED_ROWS} rows")
    size = len(table.x) * (table.x.shape[1] + len(table.targets) + 1) * 8 * 4
    fits = max(1, PACK_BYTES // size)
    chosen = [order[key] for key in keys]
    for start in range(0, len(jobs), fits):
        part = slice(start, start + fits)
        used = sorted(set(chosen[part]))
        _run(jobs[part], [variants[v] for v in used], [used.index(v) for v in chosen[part]], folder, done, begin)


_DATA_KEYS = ("data.standardize", "data.seed", "data.noise")


def _has(job: Job, key: str) -> bool:
    assert job.form is not None
    return key.partition(".")[2] in job.form.normal["data"]


def _run(
    jobs: Sequence[Job], variants: Sequence[Variant], chosen: Sequence[int], folder: Folder,
    done: Callable[[Job, Result], None], begin: Begin,
) -> None:  # fmt: skip
    began, clock = time.time(), time.perf_counter()
    folders = [folder(job) for job in jobs]
    for job, place, v in zip(jobs, folders, chosen, strict=True):
        begin(job, place)
        if (encoding := variants[v].data.table.encoding) is not None:
            write_atomically(Path(place) / "encoding.json", json_bytes(encoding), durable=False)
    config = variants[0].config
    rates = [_rate(job, variants[v]) for job, v in zip(jobs, chosen, strict=True)]
    held = variants[0].data.held_out
    packed = program(jobs, rates, chosen, 0 if held is None else len(held.x))
    tables = lay_out([v.data for v in variants], packed.bias, config.training.batch_size)
    with one_thread():
        trained = train(packed, tables)
        training_seconds = time.perf_counter() - clock
        metrics: list[dict[str, Any]] = [{}] * len(jobs)
        parameters = np.zeros((len(jobs), tables.targets, tables.columns - packed.bias + 1))
        for number, variant in enumerate(variants):
            runs = [r for r, v in enumerate(chosen) if v == number]
            weights = assessing.original(trained.weights[runs], variant.data, packed.bias)
            parameters[runs] = weights.numpy()
            for run, found in zip(runs, assessing.assess(weights, variant.data, variant.optimum), strict=True):
                metrics[run] = found
    least = np.array([np.nan if (o := variants[v].optimum) is None else o.loss for v in chosen])
    records = writing.Records(trained.looks, tables.steps, least, began, time.time())
    abouts = [
        environment.describe(devices.describe(v.data.x.device), 1, config.device.dtype, v.digest) for v in variants
    ]
    layouts = [writing.Weights(v.data.scaling if v.data.standardized else None, packed.bias) for v in variants]
    kept = trained.weights.cpu().numpy()
    share = 1 / len(jobs)
    templates = [_result(jobs[0], v, about) for v, about in zip(variants, abouts, strict=True)]
    for run, job in enumerate(jobs):
        variant, epochs = variants[chosen[run]], int(trained.epochs[run])
        numbers = parameters[run]
        seconds = training_seconds * share
        result = replace(
            templates[chosen[run]],
            status=trained.status[run], config_hash=job.digest, seed=packed.seeds[run], epochs=epochs,
            best_epoch=int(trained.best_epoch[run]) or None, steps=epochs * tables.steps, lr=rates[run],
            metrics=metrics[run],
            parameters=None if numbers.size > LARGEST_LISTED else {
                "weight": numbers[:, :-1].tolist(), "bias": numbers[:, -1].tolist(),
            },
            timing={
                "train_seconds": seconds, "total_seconds": (time.perf_counter() - clock) * share,
                "rows_per_second": epochs * tables.rows / max(seconds, 1e-9),
            },
        )  # fmt: skip
        saved = layouts[chosen[run]].content(kept[run], numbers)
        writing.finish(job, folders[run], records, run, saved, result)
        done(job, result)


def _result(job: Job, variant: Variant, about: dict[str, Any]) -> Result:
    """What the results of all jobs on one table have in common."""
    table, held, optimum = variant.data.table, variant.data.held_out, variant.optimum
    listed = None
    if optimum is not None and optimum.weight.size + optimum.bias.size <= LARGEST_LISTED:
        listed = {"weight": optimum.weight.tolist(), "bias": optimum.bias.tolist()}
    known = variant.conditioning
    return Result(
        status="", config_hash="", seed=0, epochs=0, best_epoch=None, steps=0, lr=None, executed="stacked", metrics={},
        parameters=None, optimum=listed,
        conditioning=None if known is None else {
            "lambda_max": known.lambda_max, "condition_number": known.condition_number,
            "max_stable_lr": known.max_stable_lr,
        },
        features=list(table.features), targets=list(table.targets),
        rows={"train": len(table.x), "validation": 0 if held is None else len(held.x)},
        timing={}, environment=about, **described(table),
    )  # fmt: skip


def _rate(job: Job, variant: Variant) -> float:
    rate = job.value("optimizer.lr")
    if rate != "auto":
        return float(rate)
    from experiments.losses import MSE
    from experiments.rates import automatic_lr

    return automatic_lr(validate(job.plain()), variant.data, MSE())


class one_thread:
    """One thread for small stacks: with two, a busy neighbour on the machine makes 75 ms of training take seconds."""

    def __enter__(self) -> None:
        self._threads = torch.get_num_threads()
        torch.set_num_threads(1)

    def __exit__(self, *_: object) -> None:
        torch.set_num_threads(self._threads)
