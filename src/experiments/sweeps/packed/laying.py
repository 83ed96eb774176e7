"""What a trained pack leaves when its jobs have no folders: arrays and lists, for the process that writes them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson

from experiments.sweeps.compose.config_template import ConfigTemplate
from experiments.sweeps.compose.jobs import Job
from experiments.sweeps.results import jobs_table
from experiments.sweeps.stacked.packs import AsRows, Came, Pack
from experiments.tracking.pack_files import OVERRIDES, Contents
from experiments.tracking.result import STORED, Result, as_json


def lay_down(pack: Pack, as_rows: AsRows) -> tuple[Contents, list[tuple[int, Result | str]]]:
    """The contents of a trained pack's files, and by their numbers its jobs' results, or only their statuses."""
    jobs, came = pack.jobs, pack.came()
    results = [pack.result(run) for run in range(len(jobs))]
    templates = list({id(job.template): job.template for job in jobs}.values())
    place = {id(template): at for at, template in enumerate(templates)}
    rows = _columns([jobs_table.row(result) for result in results])
    rows |= {
        "number": [job.number for job in jobs], "folder": [job.name for job in jobs],
        OVERRIDES: [list(job.overrides) for job in jobs], "case": came.cases,
        "values": [orjson.dumps(job.values).decode() for job in jobs],
        "written": [orjson.dumps(job.written).decode() for job in jobs],
        "template": [place[id(job.template)] for job in jobs],
    }  # fmt: skip
    common, varying = _split(results, rows)
    weights, rows["layout"] = _stacked(came.saved)
    about = {
        "common": common, "varying": varying, "templates": [_described(template) for template in templates],
        "encodings": came.encodings, "steps": came.steps, "epochs": came.evaluations.epochs.tolist(),
        "tags": list(came.evaluations.values), "began": came.began, "ended": came.ended, "host": came.host,
        "pid": came.pid,
    }  # fmt: skip
    contents = Contents(jobs[0].number, rows, _curves(jobs, came, as_rows.curves), weights, about)
    told: list[Any] = results if as_rows.results else rows["status"]
    return contents, list(zip(rows["number"], told, strict=True))


def _columns(rows: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def _split(results: Sequence[Result], rows: dict[str, list[Any]]) -> tuple[dict[str, Any], list[list[Any]]]:
    """The content of the first result.json, and where the others differ: place, column of `rows`, whether it is JSON.

    Columns that `rows` has not are added to it.
    """
    varying: list[list[Any]] = []

    def look(place: tuple[str, ...], values: list[Any]) -> None:
        first = values[0]
        if all(value is first for value in values):
            return
        if isinstance(first, dict) and all(isinstance(v, dict) and v.keys() == first.keys() for v in values):
            for name in first:
                look((*place, name), [value[name] for value in values])
            return
        name = SHORT.get(place) or (place[1] if place[0] == "metrics" else None)
        if name is not None and name in rows:
            varying.append([place, name, False])
            return
        texts = [orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY) for value in values]
        if all(text == texts[0] for text in texts):
            return
        column = f"result.{'.'.join(place)}"
        packed = not all(_flat(value) for value in values)
        rows[column] = [text.decode() for text in texts] if packed else values
        varying.append([place, column, packed])

    for name in STORED:
        look((name,), [getattr(result, name) for result in results])
    return as_json(results[0]), varying


SHORT: dict[tuple[str, ...], str] = {(name,): name for name in STORED} | {("timing", "total_seconds"): "seconds"}
"""Parts of result.json that are columns of results.csv under names of their own; metrics are too."""


def _flat(value: Any) -> bool:
    """Whether a value may stand in a column: a number or a text, not a list of unknown things."""
    return value is None or isinstance(value, bool | int | float | str)


def _described(template: Any) -> dict[str, Any]:
    """What the configs of a template's jobs share: the texts of their files, to be filled."""
    assert isinstance(template, ConfigTemplate)
    return {
        "paths": template.paths, "normal": template.normal, "dirname": template.hydra.dirname,
        "config_json": template.config_json.pieces, "config_yaml": template.config_yaml.pieces,
        "hydra_yaml": template.hydra.yaml.pieces,
    }  # fmt: skip


def _stacked(saved: Sequence[dict[str, np.ndarray]]) -> tuple[dict[str, np.ndarray], list[int]]:
    """Tensors of the same names and shapes on top of each other, (runs, ...), and which of these layouts a job has."""
    kinds = [tuple((name, t.shape, t.dtype.str) for name, t in tensors.items()) for tensors in saved]
    layouts = {kind: number for number, kind in enumerate(dict.fromkeys(kinds))}
    whole = {}
    for kind, number in layouts.items():
        its = [tensors for tensors, of in zip(saved, kinds, strict=True) if of == kind]
        whole |= {f"{number}:{name}": np.stack([tensors[name] for tensors in its]) for name, *_ in kind}
    return whole, [layouts[kind] for kind in kinds]


def _curves(jobs: Sequence[Job], came: Came, kept: str) -> dict[str, np.ndarray] | None:
    """A row for each job and evaluation, the last one alone, or None."""
    if kept == "none":
        return None
    evaluations = came.evaluations
    due = evaluations.due
    if kept == "last":
        last = np.where(due.any(1), due.shape[1] - 1 - due[:, ::-1].argmax(1), -1)
        due = due & (np.arange(due.shape[1]) == last[:, None])
    runs, columns = np.nonzero(due)
    numbers = np.array([job.number for job in jobs], dtype=np.int64)
    values = {tag: found[runs, columns] for tag, found in evaluations.values.items()}
    return {"number": numbers[runs], "epoch": evaluations.epochs[columns], **values}
