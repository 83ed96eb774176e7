"""Classes and networks: one run beside a loop by hand, a thousand beside Hydra's basic launcher on a plain script.

    python benchmarks/networks.py [JOBS]

Sweeps are whole processes, over ten rates and JOBS / 10 seeds, 100 epochs each. The peer is `plain_network.py` under
`-m`: its marginal cost is that of a few jobs less that of one. Outputs are left until the end: deleting them slows down
the file system for the next.
"""

import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import plain_network
import torch
from sweep import PYTHON, timed

from experiments.config.composition import compose
from experiments.learning.training import Progress, fit
from experiments.running.assembly import assemble

HERE = Path(__file__).resolve().parent
DIGITS = ["data=digits", "loss=cross_entropy", "training.batch_size=128"]
ROWS = ["data=synthetic", "data.n_rows=1000", "data.n_features=10", "data.n_targets=1", "training.batch_size=32"]
KINDS = {
    "softmax, digits": (DIGITS, ["data=digits"], 30),
    "mlp 32, 1,000 x 10": ([*ROWS, "model=mlp"], ["data=rows", "hidden=32", "batch_size=32"], 30),
    "mlp 32, digits": ([*DIGITS, "model=mlp"], ["data=digits", "hidden=32"], 12),
}
"""Our words, the peer's, and how many times as fast ours are to be."""
FEW, ROUNDS = 6, 3


def one_run() -> None:
    """Softmax on digits: `training.fit` beside the loop by hand, taking turns; the looks at all rows are in both."""
    torch.set_num_threads(1)
    table = plain_network.table("digits")
    loops: dict[str, Callable[[], object]] = {"by hand": lambda: plain_network.train(plain_network.Config(), *table)}
    for model in (["model=linear"], ["model=analytic", "optimizer=manual_sgd"]):
        config = compose([*DIGITS, *model, "optimizer.lr=0.01", "training.epochs=100", "device=cpu"])
        data = assemble(config).data
        loops[model[0]] = lambda config=config, data=data: list(fit(assemble(config, data), Progress()))
    seconds: dict[str, list[float]] = {name: [] for name in loops}
    for _ in range(9):
        for name, loop in loops.items():
            began = time.perf_counter()
            loop()
            seconds[name].append(time.perf_counter() - began)
    hand, *ours = (statistics.median(found) for found in seconds.values())
    print(f"one run, softmax on digits: by hand {hand:.3f} s")
    for name, own in zip(list(loops)[1:], ours, strict=True):
        print(f"    {name:15} {own:.3f} s: ratio {own / hand:.2f} (aim: at most 1)")


def measured(command: list[str], folder: str) -> np.ndarray:
    """Seconds of a process by the clock, and of processors: what a busy machine changes less."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    took = timed(command, folder)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return np.array([took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime])


def marginal_of_the_peer(words: list[str], folder: str) -> np.ndarray:
    """The same of a job of the plain script under Hydra's basic launcher."""
    script = [PYTHON, str(HERE / "plain_network.py"), "-m", *words]
    one, few = (measured([*script, f"seed=range(0,{n})"], folder) for n in (1, FEW))
    return (few - one) / (FEW - 1)


def sweep(words: list[str], jobs: int, folder: str, epochs: int = 100) -> np.ndarray:
    """The same of a whole sweep."""
    rates = "optimizer.lr=" + ",".join(f"{k}e-3" for k in range(1, 11))
    seeds = f"seed=range(0,{jobs // 10})"
    command = [PYTHON, "-m", "experiments", "-m", *words, f"training.epochs={epochs}", rates, seeds]
    return measured(command, folder)


def main(jobs: int) -> None:
    """Print the lines."""
    one_run()
    os.environ |= {"EXPERIMENTS_TRUSTED_MODULES": "plain_network", "PYTHONPATH": str(HERE)}
    with tempfile.TemporaryDirectory() as folder:
        for name, (words, peers, aim) in KINDS.items():
            peer = np.median([marginal_of_the_peer(peers, folder) for _ in range(ROUNDS)], axis=0)
            took = sweep(words, jobs, folder)
            times = peer * jobs / took
            print(f"{name:20} {jobs} jobs: {took[0]:.1f} s ({took[1]:.1f} of processors); peer {peer[0]:.3f} s a job "
                  f"({peer[1]:.3f}): {times[0]:.1f} times (aim: {aim}), of processors {times[1]:.1f}; "
                  f"load {os.getloadavg()[0]:.1f}", flush=True)  # fmt: skip
        own, ours = (sweep([*ROWS, model], jobs, folder, epochs=20)
                     for model in ("model._target_=plain_network.TwoLayers", "model=mlp"))  # fmt: skip
        ratio = own / ours
        print(f"a module of one's own {own[0]:.1f} s, model=mlp {ours[0]:.1f} s: ratio {ratio[0]:.2f} (aim: at most "
              f"1.3), of processors {ratio[1]:.2f}")  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
