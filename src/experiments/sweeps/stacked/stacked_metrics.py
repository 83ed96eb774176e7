"""`metrics.metrics` for many runs at once: float64, in the table's units, beside the exact optimum."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from experiments.data.allocation import CACHE_LINE
from experiments.data.dataset import Dataset
from experiments.data.prepared import Prepared
from experiments.exact.optimum import Optimum
from experiments.running.metrics import NO_RATIO

LINE = CACHE_LINE // 8
CHUNK = 8_000_000
"""Predictions held at a time."""


def original(weights: Tensor, data: Prepared, bias: bool) -> Tensor:
    """Parameters (R, targets, features + 1) for the table's own units, float64; the last column is the intercept."""
    weights = weights.to("cpu", torch.float64)
    features = data.x.shape[1]
    weight = weights[:, :, :features]
    intercept = weights[:, :, features] if bias else weights.new_zeros(weights.shape[:2])
    if data.standardized:
        scaling = data.scaling
        weight = weight * scaling.y_scale[:, None] / scaling.x_scale
        intercept = intercept * scaling.y_scale + scaling.y_shift
        for feature, shift in enumerate(scaling.x_shift.tolist()):  # a product's bits would depend on the runs beside
            intercept = intercept - weight[:, :, feature] * shift
    return torch.cat([weight, intercept[:, :, None]], dim=2)


def assess(parameters: Tensor, data: Prepared, optimum: Optimum | None) -> list[dict[str, Any]]:
    """The `metrics` of result.json for each of R runs, from `original` parameters; r2 and rmse a list, one a target."""
    table = data.table
    best = None
    if optimum is not None:
        best = torch.cat([torch.from_numpy(optimum.weight), torch.from_numpy(optimum.bias)[:, None]], dim=1)
    squares, excess = _squares(parameters, table, best)
    rows = len(table.x)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        train = squares.mean(1) / rows
        y = table.y.to(torch.float64).numpy()
        totals = np.square(y - y.mean(0)).sum(0)
        r2 = 1 - squares / np.where(totals > 0, totals, np.nan)
        rmse = np.sqrt(squares / rows)
        gap = excess.mean(1) / rows if excess is not None else None
        validation = None
        if data.held_out is not None:
            validation = _squares(parameters, data.held_out, None)[0].mean(1) / len(data.held_out.x)
    ratio = optimum is not None and optimum.loss > NO_RATIO * np.square(y).mean()
    found = []
    for run in range(len(parameters)):
        found.append({
            "train_loss": _finite(train[run]),
            "validation_loss": None if validation is None else _finite(validation[run]),
            "optimum_loss": None if optimum is None else optimum.loss,
            "gap": None if gap is None else _finite(gap[run]),
            "gap_relative": _finite(gap[run] / optimum.loss) if ratio and gap is not None and optimum else None,
            "r2": [_finite(v) for v in r2[run]],
            "rmse": [_finite(v) for v in rmse[run]],
        })  # fmt: skip
    return found


def _squares(parameters: Tensor, table: Dataset, best: Tensor | None) -> tuple[np.ndarray, np.ndarray | None]:
    """Squared residuals summed over the rows, (R, targets), and squared distances from the optimum's predictions."""
    rows, features = table.x.shape
    width, height = -(-(features + 1) // LINE) * LINE, -(-rows // LINE) * LINE
    x = torch.zeros(width, height, dtype=torch.float64)
    x[:features, :rows], x[features, :rows] = table.x.t(), 1
    y = torch.zeros(len(table.targets), height, dtype=torch.float64)
    y[:, :rows] = table.y.t()
    padded = torch.zeros(*parameters.shape[:2], width, dtype=torch.float64)
    padded[:, :, : features + 1] = parameters
    nearest = None
    if best is not None:
        at = torch.zeros(1, len(best), width, dtype=torch.float64)
        at[0, :, : features + 1] = best
        nearest = torch.bmm(at, x[None])[0]
    sums, excess = [], []
    for part in padded.split(max(1, CHUNK // (height * len(table.targets)))):
        prediction = torch.bmm(part, x.expand(len(part), width, height))
        sums.append((prediction - y).square_().sum(2))
        if nearest is not None:
            excess.append((prediction - nearest).square_().sum(2))
    return torch.cat(sums).numpy(), torch.cat(excess).numpy() if excess else None


def _finite(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None


def reference_solutions(variants: Sequence[Prepared], bias: bool) -> list[tuple[Optimum | None, Any]]:
    """Exact optimum and conditioning of each variant, as `runner.reference_solution` gives them; one solve a table."""
    from experiments.exact.optimum import conditioning, solve
    from experiments.running.runner import LARGEST_SOLVED

    found: list[tuple[Optimum | None, Any]] = []
    solved: dict[int, Optimum] = {}
    for data in variants:
        if data.x.shape[1] > LARGEST_SOLVED:
            found.append((None, None))
            continue
        key = id(data.table)
        if key not in solved:
            solved[key] = solve(data.table.x, data.table.y, bias=bias)
        found.append((solved[key], conditioning(data.x, data.y.shape[1], bias=bias)))
    return found
