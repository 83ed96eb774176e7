"""Logistic regression against scikit-learn, torch's gradient, and tables whose optimum is known by hand."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from experiments.errors import UserError
from experiments.exact import logistic
from experiments.exact.logistic import logistic_optimum
from experiments.exact.solution import NoOptimum, Optimum, Penalty
from tests.support.cross_entropy import Entropy
from tests.support.samples import sample, standardized

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(1, 2, (200, 4))
Y = np.argmax(X @ GENERATOR.normal(size=(4, 3)) / 3 + GENERATOR.gumbel(size=(200, 3)), axis=1)


def best(x, labels, loss: Entropy, l2: float = 0.0, bias: bool = True) -> Optimum:
    found = logistic_optimum(x, loss.shares(labels), Penalty(l2), bias)
    assert isinstance(found, Optimum), found
    return found


def none(x, labels, classes: int, l2: float = 0.0, bias: bool = True) -> str:
    found = logistic_optimum(x, Entropy(classes).shares(labels), Penalty(l2), bias)
    assert isinstance(found, NoOptimum)
    return found.reason


def penalised(x, labels, loss: Entropy, l2: float, weight, bias) -> torch.Tensor:
    """The objective by torch, of tensors."""
    return loss.by_torch(torch.from_numpy(x) @ weight.T + bias, labels) + l2 * (weight**2).sum()


def gradients(x, labels, loss: Entropy, l2: float, found: Optimum) -> tuple[float, np.ndarray, np.ndarray]:
    weight, bias = (torch.tensor(values, requires_grad=True) for values in (found.weight, found.bias))
    objective = penalised(x, labels, loss, l2, weight, bias)
    objective.backward()
    assert weight.grad is not None and bias.grad is not None
    return objective.item(), weight.grad.numpy(), bias.grad.numpy()


@pytest.mark.parametrize("l2", [1e-6, 1e-4, 1e-2, 1.0])
@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer", "digits"])
def test_no_loss_of_scikit_learn_is_smaller(name: str, l2: float) -> None:
    x, labels = sample(name)
    x, classes = standardized(x), int(labels.max()) + 1
    loss = Entropy(classes)
    found = best(x, labels, loss, l2)
    model = LogisticRegression(C=1 / (2 * len(x) * l2), tol=1e-12, max_iter=10_000).fit(x, labels)
    peer = penalised(x, labels, loss, l2, torch.tensor(model.coef_), torch.tensor(model.intercept_)).item()
    objective, weight, bias = gradients(x, labels, loss, l2, found)
    assert found.loss == pytest.approx(objective, rel=1e-14)
    assert found.loss <= peer + 1e-15
    assert found.loss == pytest.approx(peer, abs=1e-8)
    assert np.max(np.abs(weight)) < 1e-14 and np.max(np.abs(bias)) < 1e-15
    assert found.loss == pytest.approx(found.data_loss + l2 * np.sum(found.weight**2), rel=1e-14)
    assert found.unique and found.weight.shape == (loss.outputs, x.shape[1])


@pytest.mark.parametrize("name", ["wine", "breast_cancer", "digits"])
def test_raw_columns_are_no_harder(name: str) -> None:
    """Where scikit-learn's solver is off by up to 1e-2: columns of means from 1e-3 to 1e3."""
    x, labels = sample(name)
    loss = Entropy(int(labels.max()) + 1)
    found = best(x, labels, loss, 1e-4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = LogisticRegression(C=1 / (2 * len(x) * 1e-4), tol=1e-12, max_iter=200).fit(x, labels)
    peer = penalised(x, labels, loss, 1e-4, torch.tensor(model.coef_), torch.tensor(model.intercept_)).item()
    objective, weight, bias = gradients(x, labels, loss, 1e-4, found)
    assert found.loss <= peer and found.loss == pytest.approx(objective, rel=1e-13)
    assert np.max(np.abs(weight) / np.linalg.norm(x, axis=0).clip(1)) < 1e-15 and np.max(np.abs(bias)) < 1e-15


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.integers(0, 2**32), st.integers(2, 5), st.sampled_from([0.0, 1e-4, 1.0]), st.sampled_from([0.0, 0.1, 1.0]),
    st.booleans(), st.booleans(),
)  # fmt: skip
def test_no_direction_lowers_the_loss(
    seed: int, classes: int, l2: float, smoothing: float, weighted: bool, bias: bool
) -> None:
    g = np.random.default_rng(seed)
    x = g.normal(g.normal(), 1, (300, 3)) * 10.0 ** g.integers(-3, 4, 3)
    labels = np.argmax(x / x.std(0) @ g.normal(size=(3, classes)) / 2 + g.gumbel(size=(300, classes)), axis=1)
    loss = Entropy(classes, tuple(g.random(classes) + 0.1) if weighted else None, smoothing)
    found = logistic_optimum(x, loss.shares(labels), Penalty(l2), bias)
    if isinstance(found, NoOptimum):  # a class that no row has
        assert bias and "no training row counts as class" in found.reason and len(np.unique(labels)) < classes
        return
    objective, weight, level = gradients(x, labels, loss, l2, found)
    assert found.loss == pytest.approx(objective, rel=1e-12)
    assert np.max(np.abs(weight) / np.abs(x).max(0)) < 1e-13
    assert not bias or np.max(np.abs(level)) < 1e-13
    assert bias or not found.bias.any()
    if classes > 2:
        assert found.weight.sum(0) * np.abs(x).max(0) == pytest.approx(np.zeros(3), abs=1e-9)
        assert found.bias.sum() == pytest.approx(0, abs=1e-9)


def test_without_features_the_biases_are_the_logarithms_of_the_shares() -> None:
    labels = np.repeat([0, 1, 2], [50, 30, 20])
    for l2 in (0.0, 1e-3):
        found = best(np.zeros((100, 1)), labels, Entropy(3), l2)
        shares = np.log([0.5, 0.3, 0.2])
        assert found.bias == pytest.approx(shares - shares.mean(), rel=1e-13)
        assert found.loss == pytest.approx(-np.sum(np.exp(shares) * shares), rel=1e-14)
        assert not found.weight.any() and found.rank == 1 and found.unique is (l2 > 0)


def test_one_flag_has_the_logarithm_of_the_odds() -> None:
    x, labels = np.repeat([0.0, 0, 1, 1], [30, 10, 5, 15])[:, None], np.repeat([0, 1, 0, 1], [30, 10, 5, 15])
    found = best(x, labels, Entropy(2))
    assert found.bias == pytest.approx([np.log(10 / 30)], rel=1e-13)
    assert found.weight[0] == pytest.approx([np.log(15 / 5) - np.log(10 / 30)], rel=1e-13)
    weighted = best(x, labels, Entropy(2, (1.0, 2.0)))
    assert weighted.bias == pytest.approx([np.log(20 / 30)], rel=1e-13)


def test_copies_share_an_effect_equally() -> None:
    alone, twice = best(X, Y, Entropy(3)), best(np.c_[X, X[:, :1]], Y, Entropy(3))
    assert alone.unique and not twice.unique and alone.rank == twice.rank == 5
    assert twice.loss == pytest.approx(alone.loss, rel=1e-14)
    assert twice.weight[:, 0] == pytest.approx(alone.weight[:, 0] / 2, rel=1e-10)
    assert twice.weight[:, 4] == pytest.approx(alone.weight[:, 0] / 2, rel=1e-10)
    small = best(np.c_[X, X[:, :1]], Y, Entropy(3), 1e-9)
    assert small.weight == pytest.approx(twice.weight, rel=1e-5)


def test_more_features_than_rows() -> None:
    x, labels = GENERATOR.normal(size=(30, 400)), GENERATOR.integers(0, 2, 30)
    found = best(x, labels, Entropy(2), 1e-2)
    objective, weight, bias = gradients(x, labels, Entropy(2), 1e-2, found)
    assert objective == pytest.approx(found.loss, rel=1e-13)
    assert np.max(np.abs(weight)) < 1e-15 and abs(bias[0]) < 1e-15 and found.rank == 30


@pytest.mark.parametrize(("classes", "l2"), [(2, 0.0), (2, 1e-3), (3, 0.0), (3, 1e-3)])
def test_products_with_the_hessian_do_as_well_as_the_hessian(classes, l2, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = np.minimum(Y, classes - 1)
    whole = best(X, labels, Entropy(classes), l2)
    monkeypatch.setattr(logistic, "LARGEST_HESSIAN", 0)
    found = best(X, labels, Entropy(classes), l2)
    assert found.loss == pytest.approx(whole.loss, rel=1e-15)
    assert found.weight == pytest.approx(whole.weight, rel=1e-9)
    nothing = best(np.zeros((4, 2)), [0, 1, 0, 1], Entropy(2), 1.0)  # the start is the optimum
    assert nothing.loss == pytest.approx(np.log(2)) and not nothing.weight.any()


@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer", "digits"])
def test_classes_that_can_be_separated_are_recognised(name: str) -> None:
    """iris but for ties: setosa is apart from the others, which overlap."""
    x, labels = sample(name)
    reason = none(x, labels, int(labels.max()) + 1)
    assert reason == "no finite optimum: the classes can be separated; add loss.l2=1e-4"
    smoothed = best(x, labels, Entropy(int(labels.max()) + 1, smoothing=0.1))
    assert smoothed.loss > 0


def test_one_telling_flag_among_overlapping_rows_separates() -> None:
    labels = (Y > 0).astype(int)
    flag = np.zeros(200)
    flag[np.flatnonzero(labels)[:3]] = 1  # 1 only where the class is 1
    assert "can be separated" in none(np.c_[X, flag], labels, 2)
    flag[np.flatnonzero(labels == 0)[0]] = 1
    assert best(np.c_[X, flag], labels, Entropy(2)).unique


def test_rows_that_overlap_by_little_are_not_separated() -> None:
    x = np.r_[np.linspace(-1, -1e-4, 50), 1e-3, np.linspace(1e-4, 1, 50), -1e-3][:, None]
    labels = np.repeat([0, 1], 51)
    found = best(x, labels, Entropy(2))
    assert found.weight[0, 0] > 100
    assert np.max(np.abs(gradients(x, labels, Entropy(2), 0.0, found)[1])) < 1e-12


def test_a_class_without_rows_has_no_finite_bias() -> None:
    for l2 in (0.0, 1.0):
        assert "class 1 of 0 to 3" in none(X, np.where(Y == 1, 3, Y), 4, l2)
        assert "class 1 of 0 to 1" in none(X, np.zeros(200), 2, l2)
    assert best(X, np.where(Y == 1, 3, Y), Entropy(4), 1.0, bias=False).loss > 0
    assert best(X, np.zeros(200), Entropy(2, smoothing=0.1)).weight == pytest.approx(np.zeros((1, 4)), abs=1e-15)
    unweighted = logistic_optimum(X, Entropy(3, (1, 0, 1)).shares(Y), Penalty(1.0))
    assert isinstance(unweighted, NoOptimum) and "class 1" in unweighted.reason


@pytest.mark.parametrize("scale", [1e-100, 1e100])
def test_units_do_not_matter(scale: float) -> None:
    found = best(X * scale, Y, Entropy(3))
    assert found.weight * scale == pytest.approx(best(X, Y, Entropy(3)).weight, rel=1e-12)
    penalty = best(X * scale, Y, Entropy(3), scale**2)
    assert penalty.weight * scale == pytest.approx(best(X, Y, Entropy(3), 1.0).weight, rel=1e-12)


def test_what_is_not_worked_out_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    found = logistic_optimum(X, Entropy(3).shares(Y), Penalty(1.0, 1.0))
    assert isinstance(found, NoOptimum) and "loss.l1" in found.reason
    for x in (X * np.nan, X[:5]):
        with pytest.raises(UserError):
            logistic_optimum(x, Entropy(3).shares(Y), Penalty(1.0))
    monkeypatch.setattr(logistic, "STEPS", 2)
    assert "2 steps" in none(X, Y, 3)
    monkeypatch.setattr(logistic, "LARGEST", 2999)
    assert "here are 200 rows of 4 features and 3 outputs" in none(X, Y, 3)
