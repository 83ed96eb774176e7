"""The rows that a classifier is most wrong about, as pictures and as lines of a table."""

from typing import Any

import numpy as np
import pytest

from experiments.running.figures import canvas
from experiments.running.figures.confusion import Classified
from experiments.running.figures.most_wrong import most_wrong
from tests.support.figures import size, words

X = np.arange(36.0).reshape(9, 4)
TRUE = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1])
OF_SECOND = np.array([0.9, 0.1, 0.6, 0.2, 0.9, 0.05, 0.7, 0.8, 0.45])
ROWS = Classified(TRUE, np.stack([1 - OF_SECOND, OF_SECOND], 1))
WORST = [5, 0, 2, 8, 6, 3, 7, 1]
"""By hand: the eight with the least probability of their own class; the ninth is row 4, or as good, row 1."""
FEATURES = [(name, "cm") for name in "abcd"]


def test_a_table_begins_with_the_worst_row(drawn: list[Any]) -> None:
    size(most_wrong({"training rows": (X, ROWS)}, ["no", "yes"], FEATURES))
    (table,) = drawn[0].subfigs[0].axes[0].tables
    lines = [[table[i, j].get_text().get_text() for j in range(8)] for i in range(9)]
    assert lines[0][4:] == ["a (cm)", "b (cm)", "c (cm)", "d (cm)"]
    assert lines[1] == ["yes", "0.05", "no", "0.95", "20", "21", "22", "23"]
    assert [line[4] for line in lines[1:]] == [f"{X[k, 0]:g}" for k in WORST]
    red = [table[i, 0].get_text().get_color() == canvas.RED for i in range(1, 9)]
    assert red == [True, True, True, True, False, False, False, False]
    assert "training rows: 4 of 9 wrong" in words(drawn[0])


def test_rows_that_are_pictures_are_shown(drawn: list[Any]) -> None:
    parts = {"training rows": (X, ROWS), "held-out rows": (X[:2], Classified(TRUE[:2], ROWS.probability[:2]))}
    size(most_wrong(parts, ["no", "yes"], FEATURES, image=(2, 2)))
    pictures = [axes.images[0].get_array() for axes in drawn[0].axes if axes.images]
    for picture, row in zip(pictures, [*WORST, 0, 1], strict=True):
        np.testing.assert_array_equal(picture, X[row].reshape(2, 2))
    assert "true yes: 0.05\nsaid no: 0.95" in words(drawn[0]) and "held-out rows: 1 of 2 wrong" in words(drawn[0])


def test_three_channels_are_colours() -> None:
    row = np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12.0])
    found = canvas.picture(row, (3, 2, 2))
    assert found.shape == (2, 2, 3) and found.min() == 0 and found.max() == 1
    np.testing.assert_allclose(found[0, 1] * 12, [1, 5, 9])
    np.testing.assert_allclose(canvas.picture(row[:8], (2, 2, 2)), [[2, 3], [4, 5]])


@pytest.mark.parametrize("image", [None, (2, 2)])
def test_a_diverged_run_is_said(image: tuple[int, ...] | None, drawn: list[Any]) -> None:
    most_wrong({"training rows": (X, Classified(TRUE, np.full((9, 2), np.nan)))}, ["no", "yes"], FEATURES, image)
    assert "diverged" in words(drawn[0])
