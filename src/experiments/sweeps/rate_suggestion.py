"""A rate that holds, for the settings of a sweep that diverged."""

import json
import logging
from collections.abc import Iterable

from experiments.config.validation import validate
from experiments.learning import devices
from experiments.running import assembly
from experiments.running.stable_rate import advice
from experiments.sweeps.compose.jobs import Job

log = logging.getLogger("experiments")
MOST_SETTINGS = 5
SECONDS = 1.0
"""Spent on each setting; more is not worth it in a sweep, whose other jobs show what holds."""


def suggest_rates(diverged: Iterable[Job]) -> None:
    """Log for each setting, seeds apart, what diverged and a learning rate that was tried and holds."""
    settings: dict[str, list[Job]] = {}
    for job in diverged:
        plain = job.plain()
        settings.setdefault(json.dumps({k: v for k, v in plain.items() if k != "seed"}), []).append(job)
    for number, jobs in enumerate(settings.values()):
        lr = jobs[0].value("optimizer.lr")
        which = f"{len(jobs)} job{'s' * (len(jobs) > 1)} diverged with lr={lr} (first: job {jobs[0].number})"
        level = logging.INFO if number else logging.WARNING  # the terminal hears of the first, sweep.log of all
        if number == 0 and len(settings) > 1:
            which = f"{len(settings)} settings diverged; {which}"
        if number >= MOST_SETTINGS or lr == "auto":
            log.log(level, "%s", which)
            continue
        config = validate(jobs[0].plain())
        device = devices.choose(config.device.name, config.device.dtype)
        data = assembly.load(config, device, devices.precision(config.device.dtype))
        log.log(level, "%s; %s", which, advice(config, data, lr, SECONDS))
