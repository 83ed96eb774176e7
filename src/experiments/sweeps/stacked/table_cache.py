"""The tables of a sweep, each read, scaled and solved once for all the packs that train on it."""

import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from experiments.config import schema
from experiments.config.schema import Config
from experiments.config.validation import validate
from experiments.data.prepared import Prepared
from experiments.learning import devices
from experiments.running import assembly
from experiments.running.measures.reference import Reference, reference_solution
from experiments.sweeps.compose.jobs import Job

log = logging.getLogger("experiments")
KEPT = 64
"""Tables kept for the next pack."""


@dataclass(frozen=True)
class Case:
    """A table as some jobs train on it, and what is known of their loss on it."""

    data: Prepared
    reference: Reference
    digest: str


@dataclass(frozen=True)
class Elsewhere:
    """Stands for a case whose table is in another process, or will be read again."""

    digest: str


class TableCache:
    """The tables used last."""

    def __init__(self) -> None:
        self._tables: OrderedDict[str, Prepared] = OrderedDict()
        self._cases: OrderedDict[str, Case] = OrderedDict()
        self._told: set[str] = set()

    def case(self, job: Job) -> Case:
        """The table of a job, and its reference solution. Raises UserError for data that can't be had."""
        plain = job.plain()
        at = str((plain["data"], plain["model"], plain["loss"], plain["device"]))
        return _kept(self._cases, at, lambda: self._case(validate(plain)))

    def _case(self, config: Config) -> Case:
        loss, bias = assembly.build_loss(config), assembly.has_bias(config)
        at = str((config.data, bias, config.device, assembly.takes_labels(config)))
        data = _kept(self._tables, at, lambda: _loaded(config))
        linear = isinstance(config.model, schema.Model)
        reference = reference_solution(data, loss, bias=bias, linear=linear)
        for remark in reference.remarks:
            if remark not in self._told:  # once a sweep, however many tables it is true of
                log.warning("%s", remark)
                self._told.add(remark)
        return Case(data, reference, data.digest())


def _loaded(config: Config) -> Prepared:
    device = devices.choose(config.device.name, config.device.dtype)
    return assembly.load(config, device, devices.precision(config.device.dtype))


def _kept(cache: OrderedDict[str, Any], at: str, make: Callable[[], Any]) -> Any:
    """What the cache has there, else what is made now; the oldest goes where there is too much."""
    if at not in cache:
        cache[at] = make()
        if len(cache) > KEPT:
            cache.popitem(last=False)
    return cache[at]
