"""The Hydra application: hands the typed config to the runner, and reports."""

import gc
import re
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from experiments.config import command_line, folder_names
from experiments.config.composition import hydra_for, plain
from experiments.config.explain import explain
from experiments.config.paths import config_folder
from experiments.config.schema import Config
from experiments.config.validation import validate
from experiments.errors import UserError


def main(arguments: Sequence[str]) -> int:
    """One command line of overrides and Hydra's flags; the exit status. Raises UserError."""
    asked = command_line.read(arguments)
    if asked.cfg or asked.info or asked.shell_completion or asked.hydra_help:
        show(asked)
        return 0
    if asked.multirun or "hydra.mode=MULTIRUN" in asked.overrides:
        if asked.save_preset is not None:
            run_search(asked)
        else:
            launch(asked)  # without a display: the sweep has its own, and a launcher of others pickles what it gets
        return 0
    if asked.save_preset is not None:
        raise UserError("--save-preset: goes with a search, as -m hydra/sweeper=search ...")
    from experiments.cli.report import Display

    with Display() as display:
        result = launch(asked, display.watch, display.begin)
    if isinstance(result, Sequence | None):  # a sweep's, asked for by a preset's hydra.mode
        return 0
    display.summary(result)
    return 1 if result.status == "diverged" and display.fail_on_divergence else 0


def run_search(asked: Namespace) -> Path:
    """Run a search, and write its winner as the preset that is asked for; the search's folder."""
    from experiments.sweeps.search import preset

    path = None if asked.save_preset is None else preset.place(asked.save_preset)
    given = [o.partition("=")[2].strip("'\"") for o in asked.overrides if o.startswith("hydra.sweep.dir=")]
    folder = Path(given[-1] if given else f"outputs/sweeps/{folder_names.stamp()}")
    asked.overrides += [] if given else [f"hydra.sweep.dir={folder}"]
    launch(asked)
    if path is not None:
        preset.save(path, folder)
    return folder


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
        from experiments.sweeps.results.jobs_table import objective

        return objective(result, config.sweep.objective)

    if any("training.start=" in word for word in asked.overrides):
        from experiments.stored.lookup import with_folders

        asked.overrides = with_folders(asked.overrides)
    with hydra_for(asked) as hydra:
        refuse_taken_folder(asked.overrides)
        name, overrides = asked.config_name or "config", asked.overrides
        if asked.multirun or (may_sweep(asked) and hydra.get_mode(name, overrides) == RunMode.MULTIRUN):
            from experiments.sweeps.ending import observing, told_at_the_end

            with told_at_the_end() as tables:
                hydra.multirun(name, task, [*overrides, *observing(overrides), "hydra.mode=MULTIRUN"])
            return tables[0] if tables else []
        returned = hydra.run(name, task, [*overrides, "hydra.mode=RUN"]).return_value
    if isinstance(returned, BaseException):
        raise returned
    return returned


def may_sweep(asked: Namespace) -> bool:
    """Whether hydra.mode may be set, by what was asked for or in a config.yaml that somebody has changed.

    To read it costs a composition, half of a short run.
    """
    if asked.config_dir or asked.config_path or asked.config_name:
        return True
    if any(word.lstrip("+").startswith(("experiment", "hydra")) for word in asked.overrides):
        return True
    defaults = (config_folder() / "config.yaml").read_text(encoding="utf-8")
    return re.search(r"\bmode:|experiment: (?!null)", defaults) is not None


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
