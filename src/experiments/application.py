"""The Hydra application: composes, hands the typed config to the runner, and reports. Also `run` for notebooks."""

import argparse
import gc
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from experiments.config import Config
from experiments.errors import Failure, UserError, nearest
from experiments.explain import explain
from experiments.places import config_folder
from experiments.quoting import quoted
from experiments.tracking import names
from experiments.validation import validate

if TYPE_CHECKING:
    import polars as pl

    from experiments.tracking.result import Result

FLAGS = (
    ("--help", "-h"), ("--hydra-help",), ("--version",), ("--resolve",), ("--run", "-r"), ("--multirun", "-m"),
    ("--shell-completion", "-sc"),
)  # fmt: skip
FLAGS_WITH_VALUE = (
    ("--cfg", "-c"), ("--package", "-p"), ("--config-path", "-cp"), ("--config-name", "-cn"),
    ("--config-dir", "-cd"),
)  # fmt: skip

INFOS = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")


@dataclass
class Outcome:
    """What the task of a single run leaves behind: Hydra would print what a task raises."""

    result: "Result | None" = None
    error: BaseException | None = None
    rows: list[dict[str, Any]] | None = None
    """A sweep's table."""
    folder: Path | None = None


def main(arguments: Sequence[str]) -> int:
    """One command line of overrides and Hydra's flags; the exit status. Raises UserError."""
    check_flags(arguments)
    if {"-m", "--multirun", "hydra.mode=MULTIRUN"} & set(arguments):
        launch(arguments)  # without a display: the sweep has its own, and a launcher of others pickles what it gets
        return 0
    from experiments.report import Display

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


def compose(arguments: Sequence[str]) -> Config:
    """The typed config of a command line of overrides (and --config-dir), composed but not run. Raises UserError."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--config-dir", "-cd")
    parser.add_argument("overrides", nargs="*")
    check_flags(arguments)
    found, unknown = parser.parse_known_intermixed_args(list(arguments))
    if unknown:
        raise UserError(f"{unknown[0]}: only overrides and --config-dir go here")
    overrides = [quoted(word) for word in found.overrides]
    if found.config_dir:
        overrides.append(f"hydra.searchpath=[file://{Path(found.config_dir).resolve()}]")
    register_resolvers()
    try:
        with _own_hydra(), hydra.initialize_config_dir(str(config_folder()), version_base="1.3"):
            return validate(plain(hydra.compose("config", overrides)))
    except Exception as error:
        explained = explain(error)
        if explained is None:
            raise
        raise explained from error


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
            from experiments import runner

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
        with _command_line(_overrides_first(arguments)), _own_hydra(), warnings.catch_warnings():
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


def plain(composed: DictConfig) -> dict[str, Any]:
    """The composed config as plain Python, interpolations resolved and the paths in it absolute."""
    content = OmegaConf.to_container(composed, resolve=True)
    assert isinstance(content, dict)
    return {str(k): v for k, v in content.items()}


def register_resolvers() -> None:
    """The names of folders in conf/config.yaml: one per composition, whoever asks, however often."""
    for name, resolver, cached in (
        ("run_name", names.run_name, True),
        ("sweep_name", names.stamp, True),
        ("job_name", _job_name, False),
    ):
        OmegaConf.register_new_resolver(name, resolver, use_cache=cached, replace=True)


def _job_name(*, _root_: DictConfig) -> str:
    return names.job_name(_root_.hydra.job.num, _root_.hydra.overrides.task)


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


def check_flags(arguments: Sequence[str]) -> None:
    """Refuse what Hydra's own parser would answer with its usage text. Raises UserError."""

    class Parser(argparse.ArgumentParser):
        def error(self, message: str) -> NoReturn:
            raise UserError(f"{message}; see experiments --help")

    parser = Parser(add_help=False, allow_abbrev=False)
    for flags in FLAGS:
        parser.add_argument(*flags, action="store_true")
    for flags in FLAGS_WITH_VALUE:
        parser.add_argument(*flags, action="append" if "--cfg" in flags else "store")
    parser.add_argument("--info", "-i", nargs="?", const="all")
    parser.add_argument("overrides", nargs="*")
    found, unknown = parser.parse_known_intermixed_args(list(arguments))
    known = [flag for flags in (*FLAGS, *FLAGS_WITH_VALUE) for flag in flags]
    for flag in unknown:
        if flag.startswith("--experimental-rerun"):
            raise UserError(f"{flag}: reads a pickle, which can run any code; use experiments rerun RUN")
        raise UserError(f"{flag}: no such flag{nearest(flag, known)}")
    for word in found.cfg or ():
        if word not in ("job", "hydra", "all"):
            raise UserError(f"--cfg {word}: must be one of job, hydra, all")
    if found.info is not None and found.info not in INFOS:
        raise UserError(f"--info {found.info}: must be one of {', '.join(INFOS)}")
    if found.config_dir is not None and not Path(found.config_dir).is_dir():
        raise UserError(f"--config-dir {found.config_dir}: there is no such folder")
    for word in found.overrides:
        if ("=" not in word and not word.startswith("~")) or not word.lstrip("+~").partition("=")[0]:
            raise UserError(f"{word}: not an override; write key=value")
    if found.resolve and found.cfg is None and not (found.help or found.hydra_help):
        raise UserError("--resolve: goes with --cfg only, as --cfg job --resolve")
    chosen = [f for f in ("run", "multirun", "cfg", "info", "shell_completion") if getattr(found, f)]
    if len(chosen) > 1:
        raise UserError(f"--{chosen[0]} and --{chosen[1]}: only one of them can be asked for".replace("_", "-"))


def _overrides_first(arguments: Sequence[str]) -> list[str]:
    """The same words with the flags at the end: Hydra's parser refuses overrides on both sides of a flag."""
    overrides: list[str] = []
    flags: list[str] = []
    with_value = {flag for names in FLAGS_WITH_VALUE for flag in names}
    words = list(arguments)
    while words:
        word = words.pop(0)
        if not word.startswith("-"):
            overrides.append(word)
            continue
        flags.append(word)
        if words and (word in with_value or (word in ("--info", "-i") and words[0] in INFOS)):
            flags.append(words.pop(0))
    return [*overrides, *flags]


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


@contextmanager
def _own_hydra() -> Iterator[None]:
    """Leave a notebook's own initialised Hydra as it was."""
    others = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        yield
    finally:
        GlobalHydra.instance().hydra = others
