"""Whether classes can be separated, against scipy's linear programs."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from experiments.exact import separation
from experiments.exact.minimum_norm import orthonormal_basis
from experiments.exact.separation import differences, separable, separated_by

linprog: Any = optimize.linprog  # pyright takes ten seconds over what scipy has it return


def by_linear_program(a: np.ndarray, labels: np.ndarray, classes: int) -> bool:
    """Whether some v has D v >= 0 and sum(D v) > 0, with D v <= 1; D written out row by row."""
    rows = []
    for row, own in zip(a, labels, strict=True):
        for other in set(range(classes)) - {own}:
            d = np.zeros((classes, a.shape[1]))
            d[own], d[other] = row, -row
            rows.append(d.ravel())
    d = np.array(rows)
    found = linprog(
        -d.sum(0), A_ub=np.vstack([d, -d]), b_ub=np.r_[np.ones(len(d)), np.zeros(len(d))], bounds=(-1e3, 1e3)
    )
    return bool(-found.fun > 1e-4)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.integers(0, 2**32), st.sampled_from(["plain", "flags", "whole numbers", "telling"]), st.booleans())
def test_it_is_what_a_linear_program_says(seed: int, kind: str, bias: bool) -> None:
    g = np.random.default_rng(seed)
    n, d, classes = int(g.integers(2, 40)), int(g.integers(1, 4)), int(g.integers(2, 5))
    x = g.normal(size=(n, d))
    if kind == "flags":
        x = g.integers(0, 2, (n, d)).astype(float)
    elif kind == "whole numbers":
        x = g.integers(-2, 3, (n, d)).astype(float)
    labels = np.argmax(x @ g.normal(size=(d, classes)) * g.choice([0.3, 3, 30]) + g.gumbel(size=(n, classes)), axis=1)
    if kind == "telling":
        x = np.c_[x, labels == 0]
    a = orthonormal_basis(x, bias)
    assert separable(a, np.eye(classes)[labels]) == by_linear_program(a, labels, classes)


def test_large_ones_are_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    a, q = np.ones((4, 2)), np.eye(2)[[0, 1, 0, 1]]
    monkeypatch.setattr(separation, "LARGEST", 8)
    assert differences(a, q) is not None and separable(a, q) is False
    monkeypatch.setattr(separation, "LARGEST", 7)
    assert differences(a, q) is None and separable(a, q) is None


def test_logits_separate_when_each_own_class_is_ahead() -> None:
    q = np.eye(3)[[0, 2]]
    assert separated_by(np.array([[0, -1, -2], [-1, -1, 0.0]]), q)
    assert not separated_by(np.array([[0, -1, -2], [0, -1, -1.0]]), q)
    assert not separated_by(np.array([[0, 0, -2], [-1, -1, 0.0]]), q)  # a tie
    assert not separated_by(np.zeros((2, 3)), q)
    assert not separated_by(np.array([[0, -1, -2], [-1, -1, 0.0]]), q + 0.1)  # smoothed: all classes are wanted
