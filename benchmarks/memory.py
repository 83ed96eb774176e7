"""Peak memory of a streamed run, for files of growing size: `python benchmarks/memory.py [GB ...]` (default 0.25 1 4).

Each file (100 features and a target, float32; NPY, and one Parquet file) is written below `--folder`, trained on for
one epoch by a process of its own, whose peak resident memory is printed, and deleted. Exit status 1 above 1 GB.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

COLUMNS, CHUNK, ALLOWED = 101, 65_536, 1e9
NAMES = [f"c{i + 1}" for i in range(COLUMNS)]
TASK = """
import sys
from collections.abc import Iterator
from pathlib import Path
from experiments import run
result = run("data=stream", f"data.path={sys.argv[1]}", f"data.targets=[{sys.argv[2]}]", "training.epochs=1",
    "training.batch_size=1024", "tracking.figures=false", "model=analytic", "optimizer=manual_sgd", "optimizer.lr=0.01")
status = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines() if ":" in line)
print(status["VmHWM"].split()[0], result.rows["train"], result.metrics["gap"], result.metrics["optimum_loss"])
"""  # not getrusage: its peak includes that of the process that started this one


def chunks(rows: int) -> Iterator[np.ndarray]:
    """Random tables whose last column is a noisy sum of the others: (CHUNK, COLUMNS) each, made one at a time."""
    random = np.random.default_rng(0)
    for first in range(0, rows, CHUNK):
        part = random.standard_normal((min(CHUNK, rows - first), COLUMNS), dtype=np.float32)
        part[:, -1] += part[:, :-1].sum(1)
        yield part


def write_npy(path: Path, rows: int) -> None:
    with path.open("wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": (rows, COLUMNS)}
        np.lib.format.write_array_header_1_0(file, header)
        for part in chunks(rows):
            part.tofile(file)


def write_parquet(path: Path, rows: int) -> None:
    """One file, put together from parts so that writing it takes little memory too."""
    parts = path.parent / "parts"
    parts.mkdir()
    for i, part in enumerate(chunks(rows)):
        pl.DataFrame(part, schema=NAMES, orient="row").write_parquet(parts / f"{i:06}.parquet", compression="lz4")
    pl.scan_parquet(parts).sink_parquet(path, compression="lz4", row_group_size=CHUNK)
    shutil.rmtree(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("gigabytes", type=float, nargs="*", default=[0.25, 1.0, 4.0])
    parser.add_argument("--folder", help="where the files are written (default: the temporary folder)")
    asked = parser.parse_args()
    worst = 0.0
    print(f"{'file':<10}{'GB':>6}{'rows':>12}{'peak GB':>9}{'seconds':>9}   gap of one epoch, optimum")
    for gigabytes in asked.gigabytes:
        rows = int(gigabytes * 1e9 / COLUMNS / 4)
        for ending, write in ((".npy", write_npy), (".parquet", write_parquet)):
            with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
                path = Path(folder) / f"t{ending}"
                write(path, rows)
                size = path.stat().st_size / 1e9
                began = time.perf_counter()
                task = [sys.executable, "-c", TASK, str(path), NAMES[-1]]
                done = subprocess.run(task, cwd=folder, capture_output=True, text=True)
                seconds = time.perf_counter() - began
            if done.returncode:
                sys.exit(done.stderr)
            peak, seen, gap, least = done.stdout.splitlines()[-1].split()
            worst = max(worst, int(peak) * 1024)
            print(f"{ending[1:]:<10}{size:>6.2f}{int(seen):>12,}{int(peak) * 1024 / 1e9:>9.2f}{seconds:>9.0f}   "
                  f"{float(gap):.3g}, {float(least):.4g}", flush=True)  # fmt: skip
    print(f"worst peak {worst / 1e9:.2f} GB, goal 1.00: {'met' if worst < ALLOWED else 'MISSED'}")
    sys.exit(worst >= ALLOWED)


if __name__ == "__main__":
    main()
