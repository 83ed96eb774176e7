"""Kill sweeps, their parent or a worker, with SIGKILL at random moments and inside writes; resume; compare all files.

    python benchmarks/kill_sweeps.py --kills 100 [--seed 0]

Prints a line per case and the sums; exit status 1 on any difference, or when a process or a temporary file is left.
"""
# ruff: noqa: E402, E501

import argparse
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / part) for part in ("src", "")]

import torch

from tests.killing_sweeps import trial, undisturbed

TWO = "hydra.launcher.workers=2"
CASES = {
    "one pack": ["seed=range(0,40)", "training.epochs=20"],
    "several packs": ["seed=range(0,8)", "training.batch_size=5,3,null", "optimizer=sgd,adam", "training.epochs=10", TWO],
    "early stopping, diverging": ["seed=range(0,6)", "optimizer.lr=1e-5,1e-2", "training.patience=3", "training.epochs=30",
                                  "data.validation=0.3", "model=manual,linear", TWO],
    "failing jobs": ["seed=range(0,6)", "training.batch_size=5,-1,3", "training.epochs=5", TWO],
    "serial jobs": ["seed=range(0,4)", "loss=huber,mse", "training.epochs=5", "training.batch_size=5,3", TWO],
}  # fmt: skip


def main() -> int:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    dice, total, bad, trials = random.Random(asked.seed), 0, 0, 0
    each = -(-asked.kills // len(CASES))
    with tempfile.TemporaryDirectory() as place:
        undisturbed(["seed=1,2", "loss=huber,mse"], Path(place) / "warm")  # so that a fork finds the files in memory
        for name, arguments in CASES.items():
            reference, folder, kills = Path(place) / "reference", Path(place) / "sweep", 0
            seconds = undisturbed(arguments, reference)
            while kills < each:
                trials += 1
                count, *problems = trial(arguments, folder, reference, seconds, dice.randint(1, 3), dice)
                problems += left_behind(folder)
                kills += int(count)
                bad += bool(problems)
                for problem in problems:
                    print(f"  {name}: {problem}", flush=True)
                shutil.rmtree(folder, ignore_errors=True)
            total += kills
            print(f"{name}: {kills} kills; undisturbed it takes {seconds:.2f} s", flush=True)
            shutil.rmtree(reference)
    print(f"{total} kills in {trials} sweeps, {bad} sweeps with a difference, a leftover or an unreadable file")
    return 1 if bad else 0


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
    sys.exit(main())
