"""`hydra.launcher.engine=...`: the engine that was asked for, with its settings."""

import dataclasses
import os
import sys
from typing import TYPE_CHECKING, Any

from omegaconf import Container, OmegaConf

from experiments.errors import UserError, nearest
from experiments.sweeps.engine import Engine, Local
from experiments.sweeps.workers import most_workers

if TYPE_CHECKING:
    from hydra_plugins.experiments_stacked import StackedLauncherConf

OF_TASKS = (
    "name", "timeout_min", "cpus_per_task", "gpus_per_node", "mem_gb", "partition", "qos", "comment", "constraint",
    "exclude", "gres", "cpus_per_gpu", "gpus_per_task", "mem_per_gpu", "mem_per_cpu", "account", "signal_delay_s",
    "max_num_timeout", "array_parallelism", "additional_parameters", "setup",
)  # fmt: skip
"""Settings that Hydra's own submitit launcher has, too."""
READS = {
    "local": {"workers"}, "joblib": {"workers"}, "ray": {"workers", "address", "shared", "gpus_per_node"},
    "submitit": {"workers", "cluster", "wait", *OF_TASKS},
}  # fmt: skip
"""The settings of each engine."""


def engine_of(settings: "StackedLauncherConf") -> Engine:
    """Raises UserError: for an engine that is unknown or not installed, and for settings that are another's."""
    name = settings.engine
    if name not in READS:
        raise UserError(f"hydra.launcher.engine={name}: is none of {', '.join(READS)}{nearest(name, READS)}")
    for field in dataclasses.fields(settings):
        value, key = getattr(settings, field.name), f"hydra.launcher.{field.name}"
        if value != field.default and field.name not in {"engine", *READS[name]}:
            theirs = " or ".join(other for other, reads in READS.items() if field.name in reads)
            raise UserError(f"{key}={value}: engine={name} has no use for it, it is for engine={theirs}")
    try:
        return _made(settings)
    except ModuleNotFoundError as error:
        extra = f"pip install 'experiments[{name}]'"
        raise UserError(f"hydra.launcher.engine={name}: needs {error.name}; {extra}") from None


def _made(settings: Any) -> Engine:
    workers = most_workers(settings.workers)
    if settings.engine == "joblib":
        from experiments.sweeps.engines.on_joblib import Joblib

        return Joblib(workers if sys.platform == "linux" else settings.workers or os.cpu_count() or 1)
    if settings.engine == "ray":
        from experiments.sweeps.engines.on_ray import Ray

        return Ray(settings.workers, settings.address, settings.shared, settings.gpus_per_node)
    if settings.engine == "submitit":
        from experiments.sweeps.engines.on_submitit import Submitit

        given = {
            name: OmegaConf.to_object(value) if isinstance(value := getattr(settings, name), Container) else value
            for name in OF_TASKS
        }
        return Submitit(settings.workers, settings.cluster, settings.wait, given)
    return Local(workers)
