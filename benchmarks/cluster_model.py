"""What limits a sweep on many machines: a simulation of engines with measured constants.

    python -m benchmarks.cluster_model [--jobs N] [--table BYTES] [--files] [--measure]

Four queues, each served one after another: the sweep's own process (composing, sending, taking results), the file
system's bandwidth (tables), its metadata server (files), and each worker. `--measure` takes what a job costs from a
sweep of 40,960 jobs, whose one worker lives in this process; else it is what two processors of 2026 needed. What the
file system does is assumed, and to be replaced by what yours does.
"""

import argparse
import heapq
import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

from experiments.__main__ import main as experiments
from experiments.sweeps.engines.driving import ENDED, drive
from experiments.sweeps.engines.parcel import Parcel, work_on

PACK = 2048
"""Jobs of a pack, in a sweep of more than 20,480."""


@dataclass(frozen=True)
class Costs:
    """Seconds."""

    compose: float = 53e-6
    """Of a job, by the sweep's own process."""
    send: float = 22e-3
    """Of a pack, 280 kB pickled without its table."""
    take: float = 1e-6
    """Of a job's result."""
    start: float = 3.7
    """Of a worker: Python, torch, this package; a scheduler's queue is not in it."""
    train: float = 0.61e-3
    """Of a job of 100 epochs with its row of the tables, the tutorial's run."""
    table_bytes: float = 1e9
    """What a worker reads once."""
    bandwidth: float = 2e9
    """Bytes a second of the shared file system, all readers together: that of a small NFS or Lustre installation."""
    operations: float = 0.0
    """Of a job on the metadata server: folders and files that are created, renamed, closed."""
    operations_of_a_pack: float = 6.0
    """Three files that are written and renamed."""
    rate: float = 10_000.0
    """Operations a second of the metadata server."""


@dataclass
class Server:
    """A queue served one after another; `busy` adds up."""

    free: float = 0.0
    busy: float = 0.0

    def serve(self, now: float, seconds: float) -> float:
        """When a request of `now` is done."""
        self.free = max(self.free, now) + seconds
        self.busy += seconds
        return self.free


def simulate(workers: int, packs: int, costs: Costs) -> tuple[float, dict[str, float]]:
    """Seconds until the last result has come, and for how many of them each queue was busy."""
    own, disk, metadata = Server(), Server(), Server()
    trained, left, end = 0.0, packs, 0.0
    events = [(costs.start, worker, 0) for worker in range(min(workers, packs))]
    read: set[int] = set()
    heapq.heapify(events)
    while events:
        now, worker, had = heapq.heappop(events)
        if had < 0:  # it has trained a parcel, and writes it
            operations = -had * (costs.operations_of_a_pack + PACK * costs.operations)
            heapq.heappush(events, (metadata.serve(now, operations / costs.rate), worker, -had))
            continue
        if had:
            end = own.serve(now, had * PACK * costs.take)
        if not left:
            continue
        size = max(1, min(left, -(-left // (4 * workers))))
        left -= size
        now = own.serve(now, size * (PACK * costs.compose + costs.send))
        if worker not in read:
            read.add(worker)
            now = disk.serve(now, costs.table_bytes / costs.bandwidth)
        seconds = size * PACK * costs.train
        trained += seconds
        heapq.heappush(events, (now + seconds, worker, -size))
    busy = {"own process": own.busy, "table reads": disk.busy, "file operations": metadata.busy}
    return end, busy | {"training, each": trained / min(workers, packs)}


class Timed:
    """An engine with one worker in this process, which notes what each part of a job's way takes."""

    workers = slots = parts = processes = 1
    seconds, shared = 60.0, True

    def __init__(self) -> None:
        self.spent = dict.fromkeys(("compose", "send", "train", "take"), 0.0)
        self.packs, self.bytes = 0, 0

    def run(self, packs: Iterator[Any], folders: Any, done: Any, crashed: Any, jobs: int) -> None:
        drive(self, self._composed(packs), folders, done, crashed, jobs)

    def _composed(self, packs: Iterator[Any]) -> Iterator[Any]:
        began = time.perf_counter()
        for pack in packs:
            self.spent["compose"] += time.perf_counter() - began
            self.packs += 1
            yield pack
            began = time.perf_counter()

    def send(self, parcel: Parcel) -> None:
        began = time.perf_counter()
        self.number, self.content = parcel.number, pickle.dumps(parcel, pickle.HIGHEST_PROTOCOL)
        self.spent["send"] += time.perf_counter() - began
        self.bytes += len(self.content)

    def receive(self) -> Iterator[Any]:
        began = time.perf_counter()
        content = work_on(self.content)
        trained = time.perf_counter()
        self.spent["train"] += trained - began
        yield self.number, pickle.loads(content)
        self.spent["take"] += time.perf_counter() - trained
        yield self.number, ENDED

    def cancel(self) -> None: ...

    def close(self) -> None: ...


def measured(jobs: int = 20 * PACK) -> Costs:
    """What this machine needs."""
    engine = Timed()
    with (
        tempfile.TemporaryDirectory() as folder,
        patch("experiments.sweeps.engines.choosing.engine_of", lambda _: engine),
    ):
        words = [f"seed=range(0,{jobs})", "sweep.keep=none", "sweep.curves=last", f"hydra.sweep.dir={folder}/s"]
        experiments(["-m", *words])
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import experiments.sweeps.stacked.packs"], check=True)
    spent = engine.spent
    costs = Costs(
        compose=spent["compose"] / jobs, send=spent["send"] / engine.packs, take=spent["take"] / jobs,
        start=time.perf_counter() - began, train=spent["train"] / jobs,
    )  # fmt: skip
    print(
        f"measured, load {os.getloadavg()[0]:.1f}: a job {1e3 * costs.train:.2f} ms to train and store, "
        f"{1e6 * costs.compose:.0f} us to compose, {1e6 * costs.take:.0f} us to take; a pack {1e3 * costs.send:.1f} ms "
        f"to send, {engine.bytes / engine.packs / 1e3:.0f} kB; a worker {costs.start:.1f} s to start"
    )
    return costs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--table", type=float, default=1e9, help="bytes that each worker reads")
    parser.add_argument("--files", action="store_true", help="a folder for each job, as sweep.keep=all has them")
    parser.add_argument("--measure", action="store_true", help="what a job costs on this machine, first")
    asked = parser.parse_args()
    costs = replace(
        measured() if asked.measure else Costs(), table_bytes=asked.table, operations=20.0 if asked.files else 0.0
    )
    print(
        f"{asked.jobs} jobs of 100 epochs, table of {asked.table / 1e9:g} GB, {'folders' if asked.files else 'packs'}"
    )
    packs = -(-asked.jobs // PACK)
    alone, _ = simulate(1, packs, costs)
    for workers in (1, 2, 10, 30, 100, 300, 1000):
        seconds, busy = simulate(workers, packs, costs)
        told = ", ".join(f"{name} {value:.0f} s" for name, value in busy.items())
        print(f"{workers:5d} workers {seconds:8.0f} s, {alone / seconds:6.1f} times one; busy: {told}")


if __name__ == "__main__":
    main()
