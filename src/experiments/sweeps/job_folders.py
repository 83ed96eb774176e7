"""The folders of a sweep's jobs: cleared of an attempt that did not end; those of failed jobs say why."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from experiments.config.validation import config_hash
from experiments.errors import UserError, one_line
from experiments.sweeps.compose.jobs import Job
from experiments.sweeps.compose.overrides import columns
from experiments.sweeps.compose.text_template import yaml_list
from experiments.tracking import environment, pack_files
from experiments.tracking.files import json_bytes
from experiments.tracking.pack_files import OVERRIDES, Contents
from experiments.tracking.result import Result, as_json, failure

if TYPE_CHECKING:
    from experiments.sweeps.stacked.packs import AsRows


class Folders:
    """The folders below `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.begun: set[int] = set()
        """Jobs whose folder holds an attempt that did not end, or failed."""
        self.as_rows: AsRows | None = None
        """How jobs without folders are kept as rows of their packs; None where all have folders."""
        self.varied: Sequence[str] = ()
        """The keys that are columns of the sweep's table."""

    def of(self, job: Job) -> Path:
        return self.root / job.name

    def begin(self, job: Job, folder: str) -> None:
        """Make the folder of a job, with what stands in it before training."""
        from experiments.sweeps.stacked import writing

        above = self.cleared(job).parent
        if above != self.root:
            above.mkdir(parents=True, exist_ok=True)
        writing.begin(job, folder)

    def store(self, pack: Contents) -> None:
        """Write the tables of a pack whose jobs have no folders. Raises OSError, UserError."""
        pack.rows |= columns(pack.rows[OVERRIDES], self.varied)
        pack_files.write(self.root, pack)

    def cleared(self, job: Job) -> Path:
        """The folder of a job, emptied once of what an attempt left; what is not known here is never touched."""
        folder = self.of(job)
        if job.number in self.begun and folder.is_dir() and not folder.is_symlink():
            shutil.rmtree(folder)
        self.begun.discard(job.number)  # what stands there from now on is this attempt's
        return folder


def require_own_names(names: Sequence[str]) -> None:
    """Raise UserError unless every job has a folder of its own in the sweep's, as `hydra.sweep.subdir` names them."""
    seen: set[PurePath] = set()
    inner = {parent for name in names for parent in PurePath(name).parents}
    for name in names:
        path = PurePath(name)
        if path.is_absolute() or ".." in path.parts or not path.parts:
            raise UserError(f"hydra.sweep.subdir: {one_line(name)} is no folder in the sweep's; name one below it")
        if path in seen or path in inner:
            raise UserError(f"hydra.sweep.subdir: two jobs would have {one_line(name)}; put ${{hydra.job.num}} in it")
        seen.add(path)


def failed_result(job: Job, reason: str, kind: str) -> Result:
    """The result of a job that could not be run.

    A job without a valid config has the hash of its overrides, and seed 0.
    """
    digest = job.digest or config_hash({"overrides": list(job.overrides)})
    seed = 0 if job.config is None else job.value("seed")
    result = failure(digest, seed, UserError(reason), {"versions": environment.versions()})
    return replace(result, error={"type": kind, "message": reason})


def write_failed(job: Job, folder: Path, result: Result) -> None:
    """Write the result of a failed job into its folder, with its overrides. OSError as it comes.

    A result that the run left there itself stays.
    """
    if not (folder / "result.json").exists():
        from experiments.sweeps.stacked.writing import write_file, write_whole

        os.makedirs(folder / ".hydra", exist_ok=True)
        write_file(f"{folder}/.hydra/overrides.yaml", yaml_list(job.overrides).encode())
        write_whole(f"{folder}/result.json", json_bytes(as_json(result)))
