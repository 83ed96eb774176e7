"""The median's interval and p value, against scipy's sign test, whose values it interpolates, and by hand."""

import numpy as np
import pytest
from scipy import stats

from experiments.comparison.groups.medians import interval, p_of_zero

rng = np.random.default_rng(5)


@pytest.mark.parametrize("n", [5, 6, 11, 30])
def test_at_its_own_level_an_interval_lies_between_two_of_the_values(n: int) -> None:
    """scipy's `quantile_test` takes the values whose level is at least the one asked for."""
    values = rng.exponential(size=n)
    for k in range(1, n // 2):
        level = 1 - 2 * float(stats.binom.cdf(k - 1, n, 0.5))
        expected = stats.quantile_test(values, q=0, p=0.5).confidence_interval(level - 1e-9)
        np.testing.assert_allclose(interval(values, level), [expected.low, expected.high], rtol=1e-6)


def test_between_them_it_is_interpolated() -> None:
    """Ten values, 95 %: the second to the ninth cover 1002/1024, the third to the eighth 912/1024."""
    between = (1002 / 1024 - 0.95) / (90 / 1024)
    share = 8 * between / (2 + 6 * between)
    low, high = interval(np.arange(10.0), 0.95)
    assert (low, high) == pytest.approx((1 + share, 8 - share))


def test_fewer_than_five_values_have_no_interval_and_five_their_range() -> None:
    assert np.isnan(interval(np.arange(4.0), 0.95)).all()
    assert interval(np.arange(5.0), 0.95) == (0, 4)


def test_p_is_that_of_the_interval_which_ends_at_zero() -> None:
    for n in (5, 8, 9, 20):
        values = rng.normal(0.3, 1, (n, 40))
        for column, p in zip(values.T, p_of_zero(values), strict=True):
            if 2 * 0.5**n < p < 0.9:
                assert min(np.abs(interval(column, 1 - p))) == pytest.approx(0, abs=1e-9)


def test_p_of_values_on_one_side_is_the_sign_tests() -> None:
    values = rng.exponential(size=7)
    assert p_of_zero(values) == p_of_zero(-values) == pytest.approx(stats.binomtest(0, 7).pvalue)
    assert p_of_zero(np.array([-1.0, 0, 0, 3])) == p_of_zero(np.zeros(2)) == 1
