"""The folders of a sweep's jobs: cleared of an attempt that did not end; those of failed jobs say why."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

from experiments.config.validation import config_hash
from experiments.errors import UserError
from experiments.sweeps.compose.jobs import Job
from experiments.sweeps.compose.text_template import yaml_list
from experiments.tracking import environment
from experiments.tracking.files import json_bytes
from experiments.tracking.result import Result, as_json, failure


class Folders:
    """The folders below `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.begun: set[int] = set()
        """Jobs whose folder holds an attempt that did not end, or failed."""

    def of(self, job: Job) -> Path:
        return self.root / job.name

    def begin(self, job: Job, folder: str) -> None:
        """Make the folder of a job, with what stands in it before training."""
        from experiments.sweeps.stacked import writing

        self.cleared(job)
        writing.begin(job, folder)

    def cleared(self, job: Job) -> Path:
        """The folder of a job, emptied once of what an attempt left; what is not known here is never touched."""
        folder = self.of(job)
        if job.number in self.begun and folder.is_dir() and not folder.is_symlink():
            shutil.rmtree(folder)
        self.begun.discard(job.number)  # what stands there from now on is this attempt's
        return folder


def failed_result(job: Job, folder: Path, reason: str, kind: str) -> Result:
    """The result of a job that could not be run, written into its folder with its overrides.

    A result that the run left there itself stays. A job without a valid config has the hash of its overrides, and
    seed 0. OSError as it comes.
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
