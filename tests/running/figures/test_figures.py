"""Figures: valid pictures for every shape of data, and numbers in them that are right."""

import struct
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from experiments.running.figures import canvas, figures, loss_surface

CROPS = np.array(
    [
        [73, 67, 43, 56, 70], [91, 88, 64, 81, 101], [87, 134, 58, 119, 133], [102, 43, 37, 22, 37],
        [69, 96, 70, 103, 119], [74, 66, 43, 57, 69], [91, 87, 65, 80, 102], [88, 134, 59, 118, 132],
        [101, 44, 37, 21, 38], [68, 96, 71, 104, 118], [73, 66, 44, 57, 69], [92, 87, 64, 82, 100],
        [87, 135, 57, 118, 134], [103, 43, 36, 20, 38], [68, 97, 70, 102, 120],
    ],
    dtype=float,
)  # fmt: skip
X, Y = CROPS[:, :3], CROPS[:, 3:]
NAMES, UNITS = ["temp", "rainfall", "humidity"], ["°F", "mm", "%"]
OPTIMUM_LOSS = 0.9094459849188882  # of the 15 rows; see the tutorial's facts


def size(png: bytes) -> tuple[int, int]:
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    return struct.unpack(">II", png[16:24])


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The matplotlib figures that became PNGs."""
    kept: list[Any] = []

    def keep(figure: Any, original: Callable[[Any], bytes] = canvas.png) -> bytes:
        kept.append(figure)
        return original(figure)

    for module in (canvas, figures, loss_surface):
        monkeypatch.setattr(module, "png", keep)
    return kept


def words(figure: Any) -> str:
    from matplotlib.text import Text

    return "\n".join(text.get_text() for text in figure.findobj(Text))


def descent(steps: int, lr: float) -> np.ndarray:
    """Full-batch descent on the crop table from a fixed start: (steps + 1, 8)."""
    inputs = np.column_stack([X, np.ones(len(X))])
    matrix = np.random.default_rng(0).uniform(-0.5, 0.5, (4, 2))
    path = [matrix]
    for _ in range(steps):
        matrix = matrix - lr * 2 / Y.size * inputs.T @ (inputs @ matrix - Y)
        path.append(matrix)
    return np.array([np.concatenate([m[:3].T.ravel(), m[3]]) for m in path])


def mse(parameters: np.ndarray) -> float:
    return float(np.mean((X @ parameters[:6].reshape(2, 3).T + parameters[6:] - Y) ** 2))


def test_stems_are_the_true_residuals(drawn: list[Any]) -> None:
    from mpl_toolkits.mplot3d.art3d import Line3DCollection

    weight, bias = np.array([-0.3, 0.9, 0.5]), -2.0
    size(figures.plane(X, Y[:, 0], weight, bias, NAMES, UNITS, "apples", "t/ha"))
    stems = np.concatenate([np.array(c._segments3d) for c in drawn[0].findobj(Line3DCollection) if len(c._segments3d)])
    stems = np.array([s for s in stems if np.allclose(s[0, :2], s[1, :2])])
    lengths = np.sort(stems[:, 1, 2] - stems[:, 0, 2])
    np.testing.assert_allclose(lengths, np.sort(Y[:, 0] - X @ weight - bias), atol=1e-9)
    feet = stems[:, 0]  # rainfall and humidity move the prediction most; temp is held at its mean
    np.testing.assert_allclose(feet[:, 2], -0.3 * X[:, 0].mean() + feet[:, :2] @ [0.9, 0.5] - 2, atol=1e-9)
    assert "temp held at its mean, 84.47 °F" in words(drawn[0])
    assert "rainfall (mm)" in words(drawn[0])


def test_fit_panel_states_rmse_and_r2(drawn: list[Any]) -> None:
    from sklearn.metrics import r2_score

    predicted = Y + np.array([3.0, -4.0])
    figures.predicted_against_true(Y, predicted, ["apples", "oranges"], ["t/ha", None])
    text = words(drawn[0])
    assert "RMSE 3 t/ha" in text
    assert "RMSE 4," in text
    for k in range(2):
        assert f"R² {r2_score(Y[:, k], predicted[:, k]):.4f}" in text


@pytest.mark.parametrize("steps", [5, 100])
def test_the_map_shows_the_true_loss_at_start_end_and_optimum(steps: int, drawn: list[Any]) -> None:
    path = descent(steps, 1e-5)
    best = loss_surface._least_squares(X, Y, True)
    assert mse(best) == pytest.approx(OPTIMUM_LOSS, rel=1e-10)
    plane = loss_surface._slice(path, best, X, 2, True, None)
    np.testing.assert_allclose(plane.directions @ plane.directions.T, np.eye(2), atol=1e-12)
    for point in (path[0], path[-1], best):
        back = plane.origin + plane.project(point[None])[0] @ plane.directions
        np.testing.assert_allclose(back, point, atol=1e-9)
    figures.loss_surface(path, X, Y, True)
    assert f"start: {mse(path[0]):.5g}" in words(drawn[0])
    assert f"end: {mse(path[-1]):.5g}" in words(drawn[0])
    assert "exact optimum: 0.90945" in words(drawn[0])


def test_quadratic_form_equals_the_loss_itself() -> None:
    best, path = loss_surface._least_squares(X, Y, True), descent(20, 1e-5)
    plane = loss_surface._slice(path, best, X, 2, True, None)
    moves = [X @ d[:6].reshape(2, 3).T + d[6:] for d in plane.directions]
    coordinates = np.random.default_rng(1).normal(size=(50, 2))
    values = loss_surface._quadratic(mse(best), moves)(coordinates)
    expected = [mse(best + c @ plane.directions) for c in coordinates]
    np.testing.assert_allclose(values, expected, rtol=1e-9)


def test_a_loss_of_another_kind_is_called(drawn: list[Any]) -> None:
    def mean_absolute(parameters: np.ndarray) -> float:
        return float(np.abs(X @ parameters[:6].reshape(2, 3).T + parameters[6:] - Y).mean())

    path = descent(10, 1e-5)
    figures.loss_surface(path, X, Y, True, loss=mean_absolute, loss_name="mean absolute error")
    text = words(drawn[0])
    assert f"end: {mean_absolute(path[-1]):.5g}" in text
    assert "mean absolute error" in text
    assert "optimum" not in text


def test_a_diverging_path_is_cut_and_says_so(drawn: list[Any]) -> None:
    figures.loss_surface(descent(60, 2e-4), X, Y, True)
    assert "ran away" in words(drawn[0])


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e200])
def test_diverged_weights_give_a_figure_that_says_so(bad: float, drawn: list[Any]) -> None:
    figures.plane(X, Y[:, 0], np.array([bad, 1, 1]), 0.0, NAMES, UNITS, "apples", "t/ha")
    figures.predicted_against_true(Y, np.full_like(Y, bad), ["a", "b"])
    figures.loss_surface(np.full((3, 8), bad), X, Y, True)
    assert all("diverged" in words(figure) for figure in drawn)
    assert len(drawn) == 3


@pytest.mark.parametrize("case", ["one_feature", "no_bias", "one_parameter", "constant", "names", "wide", "start_only"])
def test_odd_shapes_are_drawn(case: str) -> None:
    rng = np.random.default_rng(0)
    n, f = (40, 1000) if case == "wide" else (40, 1 if case.startswith("one") else 3)
    x, y = rng.normal(size=(n, f)), rng.normal(size=(n, 1))
    names = ["f"] * f
    if case == "constant":
        x, y = np.ones_like(x) * 5, np.zeros_like(y)
    if case == "names":
        names = ["a$b$", "温度", "x" * 200]
    bias = case not in ("no_bias", "one_parameter")
    weight = rng.normal(size=f)
    size(figures.plane(x, y[:, 0], weight, 0.5, names, None, names[0], None))
    size(figures.predicted_against_true(y, x @ weight[:, None], [names[0]]))
    path = rng.normal(size=(1 if case == "start_only" else 6, f + bias))
    size(figures.loss_surface(path, x, y, bias, feature_names=names))


def test_a_million_rows_and_many_targets_are_thinned(drawn: list[Any]) -> None:
    x = np.random.default_rng(0).normal(size=(1_000_000, 2))
    y = x @ np.ones((2, 1))
    figures.plane(x, y[:, 0], np.ones(2), 0.0, ["a", "b"], None, "t", None)
    figures.predicted_against_true(np.repeat(y, 8, axis=1), np.repeat(y, 8, axis=1), list("abcdefgh"))
    assert "2,000 of 1,000,000 rows" in words(drawn[0])
    assert "first 6 of 8 targets" in words(drawn[1])
    assert len(drawn[1].axes) == 6
    assert max(len(line.get_xdata()) for line in drawn[1].axes[0].lines) == 2000


def test_importing_imports_no_matplotlib() -> None:
    program = (
        f"import sys; sys.path[:0] = {sys.path!r}\n"
        "import experiments.running.figures.figures\n"
        "assert 'matplotlib' not in sys.modules\n"
        "experiments.running.figures.figures.predicted_against_true([[1.0], [2.0]], [[1.0], [2.0]], ['a'])\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
