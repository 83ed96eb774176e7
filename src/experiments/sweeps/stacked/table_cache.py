"""The tables of a sweep, each read, scaled and solved once for all the packs that train on it."""

import logging
from collections import OrderedDict
from dataclasses import dataclass

from experiments.config.validation import validate
from experiments.data.prepared import Prepared
from experiments.learning import devices
from experiments.learning.losses import MSE
from experiments.running import assembly
from experiments.running.reference import Reference, reference_solution
from experiments.sweeps.compose.jobs import Job

log = logging.getLogger("experiments")
KEPT = 16
"""Tables kept for the next pack."""


@dataclass
class Variant:
    """One of the tables of a pack, with what is known of it."""

    data: Prepared
    reference: Reference
    digest: str


class TableCache:
    """The tables used last."""

    def __init__(self) -> None:
        self._variants: OrderedDict[tuple, Variant] = OrderedDict()
        self._told: set[str] = set()

    def variant(self, job: Job) -> Variant:
        """The table of a job, as it trains on it. Raises UserError for data that can't be had."""
        plain = job.plain()
        at = (str(plain["data"]), plain["model"]["bias"], str(plain["device"]))
        if at not in self._variants:
            config = validate(plain)
            device = devices.choose(config.device.name, config.device.dtype)
            data = assembly.load(config, device, devices.precision(config.device.dtype, device))
            reference = reference_solution(data, MSE(), bias=config.model.bias, linear=True)
            for remark in reference.remarks:
                if remark not in self._told:  # once a sweep, however many tables it is true of
                    log.warning("%s", remark)
                    self._told.add(remark)
            self._variants[at] = Variant(data, reference, data.digest())
            if len(self._variants) > KEPT:
                self._variants.popitem(last=False)
        return self._variants[at]
