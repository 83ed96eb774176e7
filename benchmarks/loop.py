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

from experiments.config.composition import compose
from experiments.data.order import epoch_order
from experiments.learning.training import Progress, fit
from experiments.running.assembly import assemble

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


def ours(model: str, optimizer: str) -> Callable[[torch.Tensor, torch.Tensor], None]:
    """`training.fit`, on a table of the same shape."""
    words = [f"model={model}", f"optimizer={optimizer}", f"optimizer.lr={LR}", "data=synthetic", "device=cpu",
             f"data.n_rows={ROWS}", f"data.n_features={FEATURES}", f"data.n_targets={TARGETS}",
             f"training.batch_size={BATCH}", f"training.epochs={EPOCHS}"]  # fmt: skip
    config = compose(words)
    data = assemble(config).data

    def train(x: torch.Tensor, y: torch.Tensor) -> None:
        for _ in fit(assemble(config, data), Progress()):
            pass

    return train


def main(rounds: int) -> None:
    """Print the medians and the ratios."""
    torch.set_num_threads(1)
    x, y = torch.randn(ROWS, FEATURES), torch.randn(ROWS, TARGETS)
    loops: dict[str, Callable] = {
        "by_hand_linear": by_hand_linear, "ours_linear": ours("linear", "sgd"),
        "by_hand_analytic": by_hand_analytic, "ours_analytic": ours("analytic", "manual_sgd"),
    }  # fmt: skip
    seconds: dict[str, list[float]] = {name: [] for name in loops}
    for _ in range(rounds):
        for name, loop in loops.items():
            began = time.perf_counter()
            loop(x, y)
            seconds[name].append(time.perf_counter() - began)
    for kind in ("linear", "analytic"):
        hand, own = (median(seconds[f"{who}_{kind}"]) for who in ("by_hand", "ours"))
        steps = EPOCHS * ROWS // BATCH
        print(f"{kind:9} by hand {hand / steps * 1e6:6.1f} us a step, ours {own / steps * 1e6:6.1f}: "
              f"ratio {own / hand:.3f} (aim: at most 1.05)")  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
