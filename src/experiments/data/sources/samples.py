"""Real tables that come with scikit-learn, so that no network is needed."""

from dataclasses import dataclass
from typing import Any

import torch

from experiments.data.dataset import Dataset
from experiments.errors import UserError


def loader(name: str) -> Any:
    """scikit-learn's function that loads a data set. Raises UserError where scikit-learn is not installed."""
    try:
        from sklearn import datasets
    except ModuleNotFoundError:
        raise UserError(
            f"data={name}: needs scikit-learn, which is not installed; pip install 'experiments[samples]'"
        ) from None
    return getattr(datasets, f"load_{name}")


@dataclass(frozen=True)
class Diabetes:
    """Progression of diabetes after a year in 442 patients (B. Efron et al., "Least Angle Regression", 2004)."""

    def load(self) -> Dataset:
        found = loader("diabetes")(scaled=False)
        return Dataset(
            x=torch.from_numpy(found.data).double(),
            y=torch.from_numpy(found.target).double().unsqueeze(1),
            features=tuple(found.feature_names),
            targets=("progression",),
            feature_units=("years", "", "kg/m²", "mmHg", "mg/dl", "mg/dl", "mg/dl", "", "", "mg/dl"),
        )


@dataclass(frozen=True)
class Linnerud:
    """Weight, waist and pulse of 20 men from chin-ups, sit-ups and jumps (A. C. Linnerud)."""

    def load(self) -> Dataset:
        found = loader("linnerud")()
        return Dataset(
            x=torch.from_numpy(found.data).double(),
            y=torch.from_numpy(found.target).double(),
            features=tuple(found.feature_names),
            targets=tuple(found.target_names),
            target_units=("lb", "in", "1/min"),
        )
