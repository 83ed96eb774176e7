"""Whether a setting is better: against scipy, and by simulation, which counts how often intervals hold the truth."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

from experiments.comparison.deciding import compared, decide, holm
from experiments.errors import UserError

rng = np.random.default_rng(7)
DRAWS: dict[str, Callable[[np.random.Generator, tuple[int, int]], np.ndarray]] = {
    "normal": np.random.Generator.standard_normal,
    "skewed": np.random.Generator.standard_exponential,
    "heavy tails": lambda own, shape: own.standard_t(3, shape),
}


def seeds(values: np.ndarray, first: int = 0) -> dict[int, float]:
    return dict(enumerate(values.tolist(), first))


@pytest.mark.parametrize("n", [2, 5, 30])
def test_means_over_shared_seeds_are_students_t(n: int) -> None:
    ours, theirs = rng.normal(1, 2, n), rng.normal(0, 1, n)
    found, expected = decide(seeds(ours), seeds(theirs)), stats.ttest_rel(ours, theirs)
    low, high = expected.confidence_interval(0.95)
    assert found.paired and found.seeds == n
    np.testing.assert_allclose([found.p, found.low, found.high], [expected.pvalue, low, high], rtol=1e-9)
    _, one_sided = stats.ttest_rel(ours, theirs, alternative="greater")
    assert found.likely == pytest.approx(1 - one_sided)


@pytest.mark.parametrize(("statistic", "trim"), [("mean", 0.0), ("iqm", 0.25)])
def test_other_seeds_are_welchs_or_yuens_t(statistic: str, trim: float) -> None:
    ours, theirs = rng.normal(1, 2, 12), rng.normal(0, 1, 9)
    expected: Any = stats.ttest_ind(ours, theirs, equal_var=False, trim=trim)  # type: ignore[arg-type]  # trim is a share
    found = decide(seeds(ours), seeds(theirs, 100), statistic)
    low, high = expected.confidence_interval(0.95)
    assert not found.paired
    np.testing.assert_allclose([found.p, found.low, found.high], [expected.pvalue, low, high], rtol=1e-9)


def test_the_interquartile_mean_of_pairs_forgets_an_outlier() -> None:
    ours = np.arange(20.0)
    wild = ours.copy()
    wild[0] = -1e6
    calm, odd = decide(seeds(ours), seeds(ours * 0), "iqm"), decide(seeds(wild), seeds(ours * 0), "iqm")
    assert calm.difference == odd.difference == stats.trim_mean(ours, 0.25)
    assert decide(seeds(wild), seeds(ours * 0)).difference < -40_000


def test_medians_of_few_pairs() -> None:
    five = np.array([1.0, 2, 3, 4, 5])
    found = decide(seeds(five), seeds(five * 0), "median")
    assert (found.difference, found.low, found.high, found.p) == (3, 1, 5, 0.0625)  # their range, 93.75 %
    few = decide(seeds(five[:4]), seeds(five[:4] * 0), "median")
    assert (few.low, few.high, few.p, few.more) == (-math.inf, math.inf, 0.125, None)


TOO_SURE = {("others", "mean", "skewed", 5): 0.976}
"""Where Welch's interval is too wide; docs/comparing.md says so."""


@pytest.mark.parametrize("n", [5, 10, 30])
@pytest.mark.parametrize("kind", DRAWS)
@pytest.mark.parametrize(
    ("seeds", "statistic"),
    [("pairs", "mean"), ("pairs", "iqm"), ("pairs", "median"), ("others", "mean"), ("others", "iqm")],
)
def test_intervals_hold_the_truth_in_95_of_100_cases(seeds: str, statistic: str, kind: str, n: int) -> None:
    own = np.random.default_rng(5)  # the counts are near their bounds: the same ones in any order of the tests
    ours, theirs = DRAWS[kind](own, (n, 10_000)), DRAWS[kind](own, (n, 10_000))
    _, low, high, p = compared(ours, theirs, seeds == "pairs", statistic)
    assert 0.93 <= ((low <= 0) & (high >= 0)).mean() <= TOO_SURE.get((seeds, statistic, kind, n), 0.97)
    assert (p < 0.05).mean() <= 0.055
    if statistic != "median" or n > 5:  # of five pairs the range is not quite so sure
        np.testing.assert_array_equal(p < 0.05, (low > 0) | (high < 0))


def test_a_comparison_alone_is_what_it_is_among_many() -> None:
    ours, theirs = rng.normal(size=(12, 50)), rng.normal(size=(12, 50))
    for first, shares in ((0, True), (100, False)):
        together = compared(ours, theirs, shares, "mean")
        alone = [decide(seeds(ours[:, i]), seeds(theirs[:, i], first)) for i in range(50)]
        np.testing.assert_allclose(
            together, [[getattr(d, k) for d in alone] for k in ("difference", "low", "high", "p")]
        )


def test_so_many_more_seeds_would_decide() -> None:
    """With the spread as it is, that many seeds give an interval without zero, and one less does not."""
    d = np.random.default_rng(1).normal(0, 1, 12)
    d += 0.3 - d.mean()
    found = decide(seeds(d), seeds(d * 0))
    assert found.low < 0 < found.high and found.more
    n = 12 + found.more
    for count, decided in ((n, True), (n - 1, False)):
        half = stats.t.ppf(0.975, count - 1) * d.std(ddof=1) / math.sqrt(count)
        assert (half < abs(d.mean())) == decided


def test_values_that_are_all_the_same() -> None:
    same = decide({0: 1.0, 1: 1.0}, {0: 1.0, 1: 1.0})
    assert (same.difference, same.p, same.more, same.likely) == (0, 1, None, 0.5)
    shifted = decide({0: 2.0, 1: 2.0}, {0: 1.0, 1: 1.0})
    assert (shifted.difference, shifted.low, shifted.p, shifted.more) == (1, 1, 0, 0)


def test_too_few_seeds_are_refused() -> None:
    with pytest.raises(UserError, match="needs at least two seeds"):
        decide({0: 1.0}, {0: 2.0})
    with pytest.raises(UserError, match="needs seeds that both settings have"):
        decide({0: 1.0, 1: 2.0}, {2: 2.0, 3: 1.0}, "median")


def test_holms_correction() -> None:
    """The worked values: 0.01 x 4, 0.02 x 3, 0.03 x 2 raised to the one before, 0.04 x 1 likewise."""
    np.testing.assert_allclose(holm([0.03, 0.01, 0.04, 0.02]), [0.06, 0.04, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
