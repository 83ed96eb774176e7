"""Whether the cost of an epoch grows linearly: seconds an epoch for 10, 100, 1,000 features and 0.1M, 1M, 10M rows.

    python benchmarks/scaling.py [--repeat 3] [--bytes 4e9] [--clock wall|cpu] [--png scaling.png]

Float32, batches of 1,024, the analytic model, in order and shuffled; sizes above `--bytes` are left out. A table of
up to 100,000 numbers fits a cache and is cheaper a number; beside it the fixed cost of a step shows with few features.
Linear means: nanoseconds a number do not grow with the rows. Shown are the shortest of the repetitions; `--clock cpu`
takes the processor's time of all threads, for a machine on which others work.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Generator, Tensor

from experiments.data.batches import Batches
from experiments.learning import models
from experiments.learning.losses import MSE
from experiments.learning.optimizers import SGD, ManualOptimizer
from experiments.learning.steps import choose_step

BATCH, FEATURES, ROWS = 1024, (10, 100, 1000), (100_000, 1_000_000, 10_000_000)
WAYS = {"in order": False, "shuffled": True}


CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


def epoch(batches: Batches, features: int, clock: Callable[[], float]) -> float:
    """Seconds of one epoch without a look at the losses."""
    model = models.Analytic(features, 1)
    optimizer = ManualOptimizer(model.parameters(), SGD(), 1e-5)
    began = clock()
    step, arrays = choose_step(model, MSE(), optimizer, batches.batch_size)
    for x, y in batches.epoch(Generator().manual_seed(0), arrays=arrays):
        step(x, y)
    return clock() - began


def table(rows: int, features: int) -> tuple[Tensor, Tensor]:
    """x (rows, features) and y (rows, 1), drawn some rows at a time."""
    random, x = np.random.default_rng(0), np.empty((rows, features), np.float32)
    for first in range(0, rows, 100_000):
        part = x[first : first + 100_000]
        random.standard_normal(part.shape, np.float32, part)
    return torch.from_numpy(x), torch.from_numpy(x[:, :1] * 2 + 1)


def draw(found: dict[tuple[int, int, str], float], clock: str, path: Path) -> None:
    figure = Figure(figsize=(9, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(WAYS), sharey=True)
    for panel, way in zip(panels, WAYS, strict=True):
        for features in FEATURES:
            points = [(rows, s) for (f, rows, w), s in found.items() if f == features and w == way]
            panel.loglog(*zip(*points, strict=True), "o-", label=f"{features:,} features")
            rows, seconds = points[0]
            panel.loglog([rows, points[-1][0]], [seconds, seconds * points[-1][0] / rows], "--", color="0.7", zorder=0)
        panel.set(title=f"analytic, {way}", xlabel="rows")
        panel.grid(alpha=0.3)
    panels[0].set_ylabel(f"seconds an epoch ({clock} time)")
    panels[0].legend(title="dashed: in proportion")
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--bytes", type=float, default=4e9)
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument("--png", type=Path, default=Path("scaling.png"))
    asked = parser.parse_args()
    torch.set_num_threads(1)  # as a run does for such batches
    found: dict[tuple[int, int, str], float] = {}
    print(f"{'features':>8}{'rows':>12}" + "".join(f"{way + ', s':>14}{'ns a number':>13}" for way in WAYS))
    for features in FEATURES:
        for rows in ROWS:
            if 4 * rows * features > asked.bytes:
                print(f"{features:>8,}{rows:>12,}{'left out':>14}")
                continue
            x, y = table(rows, features)
            line = f"{features:>8,}{rows:>12,}"
            for way, shuffle in WAYS.items():
                batches = Batches(x, y, BATCH, shuffle)
                seconds = min([epoch(batches, features, CLOCKS[asked.clock]) for _ in range(asked.repeat + 1)][1:])
                found[features, rows, way] = seconds
                line += f"{seconds:>14.4f}{seconds / rows / features * 1e9:>13.2f}"
            print(line, flush=True)
            del x, y
    draw(found, asked.clock, asked.png)


if __name__ == "__main__":
    main()
