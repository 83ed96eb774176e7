"""scikit-learn's small real tables as plain arrays."""

from typing import Any

import numpy as np
from sklearn import datasets


def sample(name: str) -> tuple[np.ndarray, np.ndarray]:
    """x (n, features) and y, (n,) or (n, targets), of `diabetes`, `linnerud`, `breast_cancer`, `digits`, and so on."""
    load: Any = getattr(datasets, f"load_{name}")
    return load(return_X_y=True)


def standardized(x: np.ndarray) -> np.ndarray:
    """Columns of mean 0 and deviation 1; constant ones of 0."""
    return (x - x.mean(0)) / np.where(x.std(0) > 0, x.std(0), 1)
