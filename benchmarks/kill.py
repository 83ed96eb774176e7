"""Kill runs with SIGKILL at random moments and inside their writes, resume them, compare bit for bit.

    python benchmarks/kill.py --kills 200 [--seed 0]

Prints a line per case and the sums; exit status 1 on any difference.
"""
# ruff: noqa: E402

import argparse
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / part) for part in ("src", "")]

import numpy as np
import torch

from tests.killing import counted, ended, forked, make_config, session, trial

CASES = {
    "tutorial": {"training": {"epochs": 40, "checkpoint_every": 3}},
    "no checkpoints": {"training": {"epochs": 40}},
    "every epoch": {"model": "manual", "optimizer": "manual_adam", "training": {"epochs": 30, "checkpoint_every": 1}},
    "adam, cosine": {"optimizer": "adam", "schedule": "cosine", "training": {"epochs": 30, "checkpoint_every": 2}},
    "patience": {"model": "analytic", "optimizer": "adagrad", "data__validation": 0.3, "data__standardize": True,
                 "training": {"epochs": 60, "patience": 4, "checkpoint_every": 2, "log_every": 2}},
    "rmsprop, torch's loader": {"optimizer": "rmsprop", "schedule": "step", "data__loader": "torch",
                                "training": {"epochs": 20, "checkpoint_every": 4}},
    "momentum, blocks": {"model": "manual", "optimizer": "manual_sgd", "optimizer__momentum": 0.5,
                         "optimizer__lr": 1e-6, "data__block_rows": 4,
                         "training": {"epochs": 25, "shuffle": "blocks", "checkpoint_every": 5}},
    "diverged": {"optimizer__lr": 0.1, "training": {"epochs": 100, "checkpoint_every": 1}},
    "figures": {"training": {"epochs": 12, "checkpoint_every": 2}, "tracking": {"figures": True}},
    "wide": {"data": "synthetic", "data__n_features": 300, "data__n_targets": 20, "data__n_rows": 400,
             "optimizer": "adamw", "training": {"epochs": 8, "batch_size": 50, "checkpoint_every": 1}},
}  # fmt: skip

STREAM = {"data": "stream", "data__targets": ["c4"], "data__block_rows": 64, "optimizer": "adam",
          "training": {"epochs": 8, "batch_size": 16, "checkpoint_every": 1, "shuffle": "blocks"}}  # fmt: skip


def main() -> int:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    dice, total, bad, trials = random.Random(arguments.seed), 0, 0, 0
    each = -(-arguments.kills // (len(CASES) + 1))
    with tempfile.TemporaryDirectory() as place:
        table = Path(place) / "table.npy"
        np.save(table, np.random.default_rng(0).normal(size=(300, 4)))
        cases = {**CASES, "stream": {**STREAM, "data__path": str(table)}}
        session(make_config(**CASES["figures"]), Path(place) / "warm")  # so that every fork finds all imported
        for name, keys in cases.items():
            config, reference = make_config(**keys), Path(place) / "reference"
            began = time.perf_counter()
            assert ended(forked(lambda c=config, r=reference: session(c, r))) == 0
            seconds = time.perf_counter() - began
            calls = counted(lambda c=config: session(c, Path(place) / "counted"))
            kills = 0
            while kills < each:
                trials += 1
                count, *problems = trial(config, Path(place) / "run", reference, calls, seconds, dice)
                kills += int(count)
                bad += bool(problems)
                for problem in problems:
                    print(f"  {name}: {problem}")
                shutil.rmtree(Path(place) / "run", ignore_errors=True)
            total += kills
            print(f"{name}: {kills} kills, {calls} calls in the undisturbed run of {seconds:.2f} s", flush=True)
            for leftover in ("reference", "counted"):
                shutil.rmtree(Path(place) / leftover)
    print(f"{total} kills in {trials} runs, {bad} runs with a difference or an unreadable file")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
