"""Centres and bands of several columns at once, against scipy's and statistics written out."""

import numpy as np
import pytest
from scipy import stats

from experiments.comparison.groups.bands import BANDS, around, centre
from experiments.errors import UserError

rng = np.random.default_rng(3)
VALUES = rng.exponential(2.0, (12, 5))


@pytest.mark.parametrize("statistic", ["mean", "iqm", "median"])
def test_the_centre_is_scipys(statistic: str) -> None:
    expected = {"mean": VALUES.mean(0), "iqm": stats.trim_mean(VALUES, 0.25, axis=0), "median": np.median(VALUES, 0)}
    np.testing.assert_allclose(centre(VALUES, statistic), expected[statistic])
    for band in BANDS:
        np.testing.assert_allclose(around(VALUES, statistic, band)[0], expected[statistic])


def test_bands_of_the_mean_are_deviation_standard_error_and_students_interval() -> None:
    mean, low, high = around(VALUES, "mean", "std")
    np.testing.assert_allclose([mean - low, high - mean], [VALUES.std(0, ddof=1)] * 2)
    np.testing.assert_allclose(around(VALUES, "mean", "sem")[2] - mean, stats.sem(VALUES))
    interval = stats.ttest_1samp(VALUES, 0).confidence_interval(0.95)
    np.testing.assert_allclose(around(VALUES, "mean", "interval")[1:], [interval.low, interval.high])


def test_the_medians_standard_error_is_about_that_of_many_samples() -> None:
    samples = rng.normal(size=(400, 41))
    errors = [float(around(sample, "median", "sem")[2] - np.median(sample)) for sample in samples]
    assert np.mean(errors) == pytest.approx(np.median(samples, axis=1).std(), rel=0.15)


@pytest.mark.parametrize("statistic", ["mean", "iqm"])
def test_intervals_hold_the_truth_in_95_of_100_cases(statistic: str) -> None:
    for draw, truth in ((rng.normal, 0.0), (lambda size: rng.standard_t(3, size), 0.0)):
        _, low, high = around(draw(size=(12, 10_000)), statistic, "interval")
        assert 0.93 <= ((low <= truth) & (truth <= high)).mean() <= 0.975


def test_folds_have_a_wider_band_and_no_median() -> None:
    """Nadeau and Bengio: the variance of the mean of 5 folds is 1/5 + 1/4 of that of one, not 1/5."""
    mean, low, _ = around(VALUES[:5], "mean", "sem", overlap=1 / 4)
    np.testing.assert_allclose(mean - low, VALUES[:5].std(0, ddof=1) * np.sqrt(1 / 5 + 1 / 4))
    with pytest.raises(UserError, match="of folds, which share rows"):
        around(VALUES[:5], "median", "sem", overlap=1 / 4)


@pytest.mark.parametrize("band", BANDS)
def test_a_single_value_has_no_band_and_none_has_nothing(band: str) -> None:
    middle, low, high = around(VALUES[:1], "mean", band)
    assert (middle == VALUES[0]).all() and np.isnan(low).all() and np.isnan(high).all()
    assert np.isnan(around(np.zeros((0, 3)), "mean", band)).all()
