"""Of all minimisers the smallest, against numpy's pinv."""

import numpy as np
import pytest

from experiments.exact.optimum import columns_alone, solve


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("case", ["duplicate", "wide"])
def test_short_rank_gives_the_smallest_weights_in_original_units(case, bias):
    generator = np.random.default_rng(2)
    x = generator.normal(3, 1, (6, 9) if case == "wide" else (30, 4)) * (
        10.0 ** np.arange(9) / 1e3 if case == "wide" else 1
    )
    if case == "duplicate":
        x = np.c_[x, x[:, 0] * 1.8 + 32 if bias else x[:, 0] * 1.8, 100 * x[:, 1]]
    y = generator.normal(size=(len(x), 2))
    centred, goal = (x - x.mean(0), y - y.mean(0)) if bias else (x, y)
    found = solve(x, y, bias)
    assert not found.unique
    assert found.rank == (6 if case == "wide" else 4 + bias)
    expected = (np.linalg.pinv(centred, rcond=1e-12) @ goal).T
    assert found.weight == pytest.approx(expected, rel=1e-6, abs=1e-10)
    assert columns_alone(x, 2, bias).conditioning().condition_number == np.inf
