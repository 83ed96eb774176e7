"""Which jobs train together: the same program on a table of the same shape, within a bound of memory."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.config.schema import UNHASHED, Custom, Model, given_start
from experiments.sweeps.compose.config_template import ConfigTemplate, FixedConfig
from experiments.sweeps.compose.halving import Halving
from experiments.sweeps.compose.jobs import Job

MOST_JOBS = 512
"""Jobs a pack at most: what a killed sweep loses, and enough for the cost of a step to be its arithmetic."""

MOST_PACKED = 2_048
"""Jobs a pack at most in a sweep so large that its files should be few."""

PER_RUN = frozenset(
    ["seed", "model.init", "data.standardize", "data.seed", "data.noise", "data.fold", "optimizer.lr",
     "optimizer.momentum", "optimizer.dampening", "optimizer.weight_decay", "optimizer.betas", "optimizer.eps",
     "optimizer.alpha", "optimizer.lr_decay", "optimizer.initial_accumulator_value", "training.epochs",
     "training.patience", "training.log_every", "training.keep", "training.checkpoint_every",
     "training.fail_on_divergence", "schedule.step_size", "schedule.gamma", "schedule.epochs", "schedule.minimum",
     "schedule.decay", "schedule.start", "loss.l2", "loss.l1"]
)  # fmt: skip
"""Keys in which the runs of one pack may differ."""


@dataclass(frozen=True)
class Plan:
    """The packs, and the jobs that run one by one, each with the reason."""

    packs: tuple[tuple[Job, ...], ...]
    serial: tuple[tuple[Job, str], ...]


def plan(jobs: Iterable[Job], halving: Halving | None = None, most: int = MOST_JOBS) -> Plan:
    """Group composed jobs by their program; packs of at most `most`, but of those that are compared by `halving`."""
    programs: dict[str, list[Job]] = {}
    serial: list[tuple[Job, str]] = []
    seen: dict[tuple, tuple[str, str | None]] = {}
    for job in jobs:
        assert job.template is not None
        program, reason = _program(job, seen)
        if reason is None:
            programs.setdefault(program, []).append(job)
        else:
            serial.append((job, reason))
    packs = [pack for of_one in programs.values() for pack in ([of_one] if halving else chunks(of_one, most))]
    return Plan(tuple(map(tuple, packs)), tuple(serial))


def chunks(jobs: Sequence[Any], most: int, together: int = 1) -> Iterable[Sequence[Any]]:
    """Parts of at most `most` jobs and about equal size, of whole groups of `together` jobs.

    Several small ones, since the folders of one are written while the next trains.
    """
    groups = len(jobs) // together
    count = -(-groups // max(1, most // together))
    for k in range(count):
        yield jobs[groups * k // count * together : groups * (k + 1) // count * together]


def _program(job: Job, seen: dict[tuple, tuple[str, str | None]]) -> tuple[str, str | None]:
    """A text that jobs of one program share, and why the job can't be stacked, if it can't."""
    template = job.template
    assert template is not None
    varied = tuple(
        (p, bool(v) if p in SWITCHED else v)
        for p, v in zip(template.paths, job.values, strict=True)
        if p not in PER_RUN or p in _READ
    )
    at = (id(template), varied)
    if at not in seen:
        seen[at] = _describe(job, template)
    return seen[at]


SWITCHED = ("optimizer.momentum", "optimizer.weight_decay", "loss.l2", "loss.l1")
_READ = frozenset([*SWITCHED, "training.epochs", "model.init"])
"""Keys that may differ in a pack but that the plan looks at."""


def _describe(job: Job, template: ConfigTemplate | FixedConfig) -> tuple[str, str | None]:
    if reason := unstackable(job):
        return "", reason
    assert job.config is not None
    content: dict[str, Any] = {}
    for name, node in job.plain().items():
        if name in UNHASHED:
            continue
        if isinstance(node, dict):
            content |= {f"{name}.{k}": v for k, v in node.items() if f"{name}.{k}" not in PER_RUN}
        elif name not in PER_RUN:
            content[name] = node
    content["optimizer._target_"] = content["optimizer._target_"].rpartition(".")[2]  # torch's and ours: one rule
    if isinstance(job.config.model, Model):
        content["model._target_"] = ""  # the same model
        if isinstance(job.config.loss, Custom):  # a module, which is built once for a pack
            content["model.init"] = job.value("model.init")
    content["loss._target_"] = content["loss._target_"].replace(".Manual", ".")  # the same loss
    content["data.loader"] = ""  # the same batches
    for term in SWITCHED:  # on or off for a whole pack: what is off costs nothing
        group, _, name = term.partition(".")
        if name in template.normal[group]:
            content[term] = bool(job.value(term))
    return json.dumps(content, sort_keys=True), None


def unstackable(job: Job) -> str | None:
    """Why a job has to run by itself; None when it can be stacked."""
    template, config = job.template, job.config
    assert template is not None
    assert config is not None
    if template.special:
        return template.special
    for group in ("optimizer", "schedule", "data"):
        if isinstance(getattr(config, group), Custom):
            return f"{group}._target_ is a class of your own"
    if config.data._target_ == "experiments.data.sources.stream.Stream":
        return "data=stream is read block by block"
    if given_start(config.model):
        return "model.init is a file"
    for key, refused in _ALONE.items():
        if job.value(key) in refused or (refused == () and job.value(key) is not None):
            return f"{key}={str(job.value(key)).lower()}"
    return None


_ALONE: dict[str, tuple[Any, ...]] = {
    "training.start": (), "training.shuffle": ("blocks",), "training.max_seconds": (), "training.epochs": (0,),
    "tracking.figures": (True,), "tracking.weights": (True,),
}  # fmt: skip
"""Keys and values that need the serial loop; () is any value at all."""
