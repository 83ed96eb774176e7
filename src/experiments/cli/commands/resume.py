"""`experiments resume FOLDER`: go on with a run or sweep that was cut off; the bits are those of an undisturbed one."""

from collections.abc import Sequence
from pathlib import Path

from experiments.cli.commands.arguments import Parser
from experiments.config.quoting import in_quotes
from experiments.errors import UserError
from experiments.stored.lookup import resolve
from experiments.stored.stored_config import stored_config
from experiments.tracking.lock import clear


def main(arguments: Sequence[str]) -> int:
    """Resume a run, or what is left of a sweep; exit status as for the run itself, 0 where it has ended already."""
    parser = Parser("resume", description="Go on with a run or sweep that was cut off.")
    parser.add_argument("folder", metavar="FOLDER", help="an unfinished run or sweep: its folder, last, or its name")
    parser.add_argument(
        "launcher", nargs="*", default=[], metavar="KEY=VALUE", help="of a sweep: hydra.launcher.engine=... and its"
    )
    asked = parser.read(arguments)
    for word in asked.launcher:
        if "=" not in word:
            raise UserError(f"resume: {word}: one argument too many; see experiments resume --help")
        if not word.startswith("hydra.launcher."):
            raise UserError(f"{word}: a stored config is gone on with as it is; only hydra.launcher.... may differ")
    folder = resolve(asked.folder, many=True).absolute()
    if (folder / "result.json").exists():
        clear(folder)
        print(f"{folder}: the run has ended; there is nothing to resume")
        return 0
    if (folder / "sweep.yaml").exists():
        return _resume_sweep(folder, asked.launcher)
    if (folder.parent / "sweep.yaml").exists():
        raise UserError(f"{folder}: a job of a sweep; go on with the whole: experiments resume {folder.parent}")
    config = stored_config(folder)
    from experiments.cli.report import Display
    from experiments.running import runner

    with Display() as display:
        display.begin(config)
        result = runner.run(config, folder, watch=display.watch, resumed=True)
    display.summary(result)
    return 1 if result.status == "diverged" and display.fail_on_divergence else 0


def _resume_sweep(folder: Path, launcher: Sequence[str]) -> int:
    """Run whatever of a stored sweep has not ended; the exit status of that sweep. Raises UserError."""
    from experiments.cli.application import main as application
    from experiments.sweeps.results.stored_sweep import stored_arguments

    return application(["--multirun", *stored_arguments(folder), *launcher, f"sweep.resume={in_quotes(str(folder))}"])
