"""The estimators pass scikit-learn's own checks, find what scikit-learn finds, and carry a stored run."""

import pickle
from typing import Any

import numpy as np
import pandas
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from experiments import GradientDescentClassifier, GradientDescentRegressor, load_run
from tests.support.exported import trained


@pytest.mark.filterwarnings("ignore")  # the checks warn of what they try
@pytest.mark.parametrize("kind", [GradientDescentRegressor, GradientDescentClassifier])
def test_the_estimators_pass_scikit_learns_checks(kind: Any) -> None:
    check_estimator(kind())


def test_the_regressor_ends_at_least_squares() -> None:
    x, y = (np.asarray(part) for part in load_diabetes(return_X_y=True, scaled=False))
    x = x[:, :4]
    peer = LinearRegression().fit(x, y)
    ours = GradientDescentRegressor(epochs=2_000).fit(x, y)
    assert ours.coef_ == pytest.approx(peer.coef_, rel=1e-3) and ours.intercept_ == pytest.approx(
        peer.intercept_, rel=1e-3
    )
    both = GradientDescentRegressor(epochs=100).fit(x, np.column_stack([y, -y]))
    assert both.coef_.shape == (2, 4) and both.predict(x[:3])[:, 1] == pytest.approx(
        -both.predict(x[:3])[:, 0], rel=1e-3
    )


def test_the_classifier_ends_at_logistic_regression() -> None:
    x, y = load_breast_cancer(return_X_y=True)
    x, labels = x[:, [1, 4, 8]], np.array(["bad", "good"])[y]
    peer = make_pipeline(StandardScaler(), LogisticRegression(C=np.inf, tol=1e-8)).fit(x, labels)
    ours = GradientDescentClassifier(epochs=2_000).fit(x, labels)
    assert ours.predict_proba(x) == pytest.approx(peer.predict_proba(x), abs=2e-3)
    assert (ours.predict(x) == peer.predict(x)).mean() > 0.995


def test_overrides_choose_the_training_and_a_search_chooses_the_rate() -> None:
    x, y = load_diabetes(return_X_y=True)
    network = GradientDescentRegressor(("model=mlp", "optimizer=adam"), lr=0.01, epochs=30)
    found = GridSearchCV(network, {"lr": [1e-6, 0.01]}, cv=3).fit(x, y)
    assert found.best_params_ == {"lr": 0.01} and found.best_score_ > 0.3
    with pytest.raises(ValueError, match="the training diverged; give a smaller rate"):
        GradientDescentRegressor(lr=1e9).fit(x, y)


@pytest.mark.parametrize("kind", ["numbers", "mlp of classes"])
def test_a_stored_run_is_a_fitted_estimator_that_can_be_fitted_again(kind: str) -> None:
    result, rows = trained(kind)
    loaded, made = load_run("last"), pickle.loads(pickle.dumps(result.to_sklearn()))
    frame = pandas.DataFrame(rows, columns=result.features)
    found, expected = made.predict(frame), loaded.predict(rows)
    if result.classes is None:  # NumPy's last digits depend on where rows lie in memory
        found, expected = np.round(found, 9), np.round(expected, 9)
    assert np.array_equal(found, expected)
    if result.classes is not None:
        assert made.predict_proba(frame) == pytest.approx(loaded.probabilities(rows), rel=1e-12)
    assert result.table is not None
    y = result.table.y.numpy() if result.classes is None else np.array(result.classes)[result.table.y[:, 0].long()]
    again = made.fit(pandas.DataFrame(result.table.x.numpy(), columns=result.features), y)
    assert again.config["model"] == loaded.config["model"]
    if result.parameters is not None:  # the same seed, start and batches
        assert again.coef_ == pytest.approx(np.array(result.parameters["weight"]), rel=1e-4)
