"""What limits a sweep on many machines: a simulation of engines with measured constants.

`python -m benchmarks.cluster_model [--jobs N] [--files]`. Four queues, each served one after another: the sweep's own
process (composing, sending, taking results), the file system's bandwidth (tables), its metadata server (files), and
each worker. Nothing is run; the constants are those that `benchmarks/engines.py` and `benchmarks/sweep_costs.py` find.
"""

import argparse
import heapq
from dataclasses import dataclass, replace

PACK = 512


@dataclass(frozen=True)
class Costs:
    """Seconds, on two processors of 2026 unless it says otherwise."""

    compose: float = 30e-6
    """Of a job, by the sweep's own process."""
    send: float = 4e-3
    """Of a pack, 85 kB pickled without its table."""
    take: float = 20e-6
    """Of a job's result."""
    start: float = 5.0
    """Of a worker: Python, torch, this package; a scheduler's queue is not in it."""
    train: float = 1e-3 + 100 * 3e-6
    """Of a job of 100 epochs with its files laid out, as `sweep.dry_run` estimates it."""
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
    own.serve(0.0, packs * PACK * costs.compose)
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
        now = own.serve(now, size * costs.send)
        if worker not in read:
            read.add(worker)
            now = disk.serve(now, costs.table_bytes / costs.bandwidth)
        seconds = size * PACK * costs.train
        trained += seconds
        heapq.heappush(events, (now + seconds, worker, -size))
    busy = {"own process": own.busy, "table reads": disk.busy, "file operations": metadata.busy}
    return end, busy | {"training, each": trained / min(workers, packs)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--table", type=float, default=1e9, help="bytes that each worker reads")
    parser.add_argument("--files", action="store_true", help="a folder for each job, as sweep.keep=all has them")
    asked = parser.parse_args()
    costs = replace(Costs(), table_bytes=asked.table, operations=20.0 if asked.files else 0.0)
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
