"""The end of a sweep, whoever swept and launched it: its table, and the summary on the terminal."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from experiments.sweeps import resuming
from experiments.sweeps.compose.hydra_part import NOTE_SWEEP
from experiments.sweeps.results import jobs_table, summary
from experiments.sweeps.results.outcomes import LATEST, Outcomes


class Observed(Outcomes):
    """The outcomes of a sweep that neither our sweeper nor our launcher runs: read from its folder at the end."""

    def collect(self) -> None:
        """Enter the jobs that ended, and write their table."""
        if not self.folder.is_dir():
            return
        ended = resuming.scan(self.folder).ended
        self.vary(job.overrides for job, _ in ended.values())
        for job, result in ended.values():
            self.enter(job, result)
        self.write_table()


class NoteSweep(Callback):
    """Hydra's callback that notes the folder of a sweep as it begins; a launcher of ours then notes more."""

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        LATEST.set(Observed(Path(str(config.hydra.sweep.dir)).absolute(), config.sweep.objective))


def observing(overrides: Sequence[str]) -> list[str]:
    """The override that has a sweep noted, where the sweeper is not ours."""
    chosen = [o.partition("=")[2] for o in overrides if o.lstrip("+").startswith("hydra/sweeper=")]
    foreign = bool(set(chosen) - {"stacked", "search"})
    return [f"+hydra.callbacks.{NOTE_SWEEP}._target_={__name__}.{NoteSweep.__name__}"] if foreign else []


@contextmanager
def told_at_the_end() -> Iterator[list[Sequence[jobs_table.Row]]]:
    """Show the summary of the sweep that runs inside, however it ends, and add its table to the list."""
    tables: list[Sequence[jobs_table.Row]] = []
    before = LATEST.set(None)
    try:
        yield tables
    finally:
        if isinstance(outcomes := LATEST.get(), Observed):
            outcomes.collect()
        if outcomes is not None:
            tables.append(outcomes.table())
            summary.show(outcomes, tables[0])
        LATEST.reset(before)
