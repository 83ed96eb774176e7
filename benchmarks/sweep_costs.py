"""Where the time of a stacked job goes, beside the cost of only creating the same files.

    python benchmarks/sweep_costs.py [JOBS]

One process (hydra.launcher.workers=1), so that the parts add up; two workers share them. What training costs is by the
processor's clock as well: system time is the file system's.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from resource import RUSAGE_SELF, getrusage
from typing import Any

from sweep import files_only

import experiments
from experiments.sweeps import execution, launching, sweeping
from experiments.sweeps.results import outcomes
from experiments.sweeps.stacked import packs

PARTS = {
    "overrides of every job": (sweeping, "jobs_of"),
    "composing": (launching.Sweep, "composed"),
    "planning": (execution, "plan"),
    "folders and texts": (packs.Pack, "begin"),
    "training": (packs.Pack, "train"),
    "results and events": (packs.Pack, "finish"),
    "rows of the table": (outcomes.Outcomes, "enter"),
    "results.csv": (outcomes.Outcomes, "write_table"),
    "returns to the sweeper": (outcomes.Outcomes, "returned"),
    "the whole": (sweeping, "sweep"),
}


def timed(work: Callable[..., Any], spent: list[float]) -> Callable[..., Any]:
    """`work`, adding seconds of wall, user and system time to `spent`."""

    def wrapped(*arguments: Any, **named: Any) -> Any:
        began, before = time.perf_counter(), getrusage(RUSAGE_SELF)
        try:
            return work(*arguments, **named)
        finally:
            after = getrusage(RUSAGE_SELF)
            spent[0] += time.perf_counter() - began
            spent[1] += after.ru_utime - before.ru_utime
            spent[2] += after.ru_stime - before.ru_stime

    return wrapped


def main(jobs: int) -> None:
    """Print the table."""
    spent = {name: [0.0, 0.0, 0.0] for name in PARTS}
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        experiments.sweep("seed=range(0,8)")  # imports
        for name, (owner, attribute) in PARTS.items():
            setattr(owner, attribute, timed(getattr(owner, attribute), spent[name]))
        experiments.sweep(f"seed=range(0,{jobs})", "hydra.launcher.workers=1")
        print(f"\n{jobs} jobs, milliseconds a job; load {os.getloadavg()[0]:.1f}")
        print(f"{'':24}{'wall':>8}{'user':>8}{'system':>8}")
        for name, seconds in spent.items():
            print(f"{name:24}" + "".join(f"{s / jobs * 1e3:8.3f}" for s in seconds))
        print(f"{'creating the files only':24}{files_only(folder, min(jobs, 5000)) * 1e3:8.3f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5000)
