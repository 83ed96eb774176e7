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


def with_labels(name: str, target: str, **about: Any) -> Dataset:
    """A table of scikit-learn's whose target is a column of labels."""
    found = loader(name)()
    names = found.target_names.tolist()  # numbers for digits
    classes = sorted(names)
    labels = [classes.index(names[k]) for k in found.target]
    return Dataset(
        x=torch.from_numpy(found.data).double(),
        y=torch.tensor(labels, dtype=torch.float64).unsqueeze(1),
        features=tuple(str(feature).removesuffix(" (cm)") for feature in found.feature_names),
        targets=(target,),
        classes=tuple(classes),
        **about,
    )


@dataclass(frozen=True)
class Digits:
    """1,797 pictures of 8 x 8 pixels, from 0 to 16, of handwritten digits (E. Alpaydin, C. Kaynak, 1998)."""

    def load(self) -> Dataset:
        return with_labels("digits", "digit", image=(8, 8))


@dataclass(frozen=True)
class BreastCancer:
    """Whether 569 tumours are benign or malignant, by 30 measures of their cells' nuclei (W. Wolberg et al., 1995)."""

    def load(self) -> Dataset:
        return with_labels("breast_cancer", "diagnosis")


@dataclass(frozen=True)
class Wine:
    """Which of three growers made 178 wines, from 13 chemical measures (M. Forina et al., 1988)."""

    def load(self) -> Dataset:
        return with_labels("wine", "grower")


@dataclass(frozen=True)
class Iris:
    """The species of 150 irises, 50 of each of three, from 4 lengths (R. A. Fisher, 1936)."""

    def load(self) -> Dataset:
        return with_labels("iris", "species", feature_units=("cm",) * 4)


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
