"""Sweeps as whole processes beside Hydra's basic launcher on a plain script, and beside only creating the files.

    python benchmarks/sweep.py [ROUNDS] [LARGEST]
    python benchmarks/sweep.py packed [JOBS]    jobs without folders; 1,000,000 take some minutes

The peer is `plain_script.py` under `-m`: its marginal cost is that of 40 jobs less that of 1. Outputs of earlier
timings are left until the end: deleting them slows down the file system for the next.
"""

import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

HERE = Path(__file__).resolve().parent
PYTHON = sys.executable
KINDS = {
    "seeds": ["seed=range(0,{n})"],
    "10 rates x seeds": ["optimizer.lr=" + ",".join(f"{k}e-6" for k in range(1, 11)), "seed=range(0,{n10})"],
    "8 structures x seeds": ["model=linear,manual", "optimizer=sgd,adam,rmsprop,adagrad", "seed=range(0,{n8})"],
}


def timed(command: list[str], folder: str) -> float:
    """Seconds of a process that must succeed."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    began = time.perf_counter()
    subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=True)
    return time.perf_counter() - began


def ours(kind: str, jobs: int, folder: str) -> float:
    """A sweep of `jobs` jobs."""
    overrides = [o.format(n=jobs, n10=jobs // 10, n8=jobs // 8) for o in KINDS[kind]]
    return timed([PYTHON, "-m", "experiments", "-m", *overrides], folder)


def marginal_of_the_peer(folder: str, rounds: int) -> float:
    """Seconds a job of the plain script under Hydra's basic launcher."""
    script = [PYTHON, str(HERE / "plain_script.py"), "-m"]
    costs = []
    for _ in range(rounds):
        one, forty = (timed([*script, f"seed=range(0,{n})"], folder) for n in (1, 40))
        costs.append((forty - one) / 39)
    return median(costs)


def files_only(folder: str, jobs: int) -> float:
    """Seconds a job to create the files of a job, with content of the same size, and nothing else."""
    sizes = {".hydra/config.yaml": 1100, ".hydra/hydra.yaml": 4200, ".hydra/overrides.yaml": 10, "config.json": 1500,
             "events": 14_000, "metrics.jsonl": 11_000, "model.safetensors": 190, "result.json": 3500}  # fmt: skip
    began = time.perf_counter()
    for job in range(jobs):
        place = f"{folder}/files/{job}"
        os.makedirs(f"{place}/.hydra")
        for name, size in sizes.items():
            handle = os.open(f"{place}/{name}", os.O_WRONLY | os.O_CREAT, 0o644)
            os.write(handle, b"x" * size)
            os.close(handle)
    return (time.perf_counter() - began) / jobs


def main(rounds: int, largest: int) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        peer = marginal_of_the_peer(folder, rounds)
        print(f"peer: {peer * 1e3:.0f} ms a job; load {os.getloadavg()[0]:.1f}")
        two = median(ours("seeds", 2, folder) for _ in range(rounds))
        print(f"2 jobs: {two:.2f} s")
        for kind, jobs, aim in (
            ("seeds", 1000, 100), ("10 rates x seeds", 1000, 100), ("8 structures x seeds", 1000, 50),
            ("seeds", largest, 350),
        ):  # fmt: skip
            took = median(ours(kind, jobs, folder) for _ in range(rounds))
            each = (took - two) / jobs * 1e3
            print(f"{kind:22}{jobs:6} jobs: {took:6.2f} s, {took - two:5.2f} s more than 2 jobs, {each:.2f} ms a job; "
                  f"{peer * jobs / took:.0f} times the peer (aim: {aim})")  # fmt: skip
        print(f"creating the files only: {files_only(folder, 2000) * 1e3:.2f} ms a job")
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
        print(f"peak memory of any of them: {peak:.2f} GB; load {os.getloadavg()[0]:.1f}")


def packed(jobs: int) -> None:
    """One sweep whose jobs have no folders, beside the peer."""
    words = [PYTHON, "-m", "experiments", "-m", f"seed=range(0,{jobs})", "sweep.keep=none", "sweep.curves=last"]
    with tempfile.TemporaryDirectory() as folder:
        peer = marginal_of_the_peer(folder, 3)
        print(f"peer: {peer * 1e3:.0f} ms a job; load {os.getloadavg()[0]:.1f}")
        took = timed([*words, "hydra.sweep.dir=s"], folder)
        files = [path for path in Path(folder, "s").rglob("*") if path.is_file()]
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        size, peak = sum(path.stat().st_size for path in files), used.ru_maxrss / 2**20
    each, times = took / jobs * 1e3, peer * jobs / took
    print(f"{jobs} jobs: {took:.1f} s, {each:.3f} ms a job (aim 0.15), {times:.0f} times the peer (aim 1,200)")
    print(f"{len(files)} files (aim 10,000) of {size / 1e6:.0f} MB; peak memory {peak:.2f} GB (aim 1.5)")
    print(f"processors of all that ran: {used.ru_utime + used.ru_stime:.0f} s; load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["packed"]:
        packed(int(sys.argv[2]) if sys.argv[2:] else 1_000_000)
        sys.exit()
    numbers = [int(a) for a in sys.argv[1:] if re.fullmatch(r"\d+", a)]
    main(*(numbers + [3, 10_000][len(numbers) :]))
