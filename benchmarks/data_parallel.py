"""Rows a second of a stream of 100 features: two processes of torchrun beside one, each on a processor of its own.

    python benchmarks/data_parallel.py [--gigabytes 4] [--epochs 4] [--batch-size 65536]

One process of one thread is held to one processor, its reading thread with it; two have one each. What is compared is
the training with the losses after every epoch (`train_seconds` of result.json), and beside it the whole command. The
bits must be the same. Aim: two at least 1.6 times one.
"""

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

FEATURES, PIECE = 100, 100_000
PINNED = "import os, runpy, sys; os.sched_setaffinity(0, [int(os.environ['LOCAL_RANK']) % os.cpu_count()]); "
PINNED += "sys.argv[0] = 'experiments'; runpy.run_module('experiments', run_name='__main__')"


def write(path: Path, rows: int) -> None:
    """An NPY table of float32, some rows at a time."""
    random = np.random.default_rng(0)
    weight = random.standard_normal((FEATURES, 1), dtype=np.float32)
    table = np.lib.format.open_memmap(path, "w+", np.float32, (rows, FEATURES + 1))
    for first in range(0, rows, PIECE):
        x = random.standard_normal((min(PIECE, rows - first), FEATURES), dtype=np.float32)
        table[first : first + len(x)] = np.hstack([x, x @ weight + random.standard_normal((len(x), 1), np.float32)])
    table.flush()


def timed(folder: Path, processes: int, asked: argparse.Namespace) -> tuple[float, float, str]:
    """Seconds of the training, of the whole command, and a digest of the weights."""
    place = folder / f"of{processes}-{time.time_ns()}"
    (folder / "pinned.py").write_text(PINNED)
    command = [
        sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(processes), str(folder / "pinned.py"),
        "data=stream", f"data.path={folder / 't.npy'}", f"data.targets=[c{FEATURES + 1}]", "model=analytic",
        "optimizer=manual_sgd", "optimizer.lr=1e-3", f"training.epochs={asked.epochs}", "tracking.figures=false",
        f"training.batch_size={asked.batch_size}", f"hydra.run.dir={place}",
    ]  # fmt: skip
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"})
    whole = time.perf_counter() - began
    result = json.loads((place / "result.json").read_text())
    digest = hashlib.sha256((place / "model.safetensors").read_bytes()).hexdigest()
    return result["timing"]["train_seconds"], whole, digest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=4)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--batch-size", type=int, default=65_536)
    parser.add_argument("--repeat", type=int, default=3)
    asked = parser.parse_args()
    rows = int(asked.gigabytes * 1e9 / 4 / (FEATURES + 1))
    with tempfile.TemporaryDirectory() as name:
        write(Path(name) / "t.npy", rows)
        ratios, digests = [], set[str]()
        for _ in range(asked.repeat):
            one, two = timed(Path(name), 1, asked), timed(Path(name), 2, asked)
            ratios.append(one[0] / two[0])
            digests |= {one[2], two[2]}
            speeds = [rows * asked.epochs / seconds / 1e6 for seconds in (one[0], two[0])]
            print(
                f"training {one[0]:.1f} s, {two[0]:.1f} s ({speeds[0]:.2f}, {speeds[1]:.2f} M rows/s): "
                f"{ratios[-1]:.2f} times; whole command {one[1]:.1f} s, {two[1]:.1f} s: {one[1] / two[1]:.2f} times"
            )
    found = statistics.median(ratios)
    print(f"median {found:.2f}, goal 1.60 {'met' if found >= 1.6 else 'MISSED'}; bits {len(digests) == 1}")
    sys.exit(found < 1.6 or len(digests) > 1)


if __name__ == "__main__":
    main()
