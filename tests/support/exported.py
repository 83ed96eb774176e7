"""Runs of every kind that is exported, quick to train, and rows in the units of their tables."""

from typing import Any

import numpy as np

from experiments import run
from experiments.stored.answers import RunResult

QUICK = ("training.epochs=3", "tracking.figures=false", "tracking.tensorboard=false")
OWN = "tests.support.own_models"
KINDS: dict[str, tuple[str, ...]] = {
    "numbers": ("data.standardize=true", "optimizer.lr=0.1"),
    "two classes": ("data=breast_cancer", "loss=cross_entropy", "data.standardize=inputs", "optimizer.lr=0.1"),
    "mlp": ("model=mlp", "data.standardize=true", "optimizer.lr=0.1", "model.dropout=0.2"),
    "mlp of classes": ("model=mlp", "data=iris", "loss=cross_entropy", "model.activation=gelu", "optimizer.lr=0.1"),
    "cnn": ("model=cnn", "data=digits", "loss=cross_entropy", "data.standardize=inputs", "training.batch_size=500"),
    "own": (f"model._target_={OWN}.TwoLayers", "data.standardize=true", "optimizer.lr=0.1"),
}
"""Overrides by what the run is of; EXPERIMENTS_TRUSTED_MODULES must name OWN for the last."""


def trained(kind: str) -> tuple[RunResult, np.ndarray]:
    """A run, and rows (n, features) that lie among its training rows."""
    result = run(*QUICK, *KINDS[kind])
    assert result.ranges is not None
    low, high = np.array(list(result.ranges.values())).T
    return result, low + (high - low) * np.random.default_rng(0).random((40, len(low)))


def expected(result: RunResult, rows: np.ndarray) -> Any:
    """What the run itself predicts: numbers, or the probabilities of classes."""
    loaded = result._run
    return loaded.predict(rows) if result.classes is None else loaded.probabilities(rows)
