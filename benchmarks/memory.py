"""Peak memory of a streamed run, for files of growing size: `python benchmarks/memory.py [GB ...]` (default 0.25 1).

Each file (100 features, float32) is written below the temporary folder, trained on for one epoch by a process of its
own, whose peak resident memory is printed, and deleted.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

COLUMNS, CHUNK = 101, 100_000
TASK = """
import resource, sys
from experiments import run
path, target = sys.argv[1:]
run("data=stream", f"data.path={path}", f"data.targets=[{target}]", "training.epochs=1", "training.batch_size=1024",
    "optimizer.lr=1e-4", "tracking.figures=false", "model=analytic", "optimizer=manual_sgd", "optimizer.lr=1e-4")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def write(path: Path, rows: int) -> None:
    """A table of `rows` rows, chunk by chunk."""
    random = np.random.default_rng(0)
    table = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(rows, COLUMNS))
    for first in range(0, rows, CHUNK):
        part = table[first : first + CHUNK]
        part[:] = random.standard_normal(part.shape, dtype=np.float32)
    table.flush()


def main() -> None:
    for gigabytes in map(float, sys.argv[1:] or ("0.25", "1")):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "t.npy"
            write(path, int(gigabytes * 1e9 / COLUMNS / 4))
            began = time.perf_counter()
            done = subprocess.run(
                [sys.executable, "-c", TASK, str(path), f"c{COLUMNS}"], cwd=folder, capture_output=True, text=True
            )
            seconds = time.perf_counter() - began
            if done.returncode:
                sys.exit(done.stderr)
            print(f"{gigabytes:g} GB NPY: peak memory {int(done.stdout.split()[-1]) / 1e6:.2f} GB, {seconds:.0f} s")


if __name__ == "__main__":
    main()
