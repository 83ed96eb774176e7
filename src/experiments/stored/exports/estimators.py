"""scikit-learn's kind of estimator over our training: for its pipelines, searches and cross-validation."""

import dataclasses
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Self

import numpy as np
import torch
from torch import nn

from experiments.config.composition import compose
from experiments.config.schema import Config
from experiments.config.validation import validate
from experiments.data.dataset import Dataset
from experiments.data.prepared import Preparation, prepare
from experiments.errors import UserError
from experiments.learning import devices, models
from experiments.learning.training import Progress, fit
from experiments.running import assembly
from experiments.running.runner import restored_threads
from experiments.stored.exports.in_units import InUnits, linear
from experiments.stored.stored_config import changed, plain
from experiments.stored.stored_model import Model
from experiments.tracking.decisions import probabilities

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    from sklearn.utils import check_random_state
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError:
    raise UserError("the estimators need scikit-learn 1.6; pip install 'experiments[sklearn]'") from None

Array = np.ndarray
composed = lru_cache(64)(compose)


class _GradientDescent(BaseEstimator):
    """What both have in common. `module_`: the trained torch module, float64, in the units of the rows."""

    _usual = ("optimizer.lr=auto", "training.batch_size=null")
    """Full batches at a rate that is stable on the table."""
    module_: nn.Module
    n_features_in_: int
    feature_names_in_: Array

    def __init__(
        self, overrides: Sequence[str] = (), *, lr: float | str | None = None, epochs: int | None = None,
        random_state: Any = 0, config: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        """`overrides`: as on the command line, ("model=mlp", "optimizer=adam"). `lr`, `epochs`: in place of what those
        say. `config`: of a run, as config.json has it, which the overrides change; its data is only how to scale.
        """
        self.overrides, self.lr, self.epochs = overrides, lr, epochs
        self.random_state, self.config = random_state, config

    def _train(self, x: Any, y: Any, classes: tuple[int, ...] | None = None) -> None:
        """Train on x (n, features) and y: targets (n, outputs), or the numbers of classes (n, 1). Raises UserError."""
        words = [*self.overrides, *([] if self.lr is None else [f"optimizer.lr={self.lr}"])]
        words += [] if self.epochs is None else [f"training.epochs={self.epochs}"]
        seed = self.random_state
        if not isinstance(seed, int | np.integer):
            seed = check_random_state(seed).randint(2**31 - 1)
        config = composed((*self._usual, *words)) if self.config is None else validate(changed(self.config, words))
        names = tuple(map(str, getattr(self, "feature_names_in_", range(x.shape[1]))))
        x_rows, y_rows = (torch.tensor(part, dtype=torch.float64) for part in (x, y))
        table = Dataset(x_rows, y_rows, names, tuple(f"y{k}" for k in range(y.shape[1])), classes=classes)
        self._take(_trained(dataclasses.replace(config, seed=int(seed)), table))

    def _take(self, module: nn.Module) -> None:
        self.module_ = module
        if isinstance(module, nn.Linear):
            self.coef_, self.intercept_ = module.weight.detach().numpy(), module.bias.detach().numpy()

    def _outputs(self, X: Any) -> Array:
        check_is_fitted(self, "module_")
        rows = torch.tensor(validate_data(self, X, reset=False, dtype=np.float64))
        with torch.no_grad():
            return self.module_(rows).numpy()


class GradientDescentRegressor(RegressorMixin, _GradientDescent):
    """Numbers from numbers: by default a linear model on columns scaled to deviation 1, by full-batch descent.

    `coef_` (targets, features) and `intercept_` (targets,), of one target flat, are there for linear models.
    """

    _usual = (*_GradientDescent._usual, "data.standardize=true")

    def fit(self, X: Any, y: Any) -> Self:
        """Train on X (n, features) and y (n,) or (n, targets). Raises ValueError."""
        x, y = validate_data(self, X, y, dtype=np.float64, multi_output=True, y_numeric=True)
        self._single = y.ndim == 1
        self._train(x, y.reshape(len(y), -1))
        return self

    def _take(self, module: nn.Module) -> None:
        super()._take(module)
        if self._single and isinstance(module, nn.Linear):
            self.coef_, self.intercept_ = self.coef_[0], self.intercept_[0]

    def predict(self, X: Any) -> Array:
        """(n,) or (n, targets), as y was."""
        found = self._outputs(X)
        return found[:, 0] if self._single else found

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


class GradientDescentClassifier(ClassifierMixin, _GradientDescent):
    """Labels from numbers: by default logistic regression on columns scaled to deviation 1, by full-batch descent."""

    _usual = (*_GradientDescent._usual, "data.standardize=inputs", "loss=cross_entropy")

    def fit(self, X: Any, y: Any) -> Self:
        """Train on X (n, features) and labels (n,). Raises ValueError."""
        x, y = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(y)
        self.classes_, numbers = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError("y holds one class; a classifier needs rows of at least two classes")
        self._train(x, numbers[:, None], tuple(range(len(self.classes_))))
        return self

    def decision_function(self, X: Any) -> Array:
        """The logit of each class (n, classes), or (n,) that of the second of two."""
        found = self._outputs(X)
        return found[:, 0] if found.shape[1] == 1 else found

    def predict_proba(self, X: Any) -> Array:
        """(n, classes), in the order of `classes_`."""
        return probabilities(self._outputs(X))

    def predict(self, X: Any) -> Array:
        """The most likely label of each row (n,)."""
        chances = self.predict_proba(X)
        return self.classes_[chances.argmax(1)]


def _trained(config: Config, table: Dataset) -> nn.Module:
    """The trained model between the table's units. Raises UserError, also where the run diverges."""
    device = devices.choose(config.device.name, config.device.dtype)
    how = Preparation(
        standardize=getattr(config.data, "standardize", False), bias=assembly.has_bias(config),
        labels=assembly.takes_labels(config), device=device, dtype=devices.precision(config.device.dtype),
    )  # fmt: skip
    experiment = assembly.assemble(config, prepare(table, how))
    progress = Progress()
    with restored_threads(), assembly.seeded(config):
        torch.set_num_threads(assembly.threads(experiment))
        for _ in fit(experiment, progress):
            pass
    if progress.status == "diverged":
        raise UserError(f"lr={experiment.lr:g}: the training diverged; give a smaller rate, or data.standardize=true")
    if progress.best is not None:
        models.load_state(experiment.model, progress.best)
    if not models.is_linear(experiment.model):
        assert isinstance(experiment.model, nn.Module)
        scaling = vars(experiment.data.scaling) if experiment.data.standardized else {}
        return InUnits(experiment.model.cpu().eval(), scaling)
    return linear(*experiment.parameters())


def to_sklearn(model: Model, config: Mapping[str, Any]) -> GradientDescentRegressor | GradientDescentClassifier:
    """A stored run's model as a fitted estimator, which `fit` trains again with the run's settings."""
    kind = GradientDescentRegressor if model.classes is None else GradientDescentClassifier
    made = kind(config=plain(config), random_state=config["seed"])
    made.n_features_in_, made.feature_names_in_ = len(model.features), np.array(model.features, dtype=object)
    if isinstance(made, GradientDescentClassifier):
        made.classes_ = np.array(model.classes)
    else:
        made._single = len(model.targets) == 1
    made._take(model.module if model.is_linear else model.in_units)
    return made
