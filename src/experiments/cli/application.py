"""The Hydra application: hands the typed config to the runner, and reports. Also `run` and `sweep` for notebooks."""

import gc
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from experiments.config import command_line
from experiments.config.composition import hydra_for, plain
from experiments.config.explain import explain
from experiments.config.schema import Config
from experiments.config.validation import validate
from experiments.errors import UserError
from experiments.stored.lookup import with_folders

if TYPE_CHECKING:
    import polars as pl

    from experiments.tracking.result import Result


def main(arguments: Sequence[str]) -> int:
    """One command line of overrides and Hydra's flags; the exit status. Raises UserError."""
    asked = command_line.read(arguments)
    if asked.cfg or asked.info or asked.shell_completion or asked.hydra_help:
        show(asked)
        return 0
    if asked.multirun or "hydra.mode=MULTIRUN" in asked.overrides:
        launch(asked)  # without a display: the sweep has its own, and a launcher of others pickles what it gets
        return 0
    from experiments.cli.report import Display

    with Display() as display:
        result = launch(asked, display.watch, display.begin)
    if isinstance(result, list | None):  # a sweep's, asked for by a preset's hydra.mode
        return 0
    display.summary(result)
    return 1 if result.status == "diverged" and display.fail_on_divergence else 0


def run(*overrides: str) -> "Result":
    """Train one experiment, as `experiments OVERRIDES` does, and return its Result.

    Raises UserError for a request that can't be met, and whatever made a run fail.
    """
    for word in overrides:
        command_line.override(word)
    return launch(command_line.read(overrides))


def sweep(*overrides: str) -> "pl.DataFrame":
    """Run a sweep, as `experiments -m OVERRIDES` does, and return its table: one row a job, as in results.csv.

    Raises UserError for a request that can't be met, and Failure when jobs failed; results.csv has them all.
    """
    import polars as pl

    rows = launch(command_line.read(["--multirun", *overrides]))
    return pl.DataFrame(rows, infer_schema_length=None)


def show(asked: Namespace) -> None:
    """What Hydra itself prints: a config, where it comes from, the words of a shell's completion, its own help."""
    shell = next((w.removeprefix("query=") for w in asked.overrides if w.startswith("query=")), None)
    if asked.shell_completion and shell:
        from experiments.cli.completion import answer

        print(answer(shell))
        return
    with hydra_for(asked) as hydra:
        name, overrides = asked.config_name or "config", asked.overrides
        if asked.hydra_help:
            hydra.hydra_help(name, args_parser=command_line.parser(), args=asked)
        elif asked.cfg:
            hydra.show_cfg(name, overrides, cfg_type=asked.cfg, package=asked.package, resolve=asked.resolve)
        elif asked.info:
            hydra.show_info(asked.info, name, overrides)
        else:
            hydra.shell_completion(name, overrides)


def launch(
    asked: Namespace, watch: Callable[..., None] = lambda look: None,
    begin: Callable[[Config], None] = lambda config: None,
) -> Any:  # fmt: skip
    """Run or sweep what was asked for: the Result of a run, the rows of a sweep's table.

    Raises what a run raised, and Hydra's refusals as UserError.
    """

    def task(composed: DictConfig) -> Any:
        folder = Path(HydraConfig.get().runtime.output_dir)
        single = HydraConfig.get().mode == RunMode.RUN
        try:
            config = validate(plain(composed))
            begin(config)
            from experiments.running import runner

            gc.enable()  # see `__main__.entry`
            result = runner.run(config, folder, watch=watch, single=single)
        except BaseException as raised:
            discard(folder)
            if not single:
                raise
            return explain(raised) or raised  # raised below: Hydra prints a line of its own about what a task raises
        if single:
            return result
        from experiments.sweeps.results import objective

        return objective(result, config.sweep.objective)

    asked.overrides = with_folders(asked.overrides)
    with hydra_for(asked) as hydra:
        refuse_taken_folder(asked.overrides)
        name, overrides = asked.config_name or "config", asked.overrides
        mode = hydra.get_mode(name, overrides)
        if asked.multirun or mode == RunMode.MULTIRUN:
            from experiments.sweeps.ending import observing, told_at_the_end

            with told_at_the_end() as rows:
                hydra.multirun(name, task, [*overrides, *observing(overrides), "hydra.mode=MULTIRUN"])
            return rows
        returned = hydra.run(name, task, [*overrides, "hydra.mode=RUN"]).return_value
    if isinstance(returned, BaseException):
        raise returned
    return returned


def refuse_taken_folder(overrides: Sequence[str]) -> None:
    """Raise UserError when hydra.run.dir names a run's folder: Hydra would write its .hydra over that run's."""
    for override in overrides:
        key, _, value = override.lstrip("+").partition("=")
        folder = Path(value.strip("'\""))
        if key == "hydra.run.dir" and (folder / "config.json").exists():
            raise UserError(f"{folder}: there is a run in this folder already; choose another hydra.run.dir")


def discard(folder: Path) -> None:
    """Remove what Hydra wrote for a run that failed before it began; a folder that holds a run stays."""
    if (folder / "config.json").exists():
        return
    for name in ("config.yaml", "hydra.yaml", "overrides.yaml"):
        (folder / ".hydra" / name).unlink(missing_ok=True)
    for empty in (folder / ".hydra", folder):
        try:
            empty.rmdir()
        except OSError:
            return
