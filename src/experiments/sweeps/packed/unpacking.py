"""A packed job's folder, file for file as training would have written it."""

import os
import shutil
from pathlib import Path

import numpy as np
import orjson

from experiments.sweeps.compose.jobs import of_hydra, task_overrides
from experiments.sweeps.compose.text_template import yaml_list, yaml_scalar
from experiments.sweeps.stacked.stacked_training import Evaluations
from experiments.sweeps.stacked.writing import (
    Records,
    event_file,
    event_file_name,
    hparam_entries,
    write_file,
    write_texts,
)
from experiments.tracking.packed import PackedJob, filled

FILES = ("metrics.jsonl", "model.safetensors", "encoding.json", "result.json")


def unpack(job: PackedJob, sweep: Path) -> Path:
    """Make the folder of a job in its sweep's, whole or not at all; one that is there stays. Raises OSError."""
    folder = sweep / job.name
    if folder.exists():
        return folder
    temporary = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    write_texts(str(temporary), _texts(job, str(folder)))
    if orjson.loads(job.config())["tracking"]["tensorboard"]:
        about = job.pack.about
        name = event_file_name(about["began"], job.number, about["host"], about["pid"])
        write_file(f"{temporary}/{name}", _events(job))
    for name in FILES:
        try:
            content = job.file(name)
        except FileNotFoundError:
            continue
        write_file(f"{temporary}/{name}", content)
    os.rename(temporary, folder)
    return folder


def _texts(job: PackedJob, folder: str) -> dict[str, str]:
    """The same texts as `compose.jobs.config_texts`, from what the pack keeps."""
    task, template = task_overrides(job.overrides), job.template
    return {
        ".hydra/config.yaml": filled(template["config_yaml"], [yaml_scalar(v) for v in job.written]),
        ".hydra/hydra.yaml": filled(template["hydra_yaml"], of_hydra(task, template["dirname"], job.number, folder)),
        ".hydra/overrides.yaml": yaml_list(task),
        "config.json": job.config(),
    }


def _events(job: PackedJob) -> bytes:
    """The content of its event file."""
    about, template = job.pack.about, job.template
    epochs, tags, found = np.array(about["epochs"], dtype=np.int64), about["tags"], job.evaluations()
    due = np.zeros((1, len(epochs)), dtype=bool)
    values = {tag: np.full((1, len(epochs)), np.nan) for tag in tags}
    if found is not None:
        due[0] = np.isin(epochs, found["epoch"].to_numpy())
        for tag in tags:
            values[tag][0, due[0]] = found[tag].to_numpy()
    records = Records(Evaluations(epochs, due, values), about["steps"], about["began"], about["ended"])
    lr = job.result()["lr"]
    return event_file(records, 0, hparam_entries(template["normal"], template["paths"], job.values, lr, {}))
