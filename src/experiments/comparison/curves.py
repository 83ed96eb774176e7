"""What the picture and the page draw: loss curves, a metric against what was swept, the best run's predictions."""

import os
from dataclasses import dataclass

import numpy as np
import polars as pl

from experiments.comparison.runs_table import Runs
from experiments.comparison.swept import Swept, sweep_of
from experiments.errors import UserError, one_line
from experiments.stored import stored_run
from experiments.stored.predictions import Best, best_of
from experiments.stored.ranking import FINISHED

Array = np.ndarray
MOST_POINTS = 150_000
"""Points of all curves together; longer curves keep the least and the largest loss of every stretch."""
FEWEST = 40
"""Points that a curve keeps however many runs there are."""
HEADROOM = 100.0
"""How far above the usual start a curve is followed; what explodes leaves the picture at the top."""


MOST_GROUPS = 4
"""Groups of runs that are drawn, each by itself."""


@dataclass
class PlotData:
    """`table`: runs that compare, best first, with a curve each: epochs (k,) and training losses (k,).

    `group`: what tells these runs from others. `optimum`: the smallest possible loss, None where the runs have several.
    `limits`: least and largest loss to show.
    """

    group: str
    table: pl.DataFrame
    varied: list[str]
    curves: list[tuple[Array, Array]]
    optimum: float | None
    limits: tuple[float, float]
    swept: Swept | None
    best: Best | None

    @property
    def shown_optimum(self) -> float | None:
        """The optimum, unless it lies below what is shown."""
        return self.optimum if self.optimum is not None and self.optimum > self.limits[0] else None

    @property
    def leaving(self) -> int:
        """How many curves leave the picture at the top."""
        return sum(bool(len(losses)) and losses.max() > self.limits[1] for _, losses in self.curves)


def gather(
    runs: Runs, table: pl.DataFrame, predicted: bool = True, whole: pl.DataFrame | None = None
) -> tuple[list[PlotData], list[str]]:
    """Read the curves of the chosen runs, and if so predict with the best, for each group; and what is not drawn.

    `whole`: what means are taken over, where the runs are only the best of more.
    """
    notes: list[str] = []
    parts = table.partition_by("group", maintain_order=True)
    if len(parts) > MOST_GROUPS:
        left = sum(part.height for part in parts[MOST_GROUPS:])
        notes.append(f"only {MOST_GROUPS} of {len(parts)} groups are drawn, and not the other {left} runs (--where)")
    longest = max(FEWEST, MOST_POINTS // max(1, table.height))
    return [_gathered(part, runs.varied, longest, notes, predicted, whole) for part in parts[:MOST_GROUPS]], notes


def _gathered(
    table: pl.DataFrame, varied: list[str], longest: int, notes: list[str], predicted: bool, whole: pl.DataFrame | None
) -> PlotData:
    found = {}
    for folder in sorted(table["folder"], key=in_packs):
        try:
            found[folder] = thinned(*curve_of(folder), longest)
        except (OSError, ValueError) as error:
            notes.append(f"{one_line(folder)}: metrics.jsonl: {one_line(error)}; no curve")
            found[folder] = (np.zeros(0), np.zeros(0))
    curves = [found[folder] for folder in table["folder"]]
    optima = table["optimum_loss"].drop_nulls().unique().to_list()
    same = bool(optima) and max(optima) - min(optima) <= 1e-6 * abs(max(optima))
    optimum = optima[0] if same else None
    best = None
    if predicted and table["status"][0] in FINISHED:
        try:
            best = best_of(table["folder"][0], table["data_hash"][0])
        except (UserError, ValueError, OSError) as error:
            notes.append(f"the best run's predictions are not drawn: {one_line(error)}")
    shown = limits(curves, table["status"].to_list(), optimum)
    swept = sweep_of(table if whole is None else whole.filter(group=table["group"][0]), varied)
    return PlotData(table["group"][0], table, varied, curves, optimum, shown, swept, best)


def in_packs(folder: str) -> tuple[str, int]:
    """An order in which a pack is read once for all of its jobs: the sweep, and the job's number in it."""
    sweep, name = os.path.split(folder)
    number = name.partition("_")[0]
    return sweep, int(number) if number.isdecimal() else -1


def curve_of(folder: str) -> tuple[Array, Array]:
    """A run's logged epochs and training losses, both (k,). Raises OSError, ValueError."""
    pairs = [(record["epoch"], record.get("loss/train")) for record in stored_run.records(folder)]
    try:
        values = np.array(pairs, dtype=np.float64).reshape(-1, 2)
    except TypeError:
        raise ValueError("an epoch or a loss that is no number") from None
    epochs, losses = values[np.isfinite(values).all(axis=1)].T
    return epochs, losses


def thinned(epochs: Array, losses: Array, longest: int) -> tuple[Array, Array]:
    """At most `longest` points: the first, the last, and of every stretch between the least and the largest loss."""
    if len(losses) <= longest:
        return epochs, losses
    stretches = np.array_split(np.arange(1, len(losses) - 1), max(1, (longest - 2) // 2))
    kept = {0, len(losses) - 1}
    for part in stretches:
        kept |= {int(part[losses[part].argmin()]), int(part[losses[part].argmax()])}
    order = sorted(kept)
    return epochs[order], losses[order]


def limits(curves: list[tuple[Array, Array]], statuses: list[str], optimum: float | None) -> tuple[float, float]:
    """Least and largest loss that a logarithmic axis shows, both positive, with a margin.

    The largest is that of the runs that did not diverge, and at most HEADROOM times their usual first loss.
    """
    positive = [losses[losses > 0] for _, losses in curves]
    stable = [y for y, status in zip(positive, statuses, strict=True) if status != "diverged" and len(y)]
    used = stable or [y for y in positive if len(y)]
    if not used:
        return 0.1, 10.0
    low, high = float(min(y.min() for y in used)), float(max(y.max() for y in used))
    high = min(high, HEADROOM * float(np.median([y[0] for y in used])))
    if optimum is not None and optimum > 1e-6 * low:  # an optimum of nearly zero would press the curves together
        low = min(low, optimum)
    return low / 1.4, max(high, low) * 1.4
