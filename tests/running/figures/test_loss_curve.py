"""The losses over the epochs, the smallest possible loss as a line, and the axis that serves them."""

from typing import Any

import numpy as np

from experiments.running.figures.loss_curve import loss_curve
from tests.support.figures import size, words


def test_both_losses_the_optimum_and_the_epoch_that_was_kept(drawn: list[Any]) -> None:
    train, held = [100.0, 10.0, 2.0, 1.5], [120.0, 14.0, 4.0, 5.0]
    size(loss_curve([1, 2, 3, 4], train, held, reference=("smallest possible", 0.9), best_epoch=3))
    axes = drawn[0].axes[0]
    training, held_out, optimum, kept = axes.lines
    np.testing.assert_array_equal(training.get_data(), [[1, 2, 3, 4], train])
    np.testing.assert_array_equal(held_out.get_data(), [[1, 2, 3, 4], held])
    assert list(optimum.get_ydata()) == [0.9, 0.9] and list(kept.get_xdata()) == [3, 3]
    assert axes.get_yscale() == "log"
    text = words(drawn[0])
    assert "training rows, last 1.5" in text and "smallest possible 0.9" in text and "weights of epoch 3 kept" in text


def test_the_axis_is_logarithmic_only_where_that_serves(drawn: list[Any]) -> None:
    loss_curve([1, 2, 3], [3.0, 2.0, 1.5], [None] * 3)
    loss_curve(
        [1, 2, 3], [300.0, 2.0, 0.0], [None] * 3, reference=("best linear fit", 0.0), penalized=True
    )  # zero has no logarithm
    assert [figure.axes[0].get_yscale() for figure in drawn] == ["linear", "linear"]
    assert "held-out" not in words(drawn[0]) and "penalty" not in words(drawn[0])
    assert "best linear fit 0" in words(drawn[1]) and "in training with the penalty" in words(drawn[1])


def test_a_run_that_diverges_is_drawn_as_far_as_it_goes(drawn: list[Any]) -> None:
    loss_curve([1, 2, 3, 4], [1.0, 1e4, 1e200, None], [None] * 4, reference=("smallest possible", 0.5))
    loss_curve([1], [None], [None])
    assert list(drawn[0].axes[0].lines[0].get_xdata()) == [1, 2]
    assert "diverged" in words(drawn[1])


def test_one_epoch_is_a_point_and_a_million_are_thinned(drawn: list[Any]) -> None:
    loss_curve([0], [5.0], [None])
    loss_curve(range(1_000_000), np.linspace(2, 1, 1_000_000).tolist(), [None] * 1_000_000)
    one, many = (figure.axes[0].lines[0] for figure in drawn)
    assert one.get_marker() == "."
    assert len(many.get_xdata()) == 2000 and many.get_xdata()[-1] == 999_999
