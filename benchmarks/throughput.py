"""Rows a second of one epoch, 100 features, float32: ours beside scikit-learn, a hand-written loop, and bare reading.

    python benchmarks/throughput.py [--rows 1000000] [--repeat 5]

Ratios of medians within one run of this script; every contender is timed once in each round, so that a busy
machine slows all of them down. Beside the ratios of wall times stand those of the processor's time of all threads:
what is left of the difference where other programs take the second processor. Needs the extra `bench`.

Ours updates once a batch of 1,024 rows (where nothing else is said), SGDRegressor once a row: that is what the rows/s
buy. A stream is held against the slower of bare reading and the same training in memory. The last lines say what a row
costs when ours too updates after every row. Lines without a goal are for those who would rather compare with
SGDRegressor(shuffle=False), with a read by all processors, where ours trains on one, or a stream with blocks in memory.
"""

import argparse
import statistics
import sys
import tempfile
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Generator

from experiments.data.batches import Batches
from experiments.data.prefetch import DEPTH, prefetched
from experiments.data.prepared import Preparation
from experiments.data.sources.stream import Stream
from experiments.data.streaming.streamed import Streamed
from experiments.exact.tsqr import blas
from experiments.learning import devices, models
from experiments.learning.losses import MSE
from experiments.learning.optimizers import SGD, ManualOptimizer
from experiments.learning.steps import choose_step

BATCH, FEW = 1024, 20_000


def read(x: torch.Tensor, threads: int) -> None:
    """The sum of all numbers, the quickest look at each."""
    own = torch.get_num_threads()
    torch.set_num_threads(threads)
    x.sum()
    torch.set_num_threads(own)


def ours(kind: str, batches: Any, features: int, batch_size: int = BATCH) -> Callable[[], None]:
    """One epoch of `fit` without looks at the losses (an evaluation costs another pass over the rows)."""

    def epoch() -> None:
        own = torch.get_num_threads()
        torch.set_num_threads(threads := devices.threads(None, batch_size * features))  # as a run does
        with blas().limit(limits=threads, user_api="blas"):
            train()
        torch.set_num_threads(own)

    def train() -> None:
        if kind == "analytic":
            model = models.Analytic(features, 1)
            optimizer = ManualOptimizer(model.parameters(), SGD(), 1e-4)
        else:
            model = torch.nn.Linear(features, 1)
            optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
        step, arrays = choose_step(model, MSE(), optimizer, batches.batch_size)
        for x, y in batches.epoch(Generator().manual_seed(0), arrays=arrays):
            step(x, y)

    return epoch


def by_hand(x: torch.Tensor, y: torch.Tensor) -> None:
    """The loop that somebody would write over sliced tensors."""
    model = torch.nn.Linear(x.shape[1], 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
    for first in range(0, len(x), BATCH):
        loss = torch.nn.functional.mse_loss(model(x[first : first + BATCH]), y[first : first + BATCH])
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()


def sklearn_epoch(x: np.ndarray, y: np.ndarray, shuffle: bool) -> None:
    from sklearn.linear_model import SGDRegressor

    peer = SGDRegressor(max_iter=1, tol=None, learning_rate="constant", eta0=1e-4, alpha=0.0, shuffle=shuffle)  # type: ignore[arg-type]  # tol may be None
    peer.fit(x, y)


def streamed(path: Path, target: str, standardize: bool = False) -> Streamed:
    return Stream(path=str(path), targets=[target]).prepared(Preparation(standardize=standardize))


def only_read(data: Streamed) -> None:
    """The same reader, its blocks dropped as they come, in memory that is used again as in training."""
    rows, used = data.training, deque[np.ndarray]()

    def tables() -> Iterator[np.ndarray]:
        for block in rows.reader.blocks:
            used.append(rows.table(block, spare=used.popleft() if len(used) > DEPTH + 1 else None))
            yield used[-1]

    for _ in prefetched(tables()):
        pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--features", type=int, default=100)
    parser.add_argument("--repeat", type=int, default=5)
    asked = parser.parse_args()
    random = np.random.default_rng(0)
    table = random.standard_normal((asked.rows, asked.features + 1), dtype=np.float32)
    x = torch.from_numpy(np.ascontiguousarray(table[:, :-1]))
    y = torch.from_numpy(np.ascontiguousarray(table[:, -1:]))
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder) / "t.npy", table)
        names = [f"c{i + 1}" for i in range(table.shape[1])]
        pl.DataFrame(table, schema=names, orient="row").write_parquet(
            Path(folder) / "t.parquet", row_group_size=65_536, compression="lz4"
        )
        opened = []
        for ending in ("npy", "parquet"):
            began = time.perf_counter()
            opened.append(streamed(Path(folder) / f"t.{ending}", names[-1]))
            print(f"first pass over {ending}: {time.perf_counter() - began:.1f} s")
        npy, parquet = opened
        scaled = streamed(Path(folder) / "t.npy", names[-1], standardize=True)
        del table
        width = asked.features
        few = slice(0, FEW)
        contenders: dict[str, Callable[[], object]] = {
            "one read, 1 thread": lambda: read(x, 1),
            "one read, all threads": lambda: read(x, torch.get_num_threads()),
            "SGDRegressor, in order": lambda: sklearn_epoch(x.numpy(), y[:, 0].numpy(), False),
            "SGDRegressor, shuffled": lambda: sklearn_epoch(x.numpy(), y[:, 0].numpy(), True),
            "analytic, in order": ours("analytic", Batches(x, y, BATCH, False), width),
            "analytic, in order, 4096": ours("analytic", Batches(x, y, 4 * BATCH, False), width, 4 * BATCH),
            "analytic, shuffled": ours("analytic", Batches(x, y, BATCH, True), width),
            "analytic, blocks": ours("analytic", Batches(x, y, BATCH, "blocks"), width),
            "loop by hand": lambda: by_hand(x, y),
            "linear, in order": ours("linear", Batches(x, y, BATCH, False), width),
            "read NPY": lambda: only_read(npy),
            "stream NPY": ours("analytic", npy.batches(BATCH, True), width),
            "stream NPY, in order": ours("analytic", npy.batches(BATCH, False), width),
            "read Parquet": lambda: only_read(parquet),
            "stream Parquet": ours("analytic", parquet.batches(BATCH, True), width),
            "stream Parquet, in order": ours("analytic", parquet.batches(BATCH, False), width),
            "standardised stream NPY": ours("analytic", scaled.batches(BATCH, True), width),
            "SGDRegressor, few rows": lambda: sklearn_epoch(x[few].numpy(), y[few, 0].numpy(), True),
            "analytic, few, batch 1": ours("analytic", Batches(x[few], y[few], 1, True), width),
        }
        wall, cpu = measured(contenders, asked.repeat)
    for name in contenders:
        rows = FEW if "few" in name else asked.rows
        print(f"{name:<24}{wall[name]:8.3f} s{rows / wall[name] / 1e6:8.2f} M rows/s   processor {cpu[name]:7.3f} s")
    goals: list[tuple[str, str, float | None]] = [
        ("SGDRegressor, shuffled", "analytic, in order", 10),
        ("SGDRegressor, in order", "analytic, in order", None),
        ("SGDRegressor, shuffled", "analytic, shuffled", 5),
        ("SGDRegressor, shuffled", "analytic, blocks", 7),
        ("one read, 1 thread", "analytic, in order", 1 / 3),
        ("one read, 1 thread", "analytic, in order, 4096", 1 / 3),
        ("one read, all threads", "analytic, in order", None),
        ("one read, all threads", "analytic, in order, 4096", None),
        ("loop by hand", "linear, in order", 0.95),
    ]
    for name in ("NPY", "Parquet"):
        for way, same in (("", "analytic, shuffled"), (", in order", "analytic, in order")):
            slower = max(f"read {name}", same, key=lambda n: wall[n])
            goals.append((slower, f"stream {name}{way}", 0.8))
    goals.append(("analytic, blocks", "stream NPY", None))
    missed = False
    for peer, own, goal in goals:
        ratio = wall[peer] / wall[own]
        missed |= goal is not None and ratio < goal
        said = "" if goal is None else f"goal {goal:.2f} {'met' if ratio >= goal else 'MISSED'}"
        print(f"{f'{own} / {peer}':<52}{ratio:8.2f}   {said:<18} by processor time {cpu[peer] / cpu[own]:.2f}")
    a_row, theirs = (wall[name] / FEW * 1e6 for name in ("analytic, few, batch 1", "SGDRegressor, few rows"))
    print(f"with an update after every row: {a_row:.1f} microseconds a row, SGDRegressor {theirs:.2f}")
    sys.exit(missed)


def measured(
    contenders: dict[str, Callable[[], object]], repeat: int
) -> tuple[dict[str, float], dict[str, float]]:  # fmt: skip
    """Medians of the wall time and of the processor's time of each; the first round warms up."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(repeat + 1):
            for name, work in contenders.items():
                wall, cpu = time.perf_counter(), time.process_time()
                work()
                times[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    wall_times, cpu_times = (
        {name: statistics.median(t[i] for t in found[1:]) for name, found in times.items()} for i in (0, 1)
    )
    return wall_times, cpu_times


if __name__ == "__main__":
    main()
