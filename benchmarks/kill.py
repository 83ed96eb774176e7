"""Kill runs with SIGKILL at random moments and inside their writes, resume them, compare bit for bit.

    python benchmarks/kill.py --kills 200 [--seed 0]

Prints a line per case and the sums; exit status 1 on any difference.
"""
# ruff: noqa: E402

import sys
import tempfile
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / part) for part in ("src", "")]

import numpy as np
from campaign import Trial, campaign

from experiments.config.schema import Config
from tests.support.killing import counted, ended, forked, make_config, session, trial

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


def cases(place: Path) -> dict[str, Config]:
    """The configs of the cases, with a table for the stream; one run ahead, so that every fork finds all imported."""
    table = place / "table.npy"
    np.save(table, np.random.default_rng(0).normal(size=(300, 4)))
    session(make_config(**CASES["figures"]), place / "warm")
    return {
        name: make_config(**keys) for name, keys in {**CASES, "stream": {**STREAM, "data__path": str(table)}}.items()
    }


def undisturbed(config: Config, reference: Path) -> tuple[Trial, str]:
    """The run as it should come out, and what one trial of it is."""
    began = time.perf_counter()
    assert ended(forked(lambda: session(config, reference))) == 0
    seconds = time.perf_counter() - began
    with tempfile.TemporaryDirectory() as place:
        calls = counted(lambda: session(config, Path(place) / "counted"))
    said = f"{calls} calls in the undisturbed run of {seconds:.2f} s"
    return lambda folder, dice: trial(config, folder, reference, calls, seconds, dice), said


if __name__ == "__main__":
    sys.exit(campaign(__doc__ or "", 200, cases, undisturbed))
