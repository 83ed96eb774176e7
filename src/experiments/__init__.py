"""Gradient descent on linear models as configurable experiments.

From a notebook: `from experiments import run`, then `run("optimizer=adam", "seed=3").metrics["gap"]`;
`sweep("seed=range(0,9)")`, a DataFrame; `search("optimizer.lr=interval(0,1)", trials=1000).best`;
`load_run("last").predict([75, 63, 44])`; `compare("outputs/runs")`, a DataFrame.
Importing this imports neither torch nor Hydra; `run` does when it is called.
"""

import os
from typing import TYPE_CHECKING, Any

# Before torch's first product: MKL may else round by where in memory its numbers lie, as it does on processors of AMD,
# and a job's bits must not depend on the jobs beside it. Costs nothing that could be measured.
os.environ.setdefault("MKL_CBWR", "AUTO")

if TYPE_CHECKING:
    from experiments.cli.notebook import run as run
    from experiments.cli.notebook import search as search
    from experiments.cli.notebook import sweep as sweep
    from experiments.comparison.shown import compare as compare
    from experiments.stored.exports.estimators import GradientDescentClassifier as GradientDescentClassifier
    from experiments.stored.exports.estimators import GradientDescentRegressor as GradientDescentRegressor
    from experiments.stored.lookup import load_run as load_run

__version__ = "0.1.0"
__all__ = ["GradientDescentClassifier", "GradientDescentRegressor", "compare", "load_run", "run", "search", "sweep"]
_HOMES = {
    "run": "experiments.cli.notebook",
    "sweep": "experiments.cli.notebook",
    "search": "experiments.cli.notebook",
    "load_run": "experiments.stored.lookup",
    "compare": "experiments.comparison.shown",
    "GradientDescentRegressor": "experiments.stored.exports.estimators",
    "GradientDescentClassifier": "experiments.stored.exports.estimators",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'experiments' has no attribute {name!r}")
