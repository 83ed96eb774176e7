"""Hydra's way in: the launcher that trains jobs as packs, and the sweeper that goes with it.

Thin on purpose: Hydra imports this for every command; the work is imported when something is launched.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


@dataclass
class StackedLauncherConf:
    _target_: str = "hydra_plugins.experiments_stacked.StackedLauncher"
    engine: str = "local"
    """Who trains the packs: forked processes of this machine (local), joblib, ray, or tasks of a cluster (submitit)."""
    workers: int | None = None
    """Packs that train at once; by default one a processor. With submitit, tasks."""
    address: str = "auto"
    """ray: the cluster that runs here (auto), one to start here (local), HOST:PORT, or ray://HOST:PORT."""
    shared: bool = True
    """ray: whether its machines see the sweep's folder; else what they write is sent here."""
    cluster: str = "slurm"
    """submitit: slurm, or local to try it out."""
    wait: bool = True
    """submitit: whether to wait for the tasks; else `experiments resume last` collects what they came to."""
    name: str = "experiments"
    """This and all below: as Hydra's own submitit launcher has them; a task trains on `cpus_per_task` processors."""
    timeout_min: int = 60
    cpus_per_task: int | None = None
    gpus_per_node: int | None = None
    mem_gb: int | None = None
    partition: str | None = None
    qos: str | None = None
    comment: str | None = None
    constraint: str | None = None
    exclude: str | None = None
    gres: str | None = None
    cpus_per_gpu: int | None = None
    gpus_per_task: int | None = None
    mem_per_gpu: str | None = None
    mem_per_cpu: str | None = None
    account: str | None = None
    signal_delay_s: int = 120
    max_num_timeout: int = 3
    """How often a task goes on whose time was up."""
    array_parallelism: int = 256
    additional_parameters: dict[str, Any] | None = None
    setup: list[str] | None = None


class StackedLauncher(Launcher):
    """Trains jobs of one program as one tensor program, and the others one by one."""

    def __init__(self, **settings: Any) -> None:
        self.settings = StackedLauncherConf(**settings)

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        from experiments.sweeps.engines.choosing import engine_of
        from experiments.sweeps.launching import Sweep

        # one for all launches, so that what was composed is not composed again
        self.session = Sweep(hydra_context, task_function, config, engine_of(self.settings))
        if (folder := self.session.resumed) is not None and not config.sweep.dry_run:
            from experiments.sweeps.engines.on_submitit import wait_for_tasks

            wait_for_tasks(folder)

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        return self.session.launch(job_overrides, initial_job_idx)


class StackedSweeper(Sweeper):
    """Every combination of the swept values, as Hydra's basic sweeper has it, without composing each job first.

    `params`: swept values by key, as a preset sets them; what stands on the command line comes after, and counts.
    """

    def __init__(self, params: dict[str, Any] | None = None) -> None:
        self.params = [f"{key}={value}" for key, value in (params or {}).items()]

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        from hydra.core.plugins import Plugins

        self.hydra_context, self.task_function, self.config = hydra_context, task_function, config
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> Any:
        from experiments.sweeps.engine import Submitted
        from experiments.sweeps.sweeping import sweep

        assert self.hydra_context is not None
        assert self.config is not None
        session = getattr(self.launcher, "session", None)
        try:
            return sweep([*self.params, *arguments], self.hydra_context, self.config, session, self.launcher)
        except Submitted as left:
            print(left)


class SearchSweeper(StackedSweeper):
    """The best of the swept values, as an Optuna study finds it: generations of settings, each a pack."""

    def sweep(self, arguments: list[str]) -> Any:
        try:
            from experiments.sweeps.search.searching import search
        except ImportError as error:
            from experiments.errors import UserError

            package = str(error.name).partition(".")[0].replace("optuna", "optuna 5 or newer")
            missing = f"hydra/sweeper=search: needs {package}; pip install 'experiments[search]'"
            raise UserError(missing) from None
        assert self.hydra_context is not None
        assert self.config is not None
        return search(
            [*self.params, *arguments], self.hydra_context, self.config, getattr(self.launcher, "session", None)
        )


ConfigStore.instance().store(group="hydra/launcher", name="stacked", node=StackedLauncherConf, provider="experiments")
for name, sweeper in (("stacked", StackedSweeper), ("search", SearchSweeper)):
    node = {"_target_": f"hydra_plugins.experiments_stacked.{sweeper.__name__}", "params": None}
    ConfigStore.instance().store(group="hydra/sweeper", name=name, node=node, provider="experiments")
