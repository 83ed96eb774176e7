"""Prediction against truth: the numbers in the panels, and rows held out in a colour of their own."""

from typing import Any

import numpy as np
import pytest

from experiments.running.figures.fit import predicted_against_true
from tests.support.figures import Y, size, words

TARGETS = [("apples", "t/ha"), ("oranges", None)]


def test_a_panel_states_rmse_and_r2(drawn: list[Any]) -> None:
    from sklearn.metrics import r2_score

    predicted = Y + np.array([3.0, -4.0])
    size(predicted_against_true((Y, predicted), TARGETS))
    text = words(drawn[0])
    assert "RMSE 3 t/ha" in text and "RMSE 4," in text and "held" not in text
    for k in range(2):
        assert f"R² {r2_score(Y[:, k], predicted[:, k]):.4f}" in text


def test_held_out_rows_have_their_own_colour_and_numbers(drawn: list[Any]) -> None:
    from sklearn.metrics import r2_score

    train, held = (Y[:10], Y[:10] + 1.0), (Y[10:], Y[10:] - 2.0)
    predicted_against_true(train, TARGETS, held)
    _, training_rows, held_rows = drawn[0].axes[0].lines
    np.testing.assert_array_equal(
        np.column_stack(training_rows.get_data()), np.column_stack([Y[:10, 0], Y[:10, 0] + 1])
    )
    np.testing.assert_array_equal(np.column_stack(held_rows.get_data()), np.column_stack([Y[10:, 0], Y[10:, 0] - 2]))
    assert training_rows.get_color() != held_rows.get_color()
    text = words(drawn[0])
    assert "held-out rows" in text and "held out: RMSE 2 t/ha" in text
    assert f"R² {r2_score(Y[10:, 0], Y[10:, 0] - 2):.4f}" in text


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e200])
def test_diverged_predictions_give_a_figure_that_says_so(bad: float, drawn: list[Any]) -> None:
    predicted_against_true((Y, np.full_like(Y, bad)), TARGETS)
    predicted_against_true((Y, Y), TARGETS, (Y, np.full_like(Y, bad)))
    assert all("diverged" in words(figure) for figure in drawn) and len(drawn) == 2


def test_a_constant_target_and_a_hopeless_fit_have_words(drawn: list[Any]) -> None:
    predicted_against_true((np.ones((4, 1)), np.zeros((4, 1))), [("a$b$", None)])
    predicted_against_true((Y[:, :1], Y[:, :1] - 1e9), [("y", None)])
    assert "undefined (constant)" in words(drawn[0])
    assert "R² -1e" in words(drawn[1]) or "e+1" in words(drawn[1])


def test_a_million_rows_and_many_targets_are_thinned(drawn: list[Any]) -> None:
    y = np.random.default_rng(0).normal(size=(1_000_000, 8))
    predicted_against_true((y, y), [(name, None) for name in "abcdefgh"])
    text = words(drawn[0])
    assert "first 6 of 8 targets" in text and "2,000 of 1,000,000 rows" in text
    assert len(drawn[0].axes) == 6
    assert max(len(line.get_xdata()) for line in drawn[0].axes[0].lines) == 2000
