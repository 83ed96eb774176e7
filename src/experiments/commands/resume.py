"""`experiments resume FOLDER`: go on with a run that was cut off; the result has the bits of an undisturbed one."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from experiments.errors import UserError
from experiments.tracking.lock import clear
from experiments.tracking.stored import stored_config


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(f"resume: {message}; write experiments resume FOLDER")


def main(arguments: Sequence[str]) -> int:
    """Resume one run; exit status as for the run itself, 0 where it has ended already."""
    parser = Parser("experiments resume", description=__doc__, allow_abbrev=False)
    parser.add_argument("folder", help="the folder of an unfinished run", type=Path)
    folder = parser.parse_args(arguments).folder.absolute()
    if (folder / "result.json").exists():
        clear(folder)
        print(f"{folder}: the run has ended; there is nothing to resume")
        return 0
    if any((folder / name).exists() for name in ("sweep.yaml", "multirun.yaml")):
        raise UserError(f"{folder}: a sweep's folder; go on with experiments -m sweep.resume={folder}")
    config = stored_config(folder)
    from experiments import runner
    from experiments.report import Display

    with Display() as display:
        display.begin(config)
        single = not (folder.parent / "sweep.yaml").exists()
        result = runner.run(config, folder, watch=display.watch, single=single, resumed=True)
    display.summary(result)
    return 1 if result.status == "diverged" and display.fail_on_divergence else 0
