"""Hydra's way in: the launcher that trains jobs as stacks, and the sweeper that goes with it.

Thin on purpose: Hydra imports this for every command; the work is imported when something is launched.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

if TYPE_CHECKING:
    from experiments.sweeps.launching import Sweep


@dataclass
class StackedLauncherConf:
    _target_: str = "hydra_plugins.experiments_stacked.StackedLauncher"
    workers: int | None = None
    """Packs that train at once; by default one a processor."""


@dataclass
class StackedSweeperConf:
    _target_: str = "hydra_plugins.experiments_stacked.StackedSweeper"


class StackedLauncher(Launcher):
    """Trains jobs of one program as one tensor program, and the others one by one."""

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.hydra_context, self.task_function, self.config = hydra_context, task_function, config
        self._session: Sweep | None = None

    @property
    def session(self) -> "Sweep":
        """The sweep under way; one for all launches, so that what was composed is not composed again."""
        if self._session is None:
            from experiments.sweeps.launching import Sweep

            assert self.hydra_context is not None
            assert self.task_function is not None
            assert self.config is not None
            self._session = Sweep(self.hydra_context, self.task_function, self.config, self.workers)
        return self._session

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        numbers = range(initial_job_idx, initial_job_idx + len(job_overrides))
        return self.session.run(self.session.composed(job_overrides, numbers))


class StackedSweeper(Sweeper):
    """Every combination of the swept values, as Hydra's basic sweeper has it, without composing each job first."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        from hydra.core.plugins import Plugins

        self.hydra_context, self.task_function, self.config = hydra_context, task_function, config
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> Any:
        from experiments.sweeps.sweeping import sweep

        assert self.hydra_context is not None
        assert self.config is not None
        session = self.launcher.session if isinstance(self.launcher, StackedLauncher) else None
        return sweep(arguments, self.hydra_context, self.config, session, self.launcher, self.task_function)


ConfigStore.instance().store(group="hydra/launcher", name="stacked", node=StackedLauncherConf, provider="experiments")
ConfigStore.instance().store(group="hydra/sweeper", name="stacked", node=StackedSweeperConf, provider="experiments")
