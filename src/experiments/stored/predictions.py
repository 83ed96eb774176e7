"""The best run's predictions beside the true values, for the picture and the page."""

from dataclasses import dataclass

import numpy as np

from experiments.errors import UserError, one_line
from experiments.stored import stored_run
from experiments.stored.stored_config import plain

MOST_ROWS = 5_000
"""Rows that are drawn of a longer table."""
MOST_TARGETS = 10


@dataclass(frozen=True)
class Best:
    """`true`, `predicted`: (rows, targets) of the training rows. `labels`: a text for each target, with its R².

    `unit`: what all the targets are measured in, empty when they differ or nothing is known.
    """

    true: np.ndarray
    predicted: np.ndarray
    labels: list[str]
    unit: str

    @property
    def ends(self) -> list[float]:
        """Where the line of exact predictions starts and ends."""
        return [float(self.true.min()), float(self.true.max())]


def best_of(folder: str, data_hash: str | None) -> Best:
    """The training rows' targets as they are and as predicted.

    The table is read again by the framework's own data classes only, and taken only if it is the one trained on.
    Raises UserError.
    """
    from experiments.config.schema import Custom
    from experiments.config.validation import validate

    run = stored_run.read(folder)
    model = run.model  # refuses before torch is waited for
    config = validate(plain(run.config))
    if isinstance(config.data, Custom):
        raise UserError("its data is of a class of one's own")
    import torch

    from experiments.data.dataset import data_hash as hash_of
    from experiments.running import assembly

    table = assembly.load(config, torch.device("cpu"), torch.float64).table
    if hash_of(table) != data_hash:
        raise UserError("its data has changed since")
    rows = slice(None, None, max(1, len(table.x) // MOST_ROWS))
    x, y = table.x[rows].double().numpy(), table.y[rows].double().numpy()
    result = run.result or {}
    scores = result["metrics"].get("r2")
    scores = scores if isinstance(scores, list) and len(scores) == len(table.targets) else [None] * len(table.targets)
    labels = [
        one_line(t) + (f" (R² {s:.4g})" if s is not None else "") for t, s in zip(table.targets, scores, strict=True)
    ]
    units = result.get("units")
    named = {str(units.get(t, "")) for t in table.targets} if isinstance(units, dict) else set()
    unit = one_line(named.pop()) if len(named) == 1 else ""
    kept = slice(0, MOST_TARGETS)
    return Best(y[:, kept], model.of(x)[:, kept], labels[kept], unit)
