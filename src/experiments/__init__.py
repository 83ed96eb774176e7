"""Gradient descent on linear models as configurable experiments.

From a notebook: `from experiments import run`, then `run("optimizer=adam", "seed=3").metrics["gap"]`.
Importing this imports neither torch nor Hydra; the first call does.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from experiments.application import run as run

__version__ = "0.1.0"
__all__ = ["run"]


def __getattr__(name: str) -> Any:
    if name == "run":
        from experiments.application import run

        return run
    raise AttributeError(f"module 'experiments' has no attribute {name!r}")
