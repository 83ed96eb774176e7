"""Kill sweeps, their parent or a worker, with SIGKILL at random moments and inside writes; resume; compare all files.

    python benchmarks/kill_sweeps.py --kills 100 [--seed 0]

Prints a line per case and the sums; exit status 1 on any difference, or when a process or a temporary file is left.
"""
# ruff: noqa: E402, E501

import random
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / part) for part in ("src", "")]

from campaign import Trial, campaign

from tests.support import killing_packed
from tests.support.killing_sweeps import trial
from tests.support.killing_sweeps import undisturbed as sweep_whole

TWO = "hydra.launcher.workers=2"
CASES = {
    "one pack": ["seed=range(0,40)", "training.epochs=20"],
    "several packs": ["seed=range(0,8)", "training.batch_size=5,3,null", "optimizer=sgd,adam", "training.epochs=10", TWO],
    "early stopping, diverging": ["seed=range(0,6)", "optimizer.lr=1e-5,1e-2", "training.patience=3", "training.epochs=30",
                                  "data.validation=0.3", "model=manual,linear", TWO],
    "failing jobs": ["seed=range(0,6)", "training.batch_size=5,-1,3", "training.epochs=5", TWO],
    "no folders": ["seed=range(0,700)", "training.batch_size=5,3", "training.epochs=30", "sweep.keep=none", TWO],
    "serial jobs": ["seed=range(0,4)", "training.shuffle=blocks,true", "training.epochs=5", "training.batch_size=5,3", TWO],
}  # fmt: skip


def cases(place: Path) -> dict[str, list[str]]:
    """The command lines; one sweep ahead, so that a fork finds the files in memory."""
    sweep_whole(["seed=1,2", "training.shuffle=blocks,true"], place / "warm")
    return CASES


def undisturbed(arguments: list[str], reference: Path) -> tuple[Trial, str]:
    """The sweep as it should come out, and what one trial of it is."""
    if "sweep.keep=none" in arguments:
        return without_folders(arguments, reference)
    seconds = sweep_whole(arguments, reference)

    def once(folder: Path, dice: random.Random) -> list[str]:
        return [*trial(arguments, folder, reference, seconds, dice.randint(1, 3), dice), *left_behind(folder)]

    return once, f"undisturbed it takes {seconds:.2f} s"


def without_folders(arguments: list[str], reference: Path) -> tuple[Trial, str]:
    """The same of a sweep whose jobs have no folders, in processes that are not forks."""
    clock = time.perf_counter()
    killing_packed.begun(arguments, reference).wait()
    seconds = time.perf_counter() - clock

    def once(folder: Path, dice: random.Random) -> list[str]:
        try:
            count = killing_packed.trial(arguments, folder, reference, seconds, dice.randint(1, 3), dice)
        except AssertionError as error:
            return ["0", str(error)]
        return [str(count), *left_behind(folder)]

    return once, f"undisturbed it takes {seconds:.2f} s"


def left_behind(folder: Path) -> list[str]:
    """Temporary files in the folder, and processes that still name it."""
    found = [f"leftover {p.name}" for p in folder.rglob("*") if p.suffix == ".tmp" or p.name in ("lock", ".session")]
    time.sleep(0.05)
    for place in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if str(place.readlink()).startswith(str(folder)):
                found.append(f"process {place.parts[2]} has {place.readlink()} open")
        except OSError:  # it has ended, or is not ours
            continue
    return found


if __name__ == "__main__":
    sys.exit(campaign(__doc__ or "", 100, cases, undisturbed))
