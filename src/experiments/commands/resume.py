"""`experiments resume FOLDER`: go on with a run or sweep that was cut off; the bits are those of an undisturbed one."""

from collections.abc import Sequence
from pathlib import Path

from experiments.commands.arguments import Parser
from experiments.errors import UserError
from experiments.tracking.lock import clear
from experiments.tracking.stored import stored_config


def main(arguments: Sequence[str]) -> int:
    """Resume a run, or what is left of a sweep; exit status as for the run itself, 0 where it has ended already."""
    parser = Parser("resume", description="Go on with a run or sweep that was cut off.")
    parser.add_argument("folder", metavar="FOLDER", help="the folder of an unfinished run or sweep", type=Path)
    folder = parser.read(arguments).folder.absolute()
    if (folder / "result.json").exists():
        clear(folder)
        print(f"{folder}: the run has ended; there is nothing to resume")
        return 0
    if (folder / "sweep.yaml").exists():
        from experiments.sweeps.resuming import resume

        return resume(folder)
    if (folder.parent / "sweep.yaml").exists():
        raise UserError(f"{folder}: a job of a sweep; go on with the whole: experiments resume {folder.parent}")
    config = stored_config(folder)
    from experiments import runner
    from experiments.report import Display

    with Display() as display:
        display.begin(config)
        result = runner.run(config, folder, watch=display.watch, resumed=True)
    display.summary(result)
    return 1 if result.status == "diverged" and display.fail_on_divergence else 0
