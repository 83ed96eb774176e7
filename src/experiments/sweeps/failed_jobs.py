"""A job of a sweep that could not be run: its folder holds its overrides and a result.json that says why."""

import os
from dataclasses import replace
from pathlib import Path

from experiments.config.validation import config_hash
from experiments.errors import UserError
from experiments.sweeps.compose.jobs import Job
from experiments.sweeps.compose.text_template import yaml_list
from experiments.tracking import environment
from experiments.tracking.files import json_bytes
from experiments.tracking.result import Result, as_json, failure


def failed_result(job: Job, folder: Path, reason: str, kind: str) -> Result:
    """The result of a failed job, written into its folder unless the run left one there. OSError as it comes.

    A job that has no valid config has the hash of its overrides, and seed 0.
    """
    digest = job.digest or config_hash({"overrides": list(job.overrides)})
    seed = 0 if job.config is None else job.value("seed")
    result = failure(digest, seed, UserError(reason), {"versions": environment.versions()})
    result = replace(result, error={"type": kind, "message": reason})
    if not (folder / "result.json").exists():
        from experiments.sweeps.stacked.writing import write_file, write_whole

        os.makedirs(folder / ".hydra", exist_ok=True)
        write_file(f"{folder}/.hydra/overrides.yaml", yaml_list(job.overrides).encode())
        write_whole(f"{folder}/result.json", json_bytes(as_json(result)))
    return result
