"""The confusion matrix: counts as scikit-learn's, labels, classes that are never predicted, many classes."""

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from experiments.running.figures.confusion import Classified, confusion
from tests.support.figures import size, words


def guessed(rows: int, classes: int, among: int, seed: int = 0) -> Classified:
    """Random classes, and predictions among the first `among` of them."""
    draw = np.random.default_rng(seed)
    probability = draw.random((rows, classes)) + 1e-3
    probability[:, among:] = 0
    return Classified(draw.integers(classes, size=rows), probability / probability.sum(1, keepdims=True))


def test_a_cell_says_how_often_a_class_was_given_a_label(drawn: list[Any]) -> None:
    train, held = guessed(200, 3, 3), guessed(40, 3, 2, seed=1)
    size(confusion({"training rows": train, "held-out rows": held}, ["cat", "dog", "a$b$"]))
    for axes, part, name in zip(drawn[0].axes, (train, held), ("training", "held-out"), strict=True):
        counts = confusion_matrix(part.true, part.probability.argmax(1), labels=[0, 1, 2])
        cells = {tuple(text.get_position()): text.get_text() for text in axes.texts}
        assert cells == {(j, i): str(counts[i, j]) for i in range(3) for j in range(3)}
        title = axes.get_title()
        assert f"{name} rows: {counts.trace()} of {counts.sum()} right" in title
        assert ("never predicted: a\\$b\\$" in title) == (part is held)
        assert [text.get_text() for text in axes.get_yticklabels()] == ["cat", "dog", r"a\$b\$"]


def test_the_colour_is_the_share_of_the_true_class(drawn: list[Any]) -> None:
    part = guessed(300, 4, 4)
    confusion({"training rows": part}, list("abcd"))
    expected = confusion_matrix(part.true, part.probability.argmax(1), normalize="true")
    np.testing.assert_allclose(drawn[0].axes[0].images[0].get_array(), expected)


def test_many_classes_are_coloured_but_not_counted(drawn: list[Any]) -> None:
    confusion({"training rows": guessed(5000, 300, 7)}, [f"a long label, number {k}" for k in range(300)])
    (axes,) = drawn[0].axes
    assert not axes.texts and len(axes.get_xticks()) == 30
    assert "and 289 more" in axes.get_title() and drawn[0].get_size_inches().max() < 12


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_diverged_run_is_said(bad: float, drawn: list[Any]) -> None:
    confusion({"training rows": Classified(np.zeros(3, dtype=int), np.full((3, 2), bad))}, ["a", "b"])
    assert "diverged" in words(drawn[0])
