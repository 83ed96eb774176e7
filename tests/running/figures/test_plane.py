"""The tutorial's picture: stems are the true residuals, and every shape of data is drawn."""

from typing import Any

import numpy as np
import pytest

from experiments.running.figures.plane import plane
from tests.support.figures import FEATURES, X, Y, size, words


def test_stems_are_the_true_residuals(drawn: list[Any]) -> None:
    from mpl_toolkits.mplot3d.art3d import Line3DCollection

    weight, bias = np.array([-0.3, 0.9, 0.5]), -2.0
    size(plane(X, Y[:, 0], weight, bias, FEATURES, ("apples", "t/ha")))
    stems = np.concatenate([np.array(c._segments3d) for c in drawn[0].findobj(Line3DCollection) if len(c._segments3d)])
    stems = np.array([s for s in stems if np.allclose(s[0, :2], s[1, :2])])
    lengths = np.sort(stems[:, 1, 2] - stems[:, 0, 2])
    np.testing.assert_allclose(lengths, np.sort(Y[:, 0] - X @ weight - bias), atol=1e-9)
    feet = stems[:, 0]  # rainfall and humidity move the prediction most; temp is held at its mean
    np.testing.assert_allclose(feet[:, 2], -0.3 * X[:, 0].mean() + feet[:, :2] @ [0.9, 0.5] - 2, atol=1e-9)
    text = words(drawn[0])
    assert "temp held at its mean, 84.47 °F" in text and "rainfall (mm)" in text and "apples, adjusted (t/ha)" in text
    rmse = np.sqrt(np.mean((Y[:, 0] - X @ weight - bias) ** 2))
    assert f"RMSE {rmse:.4g} t/ha" in text


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e200])
def test_diverged_weights_give_a_figure_that_says_so(bad: float, drawn: list[Any]) -> None:
    plane(X, Y[:, 0], np.array([bad, 1, 1]), 0.0, FEATURES, ("apples", "t/ha"))
    assert "diverged" in words(drawn[0])


@pytest.mark.parametrize("case", ["one_feature", "constant", "names", "wide", "one_side"])
def test_odd_shapes_are_drawn(case: str) -> None:
    rng = np.random.default_rng(0)
    n, f = (40, 1000) if case == "wide" else (40, 1 if case == "one_feature" else 3)
    x, y, names = rng.normal(size=(n, f)), rng.normal(size=n), ["f"] * f
    if case == "constant":
        x, y = np.ones_like(x) * 5, np.zeros_like(y)
    if case == "names":
        names = ["a$b$", "温度", "x" * 200]
    y = y + 1e6 if case == "one_side" else y
    size(plane(x, y, rng.normal(size=f), 0.5, [(name, None) for name in names], (names[0], None)))


def test_a_million_rows_are_thinned(drawn: list[Any]) -> None:
    x = np.random.default_rng(0).normal(size=(1_000_000, 2))
    plane(x, x @ np.ones(2), np.ones(2), 0.0, [("a", None), ("b", None)], ("t", None))
    assert "2,000 of 1,000,000 rows" in words(drawn[0])
