"""The jobs of a sweep under a launcher that is not ours."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.utils import JobStatus
from omegaconf import DictConfig

from experiments.errors import UserError, one_line
from experiments.sweeps import stored_sweep, summary
from experiments.sweeps.compose.jobs import Job
from experiments.sweeps.compose.overrides import job_name
from experiments.sweeps.job_folders import failed_result
from experiments.sweeps.outcomes import LATEST, Outcomes
from experiments.sweeps.resuming import ended


def launch(batches: Sequence[Sequence[str]], launcher: Any, config: DictConfig) -> list[Any]:
    """Hand jobs to a launcher, each with the name of its folder. Raises UserError, and Failure when jobs failed."""
    if config.sweep.resume is not None:
        raise UserError("sweep.resume: only the stacked launcher goes on with a sweep; leave out hydra/launcher")
    folder = Path(str(config.hydra.sweep.dir)).absolute()
    outcomes = Outcomes(folder, config.sweep.objective)
    outcomes.vary(batches)
    stored_sweep.write(folder, [], [], None)
    LATEST.set(outcomes)
    jobs = [Job(n, tuple(given), job_name(n, given, outcomes.varied)) for n, given in enumerate(batches)]
    told = [[*job.overrides, f"hydra.sweep.dir='{folder}'", f"hydra.sweep.subdir='{job.name}'"] for job in jobs]
    errors: dict[int, Exception] = {}
    try:
        returns = list(launcher.launch(told, initial_job_idx=0))
        errors = {n: done._return_value for n, done in enumerate(returns) if done.status == JobStatus.FAILED}
    finally:
        for job in jobs:
            place = folder / job.name
            if (error := errors.get(job.number)) is not None:
                outcomes.enter(job, failed_result(job, place, one_line(error), type(error).__name__))
            elif (result := ended(place)) is not None:
                outcomes.enter(job, result)
        outcomes.write_table()
    summary.require_success(outcomes)
    return returns
