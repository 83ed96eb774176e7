"""A linear classifier's weights, as pictures and as a map of inputs and classes."""

from typing import Any

import numpy as np
import pytest

from experiments.running.figures.weights import weights
from tests.support.figures import size, words

DRAW = np.random.default_rng(0)


def test_a_picture_for_each_class_is_its_weights_times_the_deviations(drawn: list[Any]) -> None:
    weight, deviation = DRAW.normal(size=(7, 12)), DRAW.random(12)
    size(weights(weight, deviation, [(f"p{k}", "") for k in range(12)], [str(k) for k in range(7)], (3, 4)))
    pictures = [(axes.get_title(), axes.images[0]) for axes in drawn[0].axes if axes.images]
    largest = np.abs(weight * deviation).max()
    for k, (title, picture) in enumerate(pictures):
        assert title == str(k) and picture.get_clim() == pytest.approx((-largest, largest))
        np.testing.assert_allclose(picture.get_array(), (weight[k] * deviation).reshape(3, 4))
    assert len(pictures) == 7


def test_a_map_has_the_inputs_that_move_the_logits_most(drawn: list[Any]) -> None:
    weight = np.ones((1, 50))
    weight[0, ::5] = 0.01
    weights(weight, np.arange(50.0), [(f"input {k}", "") for k in range(50)], ["malignant"])
    named = [text.get_text() for text in drawn[0].axes[0].get_yticklabels()]
    assert named == [f"input {k}" for k in [k for k in range(50) if k % 5][-30:]]
    assert "for malignant" in words(drawn[0]) and "the 30 of 50 inputs that move it most" in words(drawn[0])


def test_many_classes_and_weights_of_zero_are_drawn(drawn: list[Any]) -> None:
    labels = [f"a label too long for the axis, {k}" for k in range(100)]
    size(weights(np.zeros((100, 4)), np.ones(4), [(n, "") for n in "abcd"], labels))
    size(weights(np.zeros((100, 4)), np.ones(4), [(n, "") for n in "abcd"], labels, (2, 2)))
    assert "the first 20 of 100 classes" in words(drawn[1])


def test_a_diverged_run_is_said(drawn: list[Any]) -> None:
    weights(np.full((2, 3), np.nan), np.ones(3), [(n, "") for n in "abc"], ["a", "b"])
    assert "diverged" in words(drawn[0])
