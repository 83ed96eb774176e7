"""The weights of a stack in the table's units, and what they predict there."""

from typing import Any

import torch
from torch import Tensor

from experiments.data.allocation import CACHE_LINE
from experiments.data.prepared import Prepared
from experiments.exact.optimum import Optimum
from experiments.running.metrics import metrics

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


def assess(parameters: Tensor, loss: Any, data: Prepared, optimum: Optimum | None) -> list[dict[str, Any]]:
    """The `metrics` of result.json for each of R runs, from `original` parameters."""
    found: list[dict[str, Any]] = []
    for part in parameters.split(max(1, CHUNK // (data.rows * parameters.shape[1]))):
        found += metrics(lambda x, part=part: predicted(part, x), len(part), loss, data, optimum, linear=True)
    return found


def predicted(parameters: Tensor, x: Tensor) -> Tensor:
    """Predictions (R, targets, n) of R linear models for rows x (n, features), float64.

    Rows and columns are filled up to whole cache lines, see `stacked_tables`.
    """
    (rows, features), (runs, targets, _) = x.shape, parameters.shape
    width, height = -(-(features + 1) // LINE) * LINE, -(-rows // LINE) * LINE
    columns, padded = x.new_zeros(width, height), parameters.new_zeros(runs, targets, width)
    columns[:features, :rows], columns[features, :rows] = x.t(), 1
    padded[:, :, : features + 1] = parameters
    return torch.bmm(padded, columns.expand(runs, width, height))[:, :, :rows]
