"""The Hydra application: hands the typed config to the runner, and reports. Also `run` and `sweep` for notebooks."""

import gc
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from experiments.config.composition import own_hydra, plain, register_resolvers
from experiments.config.explain import explain
from experiments.config.flags import check_flags, overrides_first
from experiments.config.paths import config_folder
from experiments.config.quoting import quoted
from experiments.config.schema import Config
from experiments.config.validation import validate
from experiments.errors import Failure, UserError

if TYPE_CHECKING:
    import polars as pl

    from experiments.tracking.result import Result


@dataclass
class Outcome:
    """What the task of a single run leaves behind: Hydra would print what a task raises."""

    result: "Result | None" = None
    error: BaseException | None = None
    rows: list[dict[str, Any]] | None = None
    """A sweep's table."""


def main(arguments: Sequence[str]) -> int:
    """One command line of overrides and Hydra's flags; the exit status. Raises UserError."""
    check_flags(arguments)
    if {"-m", "--multirun", "hydra.mode=MULTIRUN"} & set(arguments):
        launch(arguments)  # without a display: the sweep has its own, and a launcher of others pickles what it gets
        return 0
    from experiments.cli.report import Display

    with Display() as display:
        outcome = launch(arguments, display.watch, display.begin)
    if outcome.result is None:
        return 0
    display.summary(outcome.result)
    return 1 if outcome.result.status == "diverged" and display.fail_on_divergence else 0


def run(*overrides: str) -> "Result":
    """Train one experiment, as `experiments OVERRIDES` does, and return its Result.

    Raises UserError for a request that can't be met, and whatever made a run fail.
    """
    if words := [o for o in overrides if o.startswith("-") or ("=" not in o and not o.startswith("~"))]:
        raise UserError(f"{words[0]}: not an override; write key=value")
    result = launch(overrides).result
    assert result is not None
    return result


def sweep(*overrides: str) -> "pl.DataFrame":
    """Run a sweep, as `experiments -m OVERRIDES` does, and return its table: one row a job, as in results.csv.

    Raises UserError for a request that can't be met, and Failure when jobs failed; results.csv has them all.
    """
    import polars as pl

    rows = launch(["--multirun", *overrides]).rows or []
    return pl.DataFrame(rows, infer_schema_length=None)


def launch(
    arguments: Sequence[str], watch: Callable[..., None] = lambda look: None,
    begin: Callable[[Config], None] = lambda config: None,
) -> Outcome:  # fmt: skip
    """Run Hydra on a command line. Raises what the task raised, and Hydra's refusals as UserError."""
    arguments = [word if word.startswith("-") else quoted(word) for word in arguments]
    outcome = Outcome()

    def task(composed: DictConfig) -> float | None:
        folder = Path(HydraConfig.get().runtime.output_dir)
        single = HydraConfig.get().mode == RunMode.RUN
        try:
            config = validate(plain(composed))
            begin(config)
            from experiments.running import runner

            gc.enable()  # see `__main__.entry`
            result = runner.run(config, folder, watch=watch, single=single)
        except BaseException as raised:
            error = explain(raised) or raised
            if isinstance(error, UserError | Failure):
                discard(folder)
            if not single:
                raise
            outcome.error = error  # raised by `launch`: Hydra prints a line of its own about what a task raises
            return None
        from experiments.sweeps.results import objective

        if single:
            outcome.result = result
        return objective(result, config.sweep.objective)

    task.outcome = outcome  # type: ignore[attr-defined]  # the sweeper's way to hand its table back
    refuse_taken_folder(arguments)
    register_resolvers()
    application = hydra.main(version_base="1.3", config_path=str(config_folder()), config_name="config")(task)
    try:
        with _command_line(overrides_first(arguments)), own_hydra(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="\\s*Running Hydra app with --multirun")
            application()
    except SystemExit as end:
        if end.code:
            raise UserError(f"Hydra refused the command line {' '.join(arguments)}") from None
    except Exception as error:
        explained = explain(error)
        if explained is None:
            raise
        raise explained from error
    if outcome.error is not None:
        raise outcome.error
    return outcome


def refuse_taken_folder(arguments: Sequence[str]) -> None:
    """Raise UserError when hydra.run.dir names a run's folder: Hydra would write its .hydra over that run's."""
    for argument in arguments:
        key, _, value = argument.lstrip("+").partition("=")
        if key == "hydra.run.dir" and "${" not in value:
            folder = Path(value.strip("'\""))
            if (folder / "config.json").exists() and not {"--cfg", "-c", "--info", "-i"} & set(arguments):
                raise UserError(f"{folder}: there is a run in this folder already; choose another hydra.run.dir")


def discard(folder: Path) -> None:
    """Remove what Hydra wrote for a run that was refused before it began; a folder that holds a run stays."""
    if (folder / "config.json").exists():
        return
    for name in ("config.yaml", "hydra.yaml", "overrides.yaml"):
        (folder / ".hydra" / name).unlink(missing_ok=True)
    for empty in (folder / ".hydra", folder):
        try:
            empty.rmdir()
        except OSError:
            return


@contextmanager
def _command_line(arguments: Sequence[str]) -> Iterator[None]:
    """Hydra reads sys.argv, and lets exceptions through when HYDRA_FULL_ERROR is set."""
    argv, full_error = sys.argv, os.environ.get("HYDRA_FULL_ERROR")
    sys.argv, os.environ["HYDRA_FULL_ERROR"] = [argv[0], *arguments], "1"
    try:
        yield
    finally:
        sys.argv = argv
        if full_error is None:
            del os.environ["HYDRA_FULL_ERROR"]
        else:
            os.environ["HYDRA_FULL_ERROR"] = full_error
