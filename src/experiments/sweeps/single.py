"""A stacked job once more, as a pack of one: the same bits, since a job's bits do not depend on its pack."""

import os
from pathlib import Path

from experiments.config.schema import Config
from experiments.config.validation import config_hash
from experiments.running.ending import told
from experiments.sweeps.compose.config_template import FixedConfig
from experiments.sweeps.compose.jobs import Job
from experiments.sweeps.compose.packing import unstackable
from experiments.sweeps.stacked.packs import run_pack
from experiments.sweeps.stacked.table_cache import TableCache
from experiments.sweeps.stacked.writing import write_whole
from experiments.tracking.files import json_bytes
from experiments.tracking.result import Result


def stackable(config: Config) -> bool:
    """Whether a config trains in a pack."""
    return unstackable(_job(config)) is None


def run_alone(config: Config, folder: Path) -> Result:
    """Train a config as a pack of one into `folder`, which must not exist. Raises UserError, OSError."""
    job = _job(config)

    def begin(job: Job, place: str) -> None:
        os.makedirs(place)
        assert job.template is not None
        content = {**job.template.normal, "config_hash": job.digest}
        write_whole(f"{place}/config.json", json_bytes(content))

    cache = TableCache()
    (result,) = run_pack([job], lambda job: str(folder), cache, begin)
    return told(result, config, cache.case(job).data, folder)


def _job(config: Config) -> Job:
    template = FixedConfig(config)
    return Job(0, (), template=template, config=config, digest=config_hash(template.normal))
