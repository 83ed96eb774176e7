"""What a diverged run is told: settings at which this very run was tried and holds."""

import dataclasses
import math
import time
from dataclasses import dataclass

from experiments.config.schema import SGD, Config, Custom, Model
from experiments.data.prepared import Prepared, rescaled
from experiments.learning.evaluation import evaluator
from experiments.learning.losses import L1, ResidualLoss
from experiments.learning.training import Progress, fit
from experiments.running.assembly import assemble, has_bias
from experiments.running.factories import build_loss, known_lr
from experiments.running.measures.automatic_rate import round_down
from experiments.running.measures.sharpness import sharpness

SMALLEST = 1e-30
"""No rate below this is tried."""
SECONDS = 3.0
"""For each way out that is looked for."""
LARGEST_TABLE = 10_000_000
"""Numbers of a table that is still standardised to try that too."""


@dataclass(frozen=True)
class Tried:
    """A rate at which the run holds, and the training loss that it ends with."""

    lr: float
    loss: float


def advice(config: Config, data: Prepared, lr: float, seconds: float | None = None) -> str:
    """The overrides that hold, in words: a smaller rate; standardising too where it ends with half the loss or less.

    Tried from the same start on the same batches, within `seconds` each (SECONDS). Where none was found: a proven rate.
    """
    if data.streamed:  # an epoch can take longer than anybody would wait for an answer
        squares = data.squares(has_bias(config))
        now, scaled = (squares.conditioning(which).condition_number for which in (data.standardized, True))
        told = _proven(config, data, "no other rate was tried on a stream")
        easier = f"; data.standardize=true lowers the condition number from {now:.3g} to {scaled:.3g}"
        return told + easier if 10 * scaled < now else told
    said, seconds = [], SECONDS if seconds is None else seconds
    smaller = _holding(config, data, lr, lr / 2, time.monotonic() + seconds)
    if smaller is not None:
        said.append(f"optimizer.lr={smaller.lr:g} was tried and holds (loss {smaller.loss:.4g})")
    if not data.standardized and data.x.numel() <= LARGEST_TABLE:
        which = True if isinstance(build_loss(config), ResidualLoss) else "inputs"
        scaled = rescaled(data, which)
        most = lr if known_lr(config, scaled) is None else math.inf
        found = _holding(config, scaled, math.inf, most, time.monotonic() + seconds)
        if found is not None and (smaller is None or found.loss <= smaller.loss / 2):
            rate = "" if found.lr == lr else f" optimizer.lr={found.lr:g}"
            said.insert(0, f"data.standardize={str(which).lower()}{rate} was tried and holds (loss {found.loss:.4g})")
    return "; ".join(said) or _proven(config, data, f"no smaller rate was shown to hold within {seconds:g} s")


def _holding(config: Config, data: Prepared, failed: float, most: float, deadline: float) -> Tried | None:
    """A rate up to `most` that holds; None where none was found by the deadline.

    One that is known to be stable; else, of descent from half the edge of stability at the start, downwards in growing
    steps until one holds, and from there towards `failed`: of those that hold, the one with the smallest loss.
    """
    careful, held, divisor = known_lr(config, data), list[Tried](), 2.0
    try:
        candidate = min(most, careful or _below_the_edge(config, data))
        while candidate > SMALLEST and (not held or (careful is None and 4 * held[-1].lr < failed < math.inf)):
            if found := _trained(config, data, round_down(candidate), deadline):
                held.append(found)
            else:
                failed = candidate
            if held:
                candidate = math.sqrt(failed * held[-1].lr)
            else:
                candidate, divisor = candidate / divisor, divisor**2
    except TimeoutError:
        pass
    return min(held, key=lambda tried: tried.loss, default=None)


def _below_the_edge(config: Config, data: Prepared) -> float:
    """A rate that the loss's curvature at the start allows, of networks; infinite where none is known."""
    trial = assemble(config, data)
    if not isinstance(config.optimizer, SGD) or isinstance(config.model, Model) or isinstance(trial.loss, L1):
        return math.inf
    steepest, _ = sharpness(trial, certain=0.1)
    return 1 / steepest if steepest > 0 else math.inf


def _trained(config: Config, data: Prepared, lr: float, deadline: float) -> Tried | None:
    """The run at another rate: its last loss, or None unless that is finite and no worse than the first.

    Raises TimeoutError at the deadline.
    """
    trial = assemble(_with_lr(config, lr), data)
    first = last = evaluator(trial)().train
    progress = Progress()
    for evaluation in fit(trial, progress):
        if evaluation is not None:
            last = evaluation.train_loss
        if time.monotonic() > deadline:
            raise TimeoutError
    return Tried(lr, last) if progress.status != "diverged" and math.isfinite(last) and last <= first else None


def _with_lr(config: Config, lr: float) -> Config:
    node = config.optimizer
    if isinstance(node, Custom):
        node = Custom(node._target_, {**node.options, "lr": lr})
    else:
        node = dataclasses.replace(node, lr=lr)
    return dataclasses.replace(config, optimizer=node)


def _proven(config: Config, data: Prepared, otherwise: str) -> str:
    careful = known_lr(config, data)
    if careful is None or config.optimizer.momentum:
        return otherwise
    return f"{otherwise}; optimizer.lr={careful:g} is stable on every batch (proven, not tried)"
