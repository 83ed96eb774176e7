"""The map of the loss: true losses at its marks, in the table's units, whatever the columns were trained as."""

from typing import Any

import numpy as np
import pytest

from experiments.running.figures.landscape import Landscape, slice_of
from experiments.running.figures.loss_surface import loss_surface
from tests.support.figures import X, Y, size, words

NAMES = ["temp", "rainfall", "humidity"]
CROPS = Landscape(X, Y, True, NAMES)
OPTIMUM_LOSS = 0.9094459849188882  # of the 15 rows; see the tutorial's facts


def best_of(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The least squares' weights row by row, then the biases."""
    found = np.linalg.lstsq(np.column_stack([x, np.ones(len(x))]), y, rcond=None)[0]
    return np.concatenate([found[:-1].T.ravel(), found[-1]])


BEST = best_of(X, Y)


def descent(steps: int, lr: float, x: np.ndarray = X, y: np.ndarray = Y) -> np.ndarray:
    """Full-batch descent from a fixed start: (steps + 1, 8)."""
    inputs = np.column_stack([x, np.ones(len(x))])
    matrix = np.random.default_rng(0).uniform(-0.5, 0.5, (4, 2))
    path = [matrix]
    for _ in range(steps):
        matrix = matrix - lr * 2 / y.size * inputs.T @ (inputs @ matrix - y)
        path.append(matrix)
    return np.array([np.concatenate([m[:3].T.ravel(), m[3]]) for m in path])


def mse(weights: np.ndarray, x: np.ndarray = X, y: np.ndarray = Y) -> float:
    return float(np.mean((x @ weights[:6].reshape(2, 3).T + weights[6:] - y) ** 2))


@pytest.mark.parametrize("steps", [5, 100])
def test_the_map_shows_the_true_loss_at_start_end_and_optimum(steps: int, drawn: list[Any]) -> None:
    path = descent(steps, 1e-5)
    assert mse(BEST) == pytest.approx(OPTIMUM_LOSS, rel=1e-10)
    plane = slice_of(path, BEST, CROPS)
    np.testing.assert_allclose(plane.directions @ plane.directions.T, np.eye(2), atol=1e-12)
    for point in (path[0], path[-1], BEST):
        back = plane.origin + plane.project(point[None])[0] @ plane.directions
        np.testing.assert_allclose(back, point, atol=1e-9)
    loss_surface(path, CROPS, BEST)
    text = words(drawn[0])
    assert f"start: {mse(path[0]):.5g}" in text and f"end: {mse(path[-1]):.5g}" in text
    assert "exact optimum: 0.90945" in text and "standardised" not in text


@pytest.mark.parametrize("centre", ["optimum", "end"])
def test_the_loss_on_the_plane_is_the_loss_itself(centre: str) -> None:
    path = descent(20, 1e-5)
    plane = slice_of(path, BEST if centre == "optimum" else path[-1], CROPS)
    points = np.random.default_rng(1).normal(size=(50, 2))
    expected = [mse(plane.origin + c @ plane.directions) for c in points]
    np.testing.assert_allclose(CROPS.on(plane)(points), expected, rtol=1e-9)


def test_standardised_training_is_said_on_the_axes_and_the_loss_is_in_the_tables_units(drawn: list[Any]) -> None:
    x, y = ((t - t.mean(0)) / t.std(0) for t in (X, Y))
    scaled = Landscape(x, y, True, NAMES, Y.std(0))
    best, path = best_of(x, y), descent(100, 0.5, x, y)
    assert scaled.at(best) == pytest.approx(OPTIMUM_LOSS, rel=1e-10)
    in_units = np.mean(((x @ path[0][:6].reshape(2, 3).T + path[0][6:] - y) * Y.std(0)) ** 2)
    loss_surface(path, scaled, best)
    loss_surface(path[:1], scaled, best)
    text = words(drawn[0])
    assert f"start: {in_units:.5g}" in text and "exact optimum: 0.90945" in text
    assert "standardised columns" in text and "in the table's units" in text
    assert "weight of temp (standardised)" in words(drawn[1])


def test_a_loss_of_another_kind_is_called_in_the_tables_units(drawn: list[Any]) -> None:
    def mean_absolute(prediction: np.ndarray, goal: np.ndarray) -> float:
        return float(np.abs(prediction - goal).mean())

    path = descent(10, 1e-5)
    landscape = Landscape(X / 10, Y / 2, True, NAMES, np.full(2, 2.0), mean_absolute)
    weights = path * np.array([10.0] * 6 + [1.0] * 2) / 2  # the same predictions
    loss_surface(weights, landscape, loss_name="mean absolute error")
    text = words(drawn[0])
    expected = np.abs(X @ path[-1][:6].reshape(2, 3).T + path[-1][6:] - Y).mean()
    assert f"end: {expected:.5g}" in text and "mean absolute error" in text and "optimum" not in text


def test_a_penalty_is_part_of_the_map(drawn: list[Any]) -> None:
    from dataclasses import replace

    path = descent(20, 1e-5)
    ridge = replace(CROPS, penalty=lambda weight: 0.5 * float(np.sum(weight**2)))
    plane = slice_of(path, BEST, ridge)
    points = np.random.default_rng(1).normal(size=(20, 2))
    at = plane.origin + points @ plane.directions
    expected = [mse(w) + 0.5 * np.sum(w[:6] ** 2) for w in at]
    np.testing.assert_allclose(ridge.on(plane)(points), expected, rtol=1e-9)
    loss_surface(path, ridge, BEST)
    assert f"end: {mse(path[-1]) + 0.5 * np.sum(path[-1][:6] ** 2):.5g}" in words(drawn[0])


def test_a_diverging_path_is_cut_and_says_so(drawn: list[Any]) -> None:
    loss_surface(descent(60, 2e-4), CROPS, BEST)
    assert "ran away" in words(drawn[0])


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e200])
def test_diverged_weights_give_a_figure_that_says_so(bad: float, drawn: list[Any]) -> None:
    loss_surface(np.full((3, 8), bad), CROPS)
    assert "diverged" in words(drawn[0])


@pytest.mark.parametrize("case", ["one_feature", "no_bias", "one_parameter", "constant", "names", "wide", "start_only"])
@pytest.mark.parametrize("known", [True, False])
def test_odd_shapes_are_drawn(case: str, known: bool) -> None:
    rng = np.random.default_rng(0)
    n, f = (40, 1000) if case == "wide" else (40, 1 if case.startswith("one") else 3)
    x, y, names = rng.normal(size=(n, f)), rng.normal(size=(n, 1)), ["f"] * f
    if case == "constant":
        x, y = np.ones_like(x) * 5, np.zeros_like(y)
    if case == "names":
        names = ["a$b$", "温度", "x" * 200]
    bias = case not in ("no_bias", "one_parameter")
    path = rng.normal(size=(1 if case == "start_only" else 6, f + bias))
    size(loss_surface(path, Landscape(x, y, bias, names), np.zeros(f + bias) if known else None))


def test_importing_imports_no_matplotlib() -> None:
    import subprocess
    import sys

    program = (
        f"import sys; sys.path[:0] = {sys.path!r}\n"
        "import experiments.running.figures.drawing\n"
        "assert 'matplotlib' not in sys.modules\n"
        "import numpy as np\n"
        "from experiments.running.figures.drawing import predicted_against_true\n"
        "predicted_against_true((np.ones((2, 1)), np.ones((2, 1))), [('a', None)])\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
