"""Rows a second of one epoch, 100 features, float32: ours beside scikit-learn, a hand-written loop, and bare reading.

    python benchmarks/throughput.py [--rows 1000000] [--repeat 3]

Ratios of medians within one run of this script; every contender is timed once in each round, so that a busy
machine slows all of them down. Needs the extra `bench`.
"""

import argparse
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import torch
from torch import Generator

from experiments import models
from experiments.data.ahead import ahead
from experiments.data.batches import Batches
from experiments.data.stream import Stream, Streamed, prepare_stream
from experiments.losses import MSE
from experiments.optimizers import SGD, ManualOptimizer
from experiments.training import Progress, fit

BATCH = 1024


def ours(kind: str, batches: object, features: int) -> Callable[[], None]:
    """One epoch of `fit` without looks at the losses (a look costs another pass over the rows)."""

    def epoch() -> None:
        if kind == "analytic":
            model = models.Analytic(features, 1)
            optimizer = ManualOptimizer(model.parameters(), SGD(), 1e-4)
        else:
            model = torch.nn.Linear(features, 1)
            optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
        steps = fit(
            model, optimizer, MSE(), lambda epoch: 1.0, 1e-4, batches, lambda: (0.0, None),  # type: ignore[arg-type]
            Generator().manual_seed(0), Progress(), epochs=1,
        )  # fmt: skip
        for _ in steps:
            pass

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


def sklearn_epoch(x: np.ndarray, y: np.ndarray) -> None:
    from sklearn.linear_model import SGDRegressor

    SGDRegressor(max_iter=1, tol=None, learning_rate="constant", eta0=1e-4, alpha=0.0).fit(x, y)  # type: ignore[arg-type]


def streamed(path: Path, target: str) -> Streamed:
    return prepare_stream(
        Stream(path=str(path), targets=[target]), standardize=False, bias=True, loader="tensor",
        device=torch.device("cpu"), dtype=torch.float32,
    )  # fmt: skip


def only_read(data: Streamed) -> None:
    """The same reader, its blocks dropped as they come."""
    rows = data.training
    for _ in ahead(rows.table(block) for block in rows.reader.blocks):
        pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--features", type=int, default=100)
    parser.add_argument("--repeat", type=int, default=3)
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
        npy, parquet = (streamed(Path(folder) / f"t.{end}", names[-1]) for end in ("npy", "parquet"))
        del table
        width = asked.features
        contenders: dict[str, Callable[[], object]] = {
            "one read (sum)": lambda: x.sum(),
            "SGDRegressor": lambda: sklearn_epoch(x.numpy(), y[:, 0].numpy()),
            "analytic, in order": ours("analytic", Batches(x, y, BATCH, False), width),
            "analytic, shuffled": ours("analytic", Batches(x, y, BATCH, True), width),
            "analytic, blocks": ours("analytic", Batches(x, y, BATCH, "blocks"), width),
            "loop by hand": lambda: by_hand(x, y),
            "linear, in order": ours("linear", Batches(x, y, BATCH, False), width),
            "read NPY": lambda: only_read(npy),
            "stream NPY": ours("analytic", npy.batches(BATCH, True), width),
            "read Parquet": lambda: only_read(parquet),
            "stream Parquet": ours("analytic", parquet.batches(BATCH, True), width),
        }
        seconds: dict[str, list[float]] = {name: [] for name in contenders}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for _ in range(asked.repeat + 1):
                for name, work in contenders.items():
                    began = time.perf_counter()
                    work()
                    seconds[name].append(time.perf_counter() - began)
    median = {name: statistics.median(times[1:]) for name, times in seconds.items()}  # the first round warms up
    for name, value in median.items():
        print(f"{name:<20}{value:8.3f} s {asked.rows / value / 1e6:8.2f} M rows/s")
    peer = median["SGDRegressor"]
    goals: list[tuple[str, float, float]]
    goals = [(f"analytic, {way} / SGDRegressor", peer / median[f"analytic, {way}"], goal)
             for way, goal in (("in order", 10), ("shuffled", 5), ("blocks", 7))]  # fmt: skip
    goals.append(("in order / one read", median["one read (sum)"] / median["analytic, in order"], 1 / 3))
    goals.append(("linear / loop by hand", median["loop by hand"] / median["linear, in order"], 0.95))
    for name in ("NPY", "Parquet"):
        slower = max(median[f"read {name}"], median["analytic, blocks"])
        goals.append((f"stream {name} / only reading or in memory", slower / median[f"stream {name}"], 0.8))
    for name, ratio, goal in goals:
        print(f"{name:<44}{ratio:8.2f}   goal {goal:.2f}   {'met' if ratio >= goal else 'MISSED'}")
    sys.exit(any(ratio < goal for _, ratio, goal in goals))


if __name__ == "__main__":
    main()
