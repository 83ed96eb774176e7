"""The best of n trials against every subset of n, counted out."""

from itertools import combinations

import numpy as np
import pytest

from experiments.comparison.groups.curve import TRIALS, best_of_n

rng = np.random.default_rng(11)


@pytest.mark.parametrize("larger", [False, True])
@pytest.mark.parametrize("lost", [0, 3])
def test_it_is_what_all_subsets_give(lost: int, larger: bool) -> None:
    """The mean of their bests; and the values that 5, 50 and 95 % of the bests are as good as, or better."""
    values = np.append(rng.exponential(1.0, 8), 0.5).round(2)
    values[1] = values[2]  # a tie
    found = best_of_n(values, lost, larger=larger)
    assert found.expected is not None
    nothing = -np.inf if larger else np.inf
    assert found.x.tolist() == list(range(1, 10 + lost))
    for k, n in enumerate(found.x):
        bests = [(max if larger else min)(some) for some in combinations([*values, *[nothing] * lost], int(n))]
        if n > lost:
            assert found.expected[k] == pytest.approx(np.mean(bests), rel=1e-12)
        else:
            assert np.isnan(found.expected[k])  # the best of some is nothing at all
        ordered = sorted(bests, reverse=larger)
        for share, curve in ((0.05, found.low), (0.5, found.centre), (0.95, found.high)):
            expected = ordered[int(np.ceil(share * len(bests) - 1e-9)) - 1]
            assert curve[k] == expected or (np.isnan(curve[k]) and np.isinf(expected))


def test_of_all_trials_the_best_is_sure_and_of_one_it_is_any() -> None:
    values = rng.normal(size=40)
    found = best_of_n(values)
    assert (
        found.expected is not None
        and found.expected[-1] == pytest.approx(values.min())
        and found.high[-1] == values.min()
    )
    assert found.expected[0] == pytest.approx(values.mean()) and found.centre[0] == np.sort(values)[19]


def test_many_trials_are_told_at_some_n_and_as_exactly() -> None:
    """Of numbers 1 to N the least of n is expected at (N + 1) / (n + 1)."""
    total = 100_000
    found = best_of_n(np.arange(1.0, total + 1))
    assert found.expected is not None and len(found.x) <= TRIALS and (found.x[0], found.x[-1]) == (1, total)
    np.testing.assert_allclose(found.expected, (total + 1) / (found.x + 1), rtol=1e-6)
