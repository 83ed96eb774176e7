"""One pass over the rows: numpy's own mean, deviation and reflections; threads given back."""

import copy

import numpy as np
import pytest

from experiments.exact import tsqr
from experiments.exact.optimum import LeastSquares
from experiments.exact.tsqr import TSQR


def test_folding_rows_fast_gives_what_reflections_give(monkeypatch):
    generator = np.random.default_rng(1)
    x = generator.normal(1e4, 3, (20000, 5)).astype(np.float32)
    y = x[:, :1] + generator.normal(size=(20000, 1))
    fast = TSQR()
    fast.add(x, y)
    fast = fast.triangle()
    monkeypatch.setattr(tsqr, "FOLDED_CONDITION", 0.0)
    slow = TSQR()
    slow.add(x, y)
    assert np.abs(fast) == pytest.approx(np.abs(slow.triangle()), rel=1e-11, abs=1e-10)


def test_a_block_far_from_those_before_it_costs_no_digits():
    x = np.r_[np.linspace(0, 1, 12000), np.linspace(1e6, 1e6 + 1, 12000)][:, None]
    y = 3 * x + 1
    data = LeastSquares()
    data.add(x, y)
    assert data.optimum().weight[0, 0] == pytest.approx(3, rel=1e-12)
    assert data.std[0] == pytest.approx(x.std(), rel=1e-12)


def test_rescaled_is_a_pass_over_the_rescaled_columns():
    columns = np.random.default_rng(3).normal([1e3, 5, -2], [1, 2, 1e4], (9000, 3))
    shift, scale = np.array([990, 4.0, 0]), np.array([3, 0.5, 2e4])
    data, again = TSQR(), TSQR()
    data.add(columns[:, :2], columns[:, 2])
    found = data.rescaled(shift, scale)
    moved = (columns - shift) / scale
    assert found.mean == pytest.approx(moved.mean(0), rel=1e-10)
    assert found.std == pytest.approx(moved.std(0), rel=1e-10)
    again.add(moved[:, :2], moved[:, 2])
    found.add(moved[:, :2], moved[:, 2])  # it can go on, and the first one is not touched
    assert found.std == pytest.approx(again.std, rel=1e-10)
    assert data.mean == pytest.approx(columns.mean(0), rel=1e-10)


def test_passes_over_parts_joined_are_the_pass_over_all() -> None:
    """Also where a part has few rows or none, and where the parts lie far apart."""
    random = np.random.default_rng(4)
    x = np.r_[random.normal(1e3, 1, (9000, 3)), random.normal(-1e3, 5, (7, 3)), random.normal(0, 1e-2, (6000, 3))]
    y = x @ [1.0, -2, 3] + 0.5 + random.normal(size=len(x))
    begun = LeastSquares()
    begun.begin(x[:100], y[:100])
    parts = []
    for rows in (slice(0, 9000), slice(9000, 9007), slice(9007, 9007), slice(9007, None)):
        parts.append(copy.deepcopy(begun))
        parts[-1].add(x[rows], y[rows])
    found = parts[0].joined(parts[1]).joined(parts[2].joined(parts[3]))
    solution = np.linalg.lstsq(np.c_[x, np.ones(len(x))], y, rcond=None)[0]
    assert found.rows == len(x)
    assert found.largest_row == pytest.approx(np.square(x).sum(1).max())
    assert found.mean == pytest.approx(np.r_[x.mean(0), y.mean()], rel=1e-10)
    assert found.std == pytest.approx(np.r_[x.std(0), y.std()], rel=1e-10)
    assert np.r_[found.optimum().weight[0], found.optimum().bias] == pytest.approx(solution, rel=1e-9)


def test_blas_has_its_own_number_of_threads_again_after_a_pass() -> None:
    """While the small products of a long pass take one, since threads that share them wait for each other."""
    random, seen = np.random.default_rng(0), []

    def threads() -> list[int]:
        return [library["num_threads"] for library in tsqr.blas().info() if library["user_api"] == "blas"]

    class Watched(TSQR):
        def _take(self, x: np.ndarray, y: np.ndarray) -> None:
            seen.append(threads())
            super()._take(x, y)

    before, data = threads(), Watched()
    x = random.standard_normal((10_000, 3))
    data.add(x, x[:, :1])
    assert threads() == before and seen == [[1] * len(before)] * 3
