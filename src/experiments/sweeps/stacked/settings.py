"""What the runs of a pack share and in what they differ, as arrays over the run axis."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from experiments.learning import optimizers, schedules
from experiments.learning.optimizers import Rule
from experiments.sweeps.compose.jobs import Job
from experiments.sweeps.compose.packing import SWITCHED

STRUCTURAL = ("nesterov", "amsgrad", "centered")


@dataclass
class Settings:
    """R runs of one kind. Arrays are (R,); hyper-parameters (R, 1, 1) float64, one value a run."""

    jobs: Sequence[Job]
    seeds: list[int]
    epochs: np.ndarray
    log_every: np.ndarray
    patience: np.ndarray
    """0 where there is none."""
    keep_best: np.ndarray
    """Whether the best weights are kept, not the last."""
    rates: Tensor
    variant: Tensor
    """Which of the pack's tables, (R,) int64."""
    shuffle: bool
    l2: Tensor | None
    """(R, 1, 1); None where no run has such a penalty."""
    l1: Tensor | None
    rule_class: type[Rule]
    hyper: dict[str, Any]
    schedules: list[Callable[[int], float]]
    """The distinct schedules of the runs, in plain numbers as alone."""
    scheduled: np.ndarray
    """Which of them a run has."""

    def lr(self, alive: np.ndarray, epoch: int) -> Tensor:
        """The learning rate of each run in an epoch, (A, 1, 1)."""
        factors = np.array([schedules.factor(schedule, epoch) for schedule in self.schedules])
        rates = schedules.scheduled_lr(self.rates[alive].reshape(-1).numpy(), factors[self.scheduled[alive]])
        return torch.from_numpy(rates).reshape(-1, 1, 1)

    def rule(self, alive: np.ndarray) -> Rule:
        """The update rule with the hyper-parameters of the runs alive."""
        chosen = {
            name: tuple(v[alive] for v in value) if isinstance(value, tuple)
            else value[alive] if isinstance(value, Tensor) else value
            for name, value in self.hyper.items()
        }  # fmt: skip
        return self.rule_class(**chosen)


def gather(jobs: Sequence[Job], rates: Sequence[float], variant: Sequence[int]) -> Settings:
    """Gather what differs between jobs of one program; `rates` are their learning rates, `auto` worked out."""
    first = jobs[0]
    config = first.plain()
    name = config["optimizer"]["_target_"].rpartition(".")[2]
    rule_class: type[Rule] = getattr(optimizers, name)
    hyper: dict[str, Any] = {}
    for field in dataclasses.fields(rule_class):  # type: ignore[arg-type]  # each rule is a dataclass, Rule is not
        key = f"optimizer.{field.name}"
        values = [job.value(key) for job in jobs]
        if field.name in STRUCTURAL or (key in SWITCHED and not values[0]):
            hyper[field.name] = values[0]
        elif field.name == "betas":
            hyper[field.name] = tuple(_per_run([v[i] for v in values]) for i in (0, 1))
        else:
            hyper[field.name] = _per_run(values)
    schedule_class = getattr(schedules, config["schedule"]["_target_"].rpartition(".")[2])
    settings = [tuple(_schedule(job, schedule_class).items()) for job in jobs]
    distinct = {setting: number for number, setting in enumerate(dict.fromkeys(settings))}

    def whole(key: str) -> np.ndarray:
        return np.array([job.value(key) or 0 for job in jobs], dtype=np.int64)

    return Settings(
        jobs=jobs, seeds=[job.value("seed") for job in jobs], epochs=whole("training.epochs"),
        log_every=whole("training.log_every"), patience=whole("training.patience"),
        keep_best=np.array([job.value("training.keep") == "best" for job in jobs]), rates=_per_run(rates),
        variant=torch.tensor(variant), shuffle=config["training"]["shuffle"],
        l2=_penalty(jobs, "loss.l2"), l1=_penalty(jobs, "loss.l1"), rule_class=rule_class, hyper=hyper,
        schedules=[schedule_class(**dict(setting)) for setting in distinct],
        scheduled=np.array([distinct[setting] for setting in settings]),
    )  # fmt: skip


def _schedule(job: Job, schedule_class: type) -> dict[str, Any]:
    """The numbers of a job's schedule."""
    fields = dataclasses.fields(schedule_class)
    keys = {field.name: job.value(f"schedule.{field.name}") for field in fields}
    if schedule_class is schedules.Cosine and keys["epochs"] is None:
        keys["epochs"] = job.value("training.epochs")
    return keys


def _penalty(jobs: Sequence[Job], key: str) -> Tensor | None:
    """Packs have a penalty for all of their jobs or for none."""
    name = key.partition(".")[2]
    if name not in jobs[0].plain()["loss"] or not jobs[0].value(key):
        return None
    return _per_run([job.value(key) for job in jobs])


def _per_run(values: Sequence[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64).reshape(-1, 1, 1)
