"""The jobs of a sweep under a launcher that is not ours."""

import itertools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig

from experiments.errors import UserError, one_line
from experiments.sweeps.compose.hydra_part import names_folders
from experiments.sweeps.compose.jobs import Job
from experiments.sweeps.job_folders import failed_result, write_failed
from experiments.sweeps.results import stored_sweep, summary
from experiments.sweeps.results.outcomes import LATEST, Outcomes
from experiments.sweeps.resuming import Found, look


def launch(batches: Sequence[Sequence[str]], launcher: Any, config: DictConfig) -> None:
    """Hand jobs to a launcher, each with the name of its folder. Raises UserError, and Failure when jobs failed."""
    if config.sweep.resume is not None:
        raise UserError("sweep.resume: only the stacked launcher goes on with a sweep; leave out hydra/launcher")
    outcomes = Outcomes(Path(str(config.hydra.sweep.dir)).absolute(), config.sweep.objective)
    outcomes.vary(batches)
    stored_sweep.write(outcomes.folder, [], [], None)
    LATEST.set(outcomes)
    jobs = [Job(n, tuple(given)) for n, given in enumerate(batches)]
    for job in jobs:
        job.name = outcomes.name_of(job)
    told = [[*job.overrides, f"hydra.sweep.dir='{outcomes.folder}'"] for job in jobs]
    if not names_folders(config.hydra):
        told = [[*given, f"hydra.sweep.subdir='{job.name}'"] for given, job in zip(told, jobs, strict=True)]
    returns: list[Any] = []
    try:
        returns += launcher.launch(told, initial_job_idx=0)
    finally:
        for job, done in itertools.zip_longest(jobs, returns):
            _enter(outcomes, job, done)
        outcomes.write_table()
    summary.require_success(outcomes)


def _enter(outcomes: Outcomes, job: Job, done: JobReturn | None) -> None:
    """Note what a job came to, as its folder has it, or its return where it failed."""
    if done is not None and done.hydra_cfg is not None:
        job.name = os.path.relpath(done.hydra_cfg.hydra.runtime.output_dir, outcomes.folder)
    place = outcomes.folder / job.name
    if done is not None and done.status == JobStatus.FAILED:
        error = done._return_value
        result = failed_result(job, one_line(error), type(error).__name__)
        write_failed(job, place, result)
        outcomes.enter(job, result)
        return
    found = Found()
    look(place, job.number, job.name, found)
    for stored, result in found.ended.values():
        job.stored = stored.stored
        outcomes.enter(job, result)
