"""The training loop beside a hand-written loop of the same operations on sliced tensors.

    python benchmarks/loop.py [ROUNDS]

3 features, 2 targets, 20,000 rows, batches of 50, the order drawn anew and the loss looked at after every epoch.
The loops take turns; a ratio is that of the medians.
"""

import sys
import time
from collections.abc import Callable
from statistics import median

import torch
import torch.nn.functional as F
from torch import Generator, nn

from experiments.data.batches import Batches
from experiments.data.order import epoch_order
from experiments.learning import models
from experiments.learning.losses import MSE
from experiments.learning.optimizers import SGD, ManualOptimizer
from experiments.learning.training import Progress, evaluator, fit

ROWS, FEATURES, TARGETS, BATCH, LR, EPOCHS = 20_000, 3, 2, 50, 1e-3, 3


def by_hand_linear(x: torch.Tensor, y: torch.Tensor) -> None:
    """nn.Linear, autograd, torch.optim.SGD."""
    generator = Generator().manual_seed(0)
    model = nn.Linear(FEATURES, TARGETS)
    optimizer = torch.optim.SGD(model.parameters(), lr=LR)
    for _ in range(EPOCHS):
        order = epoch_order(ROWS, generator)
        xs, ys = x[order], y[order]
        for i in range(0, ROWS, BATCH):
            F.mse_loss(model(xs[i : i + BATCH]), ys[i : i + BATCH]).backward()
            optimizer.step()
            optimizer.zero_grad()
        with torch.no_grad():
            F.mse_loss(model(x), y).item()


def by_hand_analytic(x: torch.Tensor, y: torch.Tensor) -> None:
    """The gradient by hand."""
    generator = Generator().manual_seed(0)
    weight, bias = torch.zeros(TARGETS, FEATURES), torch.zeros(TARGETS)
    for _ in range(EPOCHS):
        order = epoch_order(ROWS, generator)
        xs, ys = x[order], y[order]
        with torch.no_grad():
            for i in range(0, ROWS, BATCH):
                xb, yb = xs[i : i + BATCH], ys[i : i + BATCH]
                slope = (torch.addmm(bias, xb, weight.t()) - yb) * (2 / yb.numel())
                weight.add_(slope.t() @ xb, alpha=-LR)  # as ours does: `weight -= LR * gradient` is two operations
                bias.add_(slope.sum(0), alpha=-LR)
            F.mse_loss(torch.addmm(bias, x, weight.t()), y).item()


def ours(x: torch.Tensor, y: torch.Tensor, model: models.Model, optimizer: object) -> None:
    """`training.fit`."""
    loss, generator = MSE(), Generator().manual_seed(0)
    evaluate = evaluator(model, loss, x, y, None)
    steps = fit(
        model, optimizer, loss, lambda epoch: 1.0, LR, Batches(x, y, BATCH), lambda: (evaluate().item(), None),
        generator, Progress(), epochs=EPOCHS,
    )  # fmt: skip
    for _ in steps:
        pass


def ours_linear(x: torch.Tensor, y: torch.Tensor) -> None:
    model = nn.Linear(FEATURES, TARGETS)
    ours(x, y, model, torch.optim.SGD(model.parameters(), lr=LR))


def ours_analytic(x: torch.Tensor, y: torch.Tensor) -> None:
    model = models.Analytic(FEATURES, TARGETS)
    ours(x, y, model, ManualOptimizer(model.parameters(), SGD(), LR))


def main(rounds: int) -> None:
    """Print the medians and the ratios."""
    torch.set_num_threads(1)
    x, y = torch.randn(ROWS, FEATURES), torch.randn(ROWS, TARGETS)
    loops: list[Callable] = [by_hand_linear, ours_linear, by_hand_analytic, ours_analytic]
    seconds: dict[str, list[float]] = {loop.__name__: [] for loop in loops}
    for _ in range(rounds):
        for loop in loops:
            began = time.perf_counter()
            loop(x, y)
            seconds[loop.__name__].append(time.perf_counter() - began)
    for kind in ("linear", "analytic"):
        hand, own = (median(seconds[f"{who}_{kind}"]) for who in ("by_hand", "ours"))
        steps = EPOCHS * ROWS // BATCH
        print(f"{kind:9} by hand {hand / steps * 1e6:6.1f} us a step, ours {own / steps * 1e6:6.1f}: "
              f"ratio {own / hand:.3f} (aim: at most 1.05)")  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
