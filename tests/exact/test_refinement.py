"""The last digits of a unique optimum, against elimination in rational numbers."""

from fractions import Fraction

import numpy as np
import pytest

from experiments.exact.refinement import refined


def rational(x: np.ndarray, y: np.ndarray) -> list[Fraction]:
    """The exact solution of the normal equations of [x 1] and one target."""
    rows = [[*map(Fraction, row), Fraction(1)] for row in x.tolist()]
    goal = [Fraction(value) for value in y[:, 0].tolist()]
    k = len(rows[0])
    system = [
        [sum(r[i] * r[j] for r in rows) for j in range(k)] + [sum(r[i] * g for r, g in zip(rows, goal, strict=True))]
        for i in range(k)
    ]
    for i in range(k):
        system[i] = [Fraction(value) / system[i][i] for value in system[i]]
        for j in set(range(k)) - {i}:
            system[j] = [a - system[j][i] * b for a, b in zip(system[j], system[i], strict=True)]
    return [Fraction(row[-1]) for row in system]


@pytest.mark.parametrize("rough", [1.0, 1.01])
def test_every_digit_is_right_and_the_mean_need_not_be(rough: float) -> None:
    random = np.random.default_rng(0)
    first = random.normal(1, 1, 20)  # around zero, so that taking the mean off is not exact in one number
    x = np.c_[first, first + 1e-6 * random.normal(size=20)]  # close to dependent
    y = random.normal(size=(20, 1))
    *weight, bias = map(float, rational(x, y))
    found = refined(x, y, rough * x.mean(0), True)
    assert found[0][0] == pytest.approx(weight, rel=4e-16)
    assert found[1][0] == pytest.approx(bias, rel=4e-16)
    assert found[2] == pytest.approx(np.mean((y[:, 0] - x @ weight - bias) ** 2), rel=1e-6)
