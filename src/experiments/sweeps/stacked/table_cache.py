"""The tables of a sweep, each read, scaled and solved once for all the packs that train on it."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from experiments.config.validation import validate
from experiments.data.prepared import Prepared, data_hash
from experiments.exact.optimum import Optimum
from experiments.learning import devices
from experiments.running import assembly
from experiments.sweeps.compose.jobs import Job
from experiments.sweeps.stacked import stacked_metrics

KEPT = 16
"""Tables kept for the next pack."""


@dataclass
class Variant:
    """One of the tables of a pack, with what is known of it."""

    data: Prepared
    optimum: Optimum | None
    conditioning: Any
    digest: str


class TableCache:
    """The tables used last."""

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
            optimum, conditioning = stacked_metrics.reference_solutions([data], config.model.bias)[0]
            self._variants[at] = Variant(data, optimum, conditioning, data_hash(data.table))
            if len(self._variants) > KEPT:
                self._variants.popitem(last=False)
        return self._variants[at]
